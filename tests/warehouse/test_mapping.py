"""Names, codes and formats of every product become the contract's columns in canonical form; what cannot be mapped stays."""

import polars as pl
import pytest

from yuyan.collect import mapping as mapped
from yuyan.collect import text
from yuyan.domain import contracts, institutions


def through(inst_code: str, entity: str, **values: str | None) -> dict[str, str | None]:
    """One row of source values (by contract field) mapped for an institution."""
    contract = contracts.load()[entity]
    mapping = institutions.load()[inst_code].mapping(contract)
    columns = {mapping.names[f.name]: values.get(f.name) for f in contract.columns if f.name in mapping.names}
    columns |= {f.name: values.get(f.name) for f in contract.columns if f.derived}
    frame = pl.DataFrame([columns], schema=dict.fromkeys(columns, pl.String))
    return frame.select(mapped.columns(contract, mapping)).row(0, named=True)


@pytest.mark.parametrize(
    ("inst_code", "given", "expected"),
    [
        ("10618", "20260901", "2026-09-01"),
        ("10618", "2026091", "2026091"),
        ("10618", "20261399", "2026-13-99"),
        ("10618", "2026-09-01", "2026-09-01"),
        ("10618", "", None),
        ("10647", "2026/9/1", "2026-09-01"),
        ("10647", "2026/12/31", "2026-12-31"),
        ("10647", "2026/1/31", "2026-01-31"),
        ("10647", "2026年9月", "2026年9月"),
        ("10647", "2026/13/45", "2026-13-45"),
        ("10647", "", None),
        ("10643", "2026-09-01 00:00:00", "2026-09-01"),
        ("10643", "2026-09-01", "2026-09-01"),
        ("10611", "2026-09-01", "2026-09-01"),
        ("10611", "1/9/2026", "1/9/2026"),
        ("10611", "", None),
        ("10611", "  ", None),
        ("10643", "", None),
        ("10611", "2026-09-01T00:00:00", "2026-09-01"),
        ("10611", "2026-08-31T16:00:00.000Z", "2026-09-01"),
        ("10611", "2026-09-01T00:00:00+08:00", "2026-09-01"),
        ("10611", "2026-08-31T16:00:00", "2026-08-31T16:00:00"),
        ("10611", "2026-09-01T00:00:00Z", "2026-09-01T00:00:00Z"),  # eight o'clock in Beijing
        ("10611", "1756656000000", "1756656000000"),
        ("10647", "2026-09-01 00:00:00", "2026-09-01"),  # a date cell of a workbook
        ("10647", "2026/9/1 0:00", "2026-09-01"),
        ("10618", "20260901000000", "20260901000000"),
    ],
)
def test_dates(inst_code, given, expected):
    assert through(inst_code, "student", entry_on=given)["entry_on"] == expected


@pytest.mark.parametrize(
    ("inst_code", "given", "expected"),
    [
        ("10618", "是", "true"),
        ("10618", "否", "false"),
        ("10618", "Y", "true"),
        ("10618", "待核", "待核"),
        ("10643", "1", "true"),
        ("10643", "0", "false"),
        ("10643", "2", "2"),
        ("10647", "是", "true"),
        ("10611", "true", "true"),
        ("10611", "yes", "true"),
        ("10611", "True ", "true"),
        ("10611", "1", "true"),
        ("10611", "否", "false"),
        ("10611", "2", "2"),
    ],
)
def test_booleans(inst_code, given, expected):
    assert through(inst_code, "org_unit", is_entity=given)["is_entity"] == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (" 12.50 ", "12.50"),
        ("1.5e-05", "0.000015"),
        ("1e16", "10000000000000000"),
        ("abc", "abc"),
        ("12,5", "12,5"),
        ("1e999", "1e999"),
        (None, None),
    ],
)
def test_numbers(given, expected):
    assert through("10611", "commissioned_project", contract_amount=given)["contract_amount"] == expected


@pytest.mark.parametrize(
    ("given", "expected"), [("12.0", "12"), (" 7", "7"), ("-3.00", "-3"), ("3.5", "3.5"), ("x", "x")]
)
def test_integers(given, expected):
    assert through("10611", "practice_participation", days=given)["days"] == expected


@pytest.mark.parametrize(
    "written", ["001 ", "\u3000001", "\u200b001", "\ufeff001", "００1", "0\u00ad01", "\x00001\t"]
)
def test_a_key_is_one_text(written):
    assert through("10611", "org_unit", unit_code=written)["unit_code"] == "001"


def test_a_name_keeps_its_characters_but_not_its_edges():
    row = through("10611", "org_unit", unit_name="\ufeff机械　Ａ学院\t\n", parent_unit_code=" ")
    assert (row["unit_name"], row["parent_unit_code"]) == ("机械　Ａ学院", None)


