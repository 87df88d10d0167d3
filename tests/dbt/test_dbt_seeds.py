"""Seeds: what dbt does not check for itself: headers in step, code lists complete, codes kept as text."""

import csv
from pathlib import Path

import pytest

from yuyan import settings
from yuyan.domain import contracts, indicators, yaml_file

FILES = sorted(settings.SEEDS.glob("*/*.csv"))
DESCRIBED = {
    seed["name"]: seed
    for path in settings.SEEDS.glob("*/*.yml")
    for seed in yaml_file.read(path).get("seeds", [])
}


def rows(name: str) -> list[dict[str, str]]:
    with open(settings.SEEDS / "reference" / f"{name}.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_seed_is_described():
    assert len(FILES) >= 11
    assert {path.stem for path in FILES} == set(DESCRIBED)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_seed_names_types_and_describes_every_column(path: Path):
    header = path.read_text(encoding="utf-8").splitlines()[0].split(",")
    seed = DESCRIBED[path.stem]
    assert seed["description"].strip()
    assert [c["name"] for c in seed["columns"]] == header
    assert all(c["description"].strip() for c in seed["columns"])
    assert list(seed["config"]["column_types"]) == header  # an untyped code would lose its leading zeros


def test_every_code_set_of_the_contracts_has_codes():
    named = {f.code_set for c in contracts.load().values() for f in c.fields if f.code_set}
    assert named
    assert {code_set for code_set in named if not contracts.code_sets().get(code_set)} == set()


def test_every_discipline_has_its_scope():
    assert [r["discipline_code"] for r in rows("discipline_scope")] == [r["code"] for r in rows("discipline")]
    assert all(r["reason_zh"] for r in rows("discipline_scope"))


def test_urgent_disciplines_are_engineering():
    urgent = {r["discipline_code"] for r in rows("discipline_scope") if r["is_urgent"] == "true"}
    academic = {
        r["code"] for r in rows("discipline") if r["parent_code"] == "08" and r["level"] == "first_level"
    }
    assert urgent == academic | {"08"} | {f"08{n}" for n in range(54, 62)} | {"1401", "1404", "1405", "1406"}


def test_nothing_urgent_is_excluded_from_the_match():
    assert [r for r in rows("discipline_scope") if r["is_urgent"] == r["is_h02_excluded"] == "true"] == []


def test_every_destination_has_its_scope_and_employment_is_the_published_list():
    codes = [r["code"] for r in rows("code") if r["code_set"] == "graduation_destination"]
    scope = rows("destination_scope")
    assert [r["destination_code"] for r in scope] == codes
    employed = {
        "10",
        "11",
        "12",
        "27",
        "271",
        "46",
        "50",
        "501",
        "502",
        "503",
        "51",
        "519",
        "75",
        "751",
        "752",
        "753",
        "76",
    }
    employed |= {str(code) for code in range(511, 516)}
    assert {r["destination_code"] for r in scope if r["is_employed"] == "true"} == employed
    assert {r["destination_code"] for r in scope if r["is_further_study"] == "true"} == {
        "80",
        "801",
        "802",
        "803",
        "85",
    }


def test_former_codes_are_of_an_edition_and_are_not_in_the_present_one():
    present = {r["code"] for r in rows("discipline")}
    former, of = rows("former_discipline"), {r["edition"]: r for r in rows("discipline_edition")}
    assert [r["code"] for r in former if r["code"] in present] == []
    assert {r["edition"] for r in former} < set(of)
    assert {r["parent_code"] for r in former} <= present
    for r in former:
        assert r["valid_from"] < r["admits_until"] <= of[r["edition"]]["admits_until"], r["code"]
        assert r["admits_until"] < r["valid_to"] <= of[r["edition"]]["valid_to"], r["code"]
    (current,) = (r["edition"] for r in of.values() if not r["valid_to"])
    assert current == indicators.parameters()["discipline_edition"]


def test_every_former_code_has_successors_that_are_in_the_present_edition():
    present, table = {r["code"] for r in rows("discipline")}, rows("discipline_succession")
    former = {r["code"] for r in rows("former_discipline")}
    assert {r["from_code"] for r in table if r["relation"] != "reused"} == former
    assert {r["from_code"] for r in table if r["relation"] == "reused"} <= present
    assert {r["to_code"] for r in table} <= present
    counted = [r["from_code"] for r in table if r["is_counted"] == "true"]
    assert len(counted) == len(set(counted))
    assert {r["relation"] for r in table if r["is_counted"] == "true"} == {"moved", "merged"}
    assert {r["discipline_code"] for r in rows("programme_succession")} <= present


def test_a_former_code_is_in_the_scope_of_its_successors_where_they_agree():
    scope = {r["discipline_code"]: r for r in rows("discipline_scope")}
    for former in rows("former_discipline"):
        table = [r for r in rows("discipline_succession") if r["from_code"] == former["code"]]
        for flag in ("is_h02_excluded", "is_urgent"):
            of_successors = {scope[r["to_code"]][flag] for r in table if r["relation"] != "reclassified"}
            assert former[flag] in of_successors or len(of_successors) != 1, (former["code"], flag)


def test_an_institution_is_carried_on_by_one_that_is_not_itself_carried_on():
    table = rows("institution_succession")
    assert {r["predecessor_code"] for r in table}.isdisjoint({r["successor_code"] for r in table})


def test_indicators_say_by_which_edition_of_the_catalogue_they_count():
    said = {v.code: v.row["discipline_edition"] for v in indicators.variants()}
    by_discipline = ["H02a", "H02b", "H02c", "H02d", "H05a", "H05b", "H05c", "H03", "H08"]
    assert {said[code] for code in by_discipline} == {indicators.parameters()["discipline_edition"]}
    assert {said[code] for code in ("H06", "H09", "H11")} == {""}
