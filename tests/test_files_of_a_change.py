"""How many files nine usual changes take: counted from the pages of docs/how-to, whose examples other tests execute."""

import re

import pytest

from support import how_to

CHANGES = {
    "an institution": ("connect-an-institution", "An institution", 1),
    "an entity": ("add-an-entity", "An entity", 2),
    "a field": ("add-an-entity", "A field", 3),
    "a rule": ("add-an-entity", "A rule", 1),
    "an indicator": ("add-an-indicator", "An indicator", 1),
    "a column of a mart": ("add-a-mart-column", "A column", 2),
    "a target": ("change-the-plan", "A target", 1),
    "a role": ("add-a-role", "A role", 1),
    "a platform product": ("add-a-product", "A product", 1),
}
"""Change -> page, section, most files."""


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_takes_no_more_files(change):
    page, section, most = CHANGES[change]
    assert 1 <= len(how_to.files(page, section)) <= most


def test_the_table_says_so():
    table = (how_to.FOLDER / "README.md").read_text(encoding="utf-8")
    counted = {c: len(how_to.files(page, section)) for c, (page, section, _) in CHANGES.items()}
    said = re.findall(r"^\| \[([^\]]+)\]\((\S+?)\.md#(\S+?)\) \| (\d+) \|", table, re.M)
    assert {change: int(number) for change, _, _, number in said} == counted
    assert {c: (page, anchor.replace("-", " ")) for c, page, anchor, _ in said} == {
        c: (page, section.lower()) for c, (page, section, _) in CHANGES.items()
    }