def test_what_normalising_changed_is_counted():
    contract = contracts.load()["org_unit"]
    mapping = institutions.load()["10611"].mapping(contract)
    names = mapping.announced
    frame = pl.DataFrame([dict.fromkeys(names)] * 3, schema=dict.fromkeys(names, pl.String)).with_columns(
        src_record_id=pl.Series(["a", "b ", "c"]), unit_code=pl.Series(["００1", "002\t", "003"]),
        unit_name=pl.Series(["甲", " 乙", "丙"]),
    )  # fmt: skip
    assert mapped.normalised(frame, contract, mapping) == {"src_record_id": 1, "unit_code": 2, "unit_name": 1}


@pytest.mark.parametrize(
    ("values", "is_plain"),
    [
        (["001", None, "a-b"], True),
        ([None, None], True),
        ([], True),
        (["001", " 002"], False),
        (["001\t"], False),
        (["001", ""], False),
        (["学院"], False),
        (["0\x7f1"], False),
    ],
)
def test_what_is_plain_is_not_changed(values, is_plain):
    frame = pl.DataFrame({"a": values, "_n": range(len(values))}, schema={"a": pl.String, "_n": pl.Int64})
    assert text.plain(frame) == ({"a"} if is_plain else set())
    normalised = frame.select(text.identifier(pl.col("a")), trimmed=text.trimmed(pl.col("a")))
    assert not is_plain or (normalised["a"].equals(frame["a"]) and normalised["trimmed"].equals(frame["a"]))
    assert text.plain(frame.slice(1)) >= text.plain(frame)


def test_local_codes_and_prefixes():
    row = through(
        "10618",
        "student",
        student_id="20230001",
        gender_code="男",
        degree_level="BS",
        study_mode="??",
        status_code="Z",
    )
    assert (row["student_id"], row["gender_code"], row["degree_level"]) == ("1061820230001", "1", "1")
    assert (row["study_mode"], row["status_code"]) == ("??", "90")
    assert through("10618", "employment", destination_code="L10")["destination_code"] == "10"
    assert through("10618", "employment", destination_code="L99X")["destination_code"] == "L99X"
    assert through("10618", "thesis", supervisor_id="*10635S1")["supervisor_id"] == "10635S1"
    assert (
        through("10618", "course_offering", teacher_ids="S1;*10635S2;S3")["teacher_ids"]
        == "10618S1;10635S2;10618S3"
    )
    assert through("10618", "course_offering", teacher_ids=None)["teacher_ids"] is None
    assert through("10618", "honour", holder_id="20230001")["holder_id"] == "20230001"


def test_derived_columns_pass_through():
    row = through("10618", "student", person_key="ab" * 32, person_key_version="2")
    assert (row["person_key"], row["person_key_version"]) == ("ab" * 32, "2")


@pytest.mark.parametrize(
    ("inst_code", "given", "expected"),
    [
        ("10611", "1000000074", 1000000074),
        ("10611", "soon", None),
        ("10618", "19700101080001", 1_000_000),
        ("10611", "12.0", 12),
        ("10618", "19700101", -28_800_000_000),
        ("10618", "1970-01-01 08:00:01", 1_000_000),
        ("10618", "1970-01-01T00:00:01Z", 1_000_000),
        ("10618", "1970/1/1 8:00", 0),
        ("10618", "19700101080000500", 500_000),
        ("10618", "99999999999999", None),
        ("10643", "1970-01-01 08:00:00.000002", 2),
        ("10643", "1970-01-01 08:00:01", 1_000_000),
        (
            "10643",
            "1986-05-04 02:30:00",
            515_529_000_000_000,
        ),  # skipped when the clocks went forward: by standard time
    ],
)
def test_versions(inst_code, given, expected):
    mapping = institutions.load()[inst_code].mapping(contracts.load()["org_unit"])
    frame = pl.DataFrame({mapping.version_column: [given]})
    assert frame.select(mapped.source_version(mapping, None)).item() == expected


def test_the_version_of_a_delivery():
    mapping = institutions.load()["10647"].mapping(contracts.load()["org_unit"])
    assert pl.select(mapped.source_version(mapping, 2026101501)).item() == 2026101501


def test_record_key():
    contract = contracts.load()["org_unit"]
    frame = pl.DataFrame({"inst_code": ["10611", "10611"], "unit_code": ["001", None]})
    assert frame.select(mapped.record_key(contract)).to_series().to_list() == ["10611|001", None]


def test_the_identity_of_a_mapping_follows_its_profile():
    contract = contracts.load()["org_unit"]
    known = institutions.load()
    assert mapped.version(known["10618"].mapping(contract)) == mapped.version(
        known["10618"].mapping(contract)
    )
    assert mapped.version(known["10618"].mapping(contract)) != mapped.version(
        known["10637"].mapping(contract)
    )
