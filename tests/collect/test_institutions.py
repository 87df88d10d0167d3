"""Profiles and institution files: what they mean, and how a bad one is refused."""

from collections import Counter

import pytest

from yuyan import settings
from yuyan.domain import contracts, institutions, platforms

STUDENT = contracts.load()["student"]


def test_every_institution_has_its_product():
    known = institutions.load()
    products = Counter(i.product for i in known.values())
    assert products == {"rest-versioned": 5, "rest-legacy": 5, "exchange-database": 4, "file-drop": 5}
    assert known["10611"].name == "重庆大学"
    assert known["10618"].connection == "platform_10618"


def test_an_institution_is_asked_for_what_its_kind_owns_parents_first():
    known = institutions.load()
    university, commission = known["10611"].entities, known[settings.COMMISSION].entities
    assert {contracts.load()[e].owner for e in university} == {"university"}
    assert {contracts.load()[e].owner for e in commission} == {"commission"}
    assert len(university) + len(commission) == len(contracts.load())
    assert university.index("org_unit") < university.index("degree_point") < university.index("student")


@pytest.mark.parametrize("inst_code", ["10611", "10618", "10643", "10655"])
def test_every_mandatory_field_has_a_name_of_its_own(inst_code):
    institution = institutions.load()[inst_code]
    for entity in institution.entities:
        contract = contracts.load()[entity]
        mapping = institution.mapping(contract)
        assert {f.name for f in contract.supplied if f.mandatory} <= mapping.names.keys()
        names = [*mapping.envelope, *mapping.names.values()]
        assert len(names) == len(set(names)), entity


def test_local_codes_apply_to_every_field_of_the_set():
    mapping = institutions.load()["10618"].mapping(STUDENT)
    assert mapping.codes["gender_code"] == {"男": "1", "女": "2"}
    assert mapping.codes["degree_level"] == {"BS": "1", "SS": "2"}
    employment = institutions.load()["10618"].mapping(contracts.load()["employment"])
    assert employment.codes["destination_code"]["L10"] == "10"


def test_an_institution_may_differ_from_its_product(own_institutions):
    plain = own_institutions("10001", "rest-legacy")
    odd = own_institutions(
        "10002",
        "rest-legacy",
        entities=["student", "org_unit"],
        page_size=50,
        requests_per_second=2,
        concurrency=1,
        fields={"student": {"gender_code": "XINGBIE"}},
        codes={"gender": {"M": "1"}},
    )
    assert odd.entities == ("org_unit", "student")
    assert (odd.platform.page_size, odd.platform.requests_per_second, odd.platform.concurrency) == (50, 2, 1)
    mapping = odd.mapping(STUDENT)
    assert mapping.names["gender_code"] == "XINGBIE"
    assert mapping.codes["gender_code"] == {"男": "1", "女": "2", "M": "1"}
    assert mapping.version != plain.mapping(STUDENT).version


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ('inst_code: "10001"\nname: 甲\nproduct: fax\nconnection: c\n', 3, "has no profile"),
        ('inst_code: "10002"\nname: 甲\nproduct: file-drop\nconnection: c\n', 1, "must be the file's name"),
        ('inst_code: "10001"\nname: 甲\nproduct: file-drop\nconnection: c\npagesize: 3\n', 5, "Extra inputs"),
        (
            'inst_code: "10001"\nname: 甲\nproduct: file-drop\nconnection: c\nentities: [talent_demand]\n',
            5,
            "does not supply",
        ),
        (
            'inst_code: "10001"\nname: 甲\nproduct: file-drop\nconnection: c\nfields:\n  student:\n    hair: 头发\n',
            7,
            "is not a field",
        ),
        (
            'inst_code: "10001"\nname: 甲\nproduct: file-drop\nconnection: c\ncodes:\n  hats: {a: b}\n',
            6,
            "hats",
        ),
        (
            'inst_code: "10001"\nname: 甲\nproduct: file-drop\nconnection: c\nnot_yet: [talent_demand]\n',
            5,
            "does not supply",
        ),
        ('inst_code: "10001"\nname: [\n', 3, "not YAML"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(own_institutions, text, line, says):
    path = settings.institutions_dir() / "10001.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(institutions.InstitutionError, match=says) as refused:
        institutions.load()["10001"]
    assert str(refused.value).startswith(f"{path}:{line}:" if line else f"{path}:")


def test_what_cannot_be_supplied_yet_is_not_asked_for(own_institutions, tmp_path):
    everything = own_institutions("10001", "rest-versioned").entities
    assert own_institutions("10001", "rest-versioned", not_yet=["course"]).entities == tuple(
        entity for entity in everything if entity != "course"
    )
    assert own_institutions(
        "10001", "rest-versioned", entities=["course", "team"], not_yet=["team"]
    ).entities == ("course",)
    profile = (settings.PLATFORMS / "rest-versioned.yml").read_text(encoding="utf-8")
    (tmp_path / "rest-versioned.yml").write_text(profile + "not_yet: [student]\n", encoding="utf-8")
    assert "student" not in institutions.load(profiles=tmp_path)["10001"].entities
    (tmp_path / "rest-versioned.yml").write_text(profile + "not_yet: [nosuch]\n", encoding="utf-8")
    with pytest.raises(
        institutions.InstitutionError, match=r"rest-versioned.yml:\d+: nosuch has no contract"
    ):
        institutions.load(profiles=tmp_path)["10001"]


def test_what_a_map_does_not_have_keeps_the_contracts_name_where_the_profile_says_so(tmp_path):
    profile = (settings.PLATFORMS / "rest-legacy.yml").read_text(encoding="utf-8")
    course = profile[profile.index("  course:\n") : profile.index("  degree_point:\n")]
    text = profile.replace(course, "").replace("      student_id: XH\n", "", 1)
    (tmp_path / "rest-legacy.yml").write_text(text, encoding="utf-8")
    product = platforms.load(tmp_path)["rest-legacy"]
    known = contracts.load()
    assert product.table_of(known["course"]) == "course"
    assert product.names_of(known["course"]) == {f.name: f.name for f in known["course"].supplied}
    names = product.names_of(known["student"])
    assert (names["student_id"], names["inst_code"]) == ("student_id", "DWDM")
    (tmp_path / "rest-legacy.yml").write_text(
        profile.replace(course, "").replace("unmapped: contract", ""), encoding="utf-8"
    )
    institution = institutions.load(profiles=tmp_path)["10618"]
    assert "course" not in institution.entities
    with pytest.raises(institutions.InstitutionError, match="no map of course; add it under entities"):
        institution.mapping(known["course"])


def test_a_profile_without_a_mandatory_field_is_refused(tmp_path):
    profile = (settings.PLATFORMS / "rest-legacy.yml").read_text(encoding="utf-8")
    (tmp_path / "rest-legacy.yml").write_text(
        profile.replace("      student_id: XH\n", "", 1).replace("unmapped: contract", ""), encoding="utf-8"
    )
    with pytest.raises(
        institutions.InstitutionError, match=r"rest-legacy.yml:\d+: .*has no name for student_id"
    ):
        institutions.load(profiles=tmp_path)["10618"]
