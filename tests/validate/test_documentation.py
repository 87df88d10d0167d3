"""The generated documents in docs/ say what the code says."""

import pytest

from yuyan import contracts, documentation
from yuyan.validate import catalogue


@pytest.mark.parametrize("path", documentation.documents(), ids=lambda p: p.name)
def test_committed_documents_are_in_step(path):
    assert path.read_text(encoding="utf-8") == documentation.documents()[path], (
        "run: python -m yuyan.documentation"
    )


def test_every_rule_and_every_field_is_there():
    rules, dictionary = documentation.rules(), documentation.dictionary()
    for of_entity in catalogue.load().rules.values():
        for rule in of_entity:
            assert f"`{rule.rule_id}`" in rules
    for contract in contracts.load().values():
        section = dictionary.split(f"\n## {contract.entity}\n")[1].split("\n## ")[0]
        for field in contract.fields:
            assert f"| `{field.name}` | {field.label} |" in section


def test_the_dictionary_says_what_happens_to_identifiers():
    student = documentation.dictionary().split("\n## student\n")[1].split("\n## ")[0]
    assert "采集时丢弃，不落地" in next(
        line for line in student.splitlines() if line.startswith("| `person_name` |")
    )
    assert "`person_key`" in next(line for line in student.splitlines() if line.startswith("| `cert_no` |"))
