"""Who is who: the steward file, and who may act on and decide for whom."""

import re

import pytest

from yuyan import settings
from yuyan.domain import institutions, stewards
from yuyan.domain.stewards import Steward, StewardError

JW, JW2 = Steward("jw-1", "commission"), Steward("jw-2", "commission")
A, A2, B = (
    Steward("a-1", "university", "10611"),
    Steward("a-2", "university", "10611"),
    Steward("b-1", "university", "10635"),
)


@pytest.fixture
def given(tmp_path, monkeypatch):
    """Put a text in place of the project's file."""

    def write(text: str) -> None:
        path = tmp_path / f"{abs(hash(text))}.yml"
        path.write_text(text, encoding="utf-8")
        monkeypatch.setenv("YUYAN_STEWARDS", str(path))

    return write


def test_every_institution_has_two_and_the_commission_too():
    named = stewards.load().values()
    for code in institutions.load():
        own = [s for s in named if s.inst_code == (None if code == settings.COMMISSION else code)]
        assert len(own) == 2, code
    assert all(re.fullmatch(r"[a-z]+-data-\d|data-\d{5}-\d", s.name) for s in named), "accounts, no persons"


@pytest.mark.parametrize(
    ("who", "on", "may"),
    [(JW, "10611", True), (JW, "50000", True), (A, "10611", True), (A, "10635", False), (A, "50000", False)],
)
def test_a_university_acts_on_its_own_problems_only(who, on, may):
    assert who.acts_on(on) is may


@pytest.mark.parametrize(
    ("who", "override_by", "requested_by", "may"),
    [
        (JW, "commission", "a-1", True),
        (JW, "commission", "jw-2", True),
        (JW, "commission", "jw-1", False),  # never one's own
        (A2, "commission", "a-1", False),
        (A2, "university", "a-1", True),
        (A2, "university", "jw-1", True),
        (A, "university", "a-1", False),
        (B, "university", "a-1", False),  # of the same institution
        (JW, "university", "a-1", False),  # the role that the rule names
        (JW, "nobody", "a-1", False),
        (A2, "nobody", "a-1", False),
    ],
)
def test_who_may_decide(who, override_by, requested_by, may):
    assert who.may_decide(override_by, "10611", requested_by) is may


def test_a_file_of_one_s_own_takes_the_place(given):
    given("commission: [chief]\nuniversities: {'10611': [one]}\n")
    assert stewards.load() == {
        "chief": Steward("chief", "commission"),
        "one": Steward("one", "university", "10611"),
    }
    assert stewards.deciders("commission", "10611", "one") == [Steward("chief", "commission")]
    with pytest.raises(StewardError, match=r"'data-10611-1' 不是登记的数据管理员；名单在"):
        stewards.find("data-10611-1")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("commission: [one]\nuniversities: {'10611': [one]}\n", "账号 one 出现不止一次"),
        ("commission: [one]\n", "universities"),
        ("commission: [one]\nuniversities: {10611x: [two]}\n", "10611x"),
        ("commission: [王 小明]\nuniversities: {}\n", "commission.0"),
        ("commission: [\n", "不可用"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(given, text, says):
    given(text)
    with pytest.raises(StewardError, match=says):
        stewards.load()


@pytest.mark.database
def test_the_table_says_what_the_file_says(connection):
    for _ in range(2):
        stewards.publish(connection)
    held = connection.execute("select name, role, src_inst_code from quality.steward").fetchall()
    assert sorted(held, key=str) == sorted(
        ((s.name, s.role, s.inst_code) for s in stewards.load().values()), key=str
    )
