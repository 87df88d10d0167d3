"""The generated documents in docs/ say what the code says."""

import csv
import io
import re

import pytest

from yuyan.domain import case_rules, catalogue, contracts, credibility_rules
from yuyan.pages import documentation, rules

DOCUMENTS = documentation.documents()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_committed_documents_are_in_step(path):
    assert path.read_text(encoding="utf-8") == DOCUMENTS[path], "run: python -m yuyan.pages.documentation"


def test_every_rule_is_there_under_its_own_anchor():
    found = catalogue.load().rules
    in_order = [
        r.rule_id
        for entity in contracts.load()
        for r in sorted(found[entity], key=lambda r: not r.is_business)
    ]
    assert len(in_order) == sum(map(len, found.values()))
    in_order += [r.rule_id for module in (credibility_rules, case_rules) for r in module.rules()]
    assert re.findall(r'<details id="(QR\.[^"]+)"', rules.directory_page()) == in_order
    listed = csv.DictReader(io.StringIO(rules.directory_csv().removeprefix("\ufeff")))
    assert [row["rule_id"] for row in listed] == in_order


def test_a_rule_says_all_that_a_reader_asks():
    text = rules.directory_csv().removeprefix("\ufeff")
    row = next(r for r in csv.DictReader(io.StringIO(text)) if r["rule_id"] == "QR.student.left_on.12")
    assert row["field_label"] == "离校日期"
    assert row["eligible"] == "status_code = '90'"
    assert row["override"] == "市教委"
    assert row["tolerance"] == "不容许"
    assert [name for name, value in row.items() if not value] == []


def test_every_field_is_there():
    dictionary = documentation.dictionary()
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
