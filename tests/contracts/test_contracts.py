"""Contracts: read in dependency order, refused with file and line when bad, and valid by the standard when exported."""

import json
from importlib import resources

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from yuyan import settings
from yuyan.commands.cli import app
from yuyan.domain import contracts, odcs, yaml_file

FILES = sorted(path for path in settings.CONTRACTS.glob("*.yml") if path.stem != contracts.LIBRARY)


@pytest.fixture(scope="module")
def standard():
    schema = json.loads(resources.files("open_data_contract_standard").joinpath("schema.json").read_text())
    return jsonschema.validators.validator_for(schema)(schema)


def test_every_file_but_the_library_is_an_entity():
    assert FILES
    assert set(contracts.load()) == {path.stem for path in FILES}


@pytest.mark.parametrize("entity", sorted(contracts.load()))
def test_an_exported_contract_follows_the_open_data_contract_standard(standard, entity):
    document = yaml.safe_load(odcs.text(contracts.load()[entity]))
    assert [e.message for e in standard.iter_errors(document)] == []
    assert [p["name"] for p in document["schema"][0]["properties"]] == [
        f.name for f in contracts.load()[entity].fields
    ]


def test_universities_receive_types_keys_codes_references_and_examples():
    document = odcs.document(contracts.load()["org_unit"])
    (table,) = document["schema"]
    fields = {p["name"]: p for p in table["properties"]}
    assert (fields["inst_code"]["primaryKey"], fields["inst_code"]["primaryKeyPosition"]) == (True, 1)
    assert fields["inst_code"]["examples"] == ["10611"]
    assert fields["unit_kind"]["physicalType"] == "varchar(4)"
    assert {"property": "codeSet", "value": "unit_kind"} in fields["unit_kind"]["customProperties"]
    assert fields["valid_to"]["required"] is False
    assert {
        "type": "foreignKey",
        "from": "org_unit.inst_code",
        "to": "institution.inst_code",
    } in table["relationships"]
    points = odcs.document(contracts.load()["degree_point_event"])["schema"][0]["relationships"]
    assert {
        "type": "foreignKey",
        "from": "degree_point_event.urgent_list_id",
        "to": "urgent_discipline_list.list_id",
    } in points
    people = odcs.document(contracts.load()["student"])["schema"][0]["properties"]
    assert not [p["name"] for p in people if p.get("classification") == "tier2" and "examples" in p]


def test_the_command_exports_all_or_the_named_ones(tmp_path):
    done = CliRunner().invoke(app, ["contracts", "export", "--to", str(tmp_path / "all")])
    assert done.exit_code == 0, done.output
    assert {p.name for p in (tmp_path / "all").iterdir()} == {f"{e}.odcs.yaml" for e in contracts.load()}
    done = CliRunner().invoke(app, ["contracts", "export", "student", "--to", str(tmp_path / "one")])
    assert [p.name for p in (tmp_path / "one").iterdir()] == ["student.odcs.yaml"]
    done = CliRunner().invoke(app, ["contracts", "export", "pupil", "--to", str(tmp_path / "none")])
    assert done.exit_code == 1
    assert "没有名为 pupil 的数据约定" in done.output
    assert not (tmp_path / "none").exists()


def test_the_library_has_what_several_entities_share_and_nothing_else():
    used = [f.name for c in contracts.load().values() for f in c.fields]
    library = yaml_file.read(settings.CONTRACTS / "fields.yml")
    assert {name for name in used if used.count(name) > 1} == set(library)


def test_a_sample_says_every_mandatory_field_but_direct_identifiers():
    for contract in contracts.load().values():
        due = {f.name for f in contract.supplied if f.mandatory and f.privacy != "drop"}
        assert due <= {n for n, value in contract.sample.items() if value is not None}, contract.entity


def test_parents_come_before_children():
    seen = set()
    for contract in contracts.load().values():
        parents = {r.entity for r in contract.references} - {contract.entity}
        assert parents <= seen, contract.entity
        seen.add(contract.entity)


def test_direct_identifiers_are_never_stored():
    for contract in contracts.load().values():
        names = {f.name for f in contract.columns}
        assert not names & {"person_name", "expert_name", "mobile", "cert_no", "cert_type"}
        for f in contract.fields:
            assert (f.privacy is not None) == (f.tier == 2), f"{contract.entity}.{f.name}"


def test_every_pseudonym_is_derived_from_a_certificate_number():
    pseudonyms = {
        (c.entity, f.name)
        for c in contracts.load().values()
        for f in c.fields
        if f.derived and f.name.endswith("_key")
    }
    sources = {(c.entity, f.becomes) for c in contracts.load().values() for f in c.fields if f.becomes}
    assert pseudonyms == sources
    assert ("thesis_sampling_review", "expert_key") in sources


def test_code_sets_keep_leading_zeros():
    assert contracts.code_sets()["thesis_topic_source"]["02"]
    assert contracts.code_sets()["discipline"]["0812"] == "计算机科学与技术"


LIBRARY = "city_code: {label: 城市, type: varchar(6)}\n"
CITY = "label: 城市\npurpose: 城市名录\nowner: commission\nkey: [city_code]\nfields:\n  city_code:\n"
TOWN = """label: 城镇
purpose: 城镇名录
owner: commission
key: [town_code]
period_field: founded_on
fields:
  town_code: {label: 城镇代码, type: varchar(6), pattern: '^\\d{6}$'}
  city_code: {label: 所属城市, presence: conditional}
  founded_on: {label: 设立日期, type: date}
  kinds: {label: 类别, type: 'varchar(2)[]', code_set: gender}
references:
  - {city: city_code}
sample: {town_code: '500101', city_code: null, founded_on: '1990-01-01'}
simulate:
  rows: 3
  of: {city: "city_code < '6'"}
  values: {kinds: {'1': 0.5, '2': 0.5}}
"""


@pytest.fixture
def folder(tmp_path):
    """Two entities and their library."""
    for name, text in (("fields", LIBRARY), ("city", CITY), ("town", TOWN)):
        (tmp_path / f"{name}.yml").write_text(text, encoding="utf-8")
    return tmp_path


def test_a_field_is_the_librarys_with_what_the_entity_says_differently(folder):
    known = contracts.load(folder)
    assert list(known) == ["city", "town"]
    town = known["town"]
    assert town["town_code"] == contracts.Field(
        "town_code", "城镇代码", "string", "varchar(6)", "mandatory", key_position=1, pattern=r"^\d{6}$"
    )
    assert town["city_code"] == contracts.Field(
        "city_code", "所属城市", "string", "varchar(6)", "conditional"
    )
    assert (town["kinds"].type, town["kinds"].max_length, town["founded_on"].type) == ("array", 2, "date")
    assert town.references == (contracts.Reference(("city_code",), "city", ("city_code",)),)
    assert (town.version, town.privacy_tier, town.key, town.period_field) == (
        "1.0.0",
        0,
        ("town_code",),
        "founded_on",
    )
    assert town.sample == {"town_code": "500101", "city_code": None, "founded_on": "1990-01-01"}
    assert known["city"]["city_code"].label == "城市"
    assert town.simulate == contracts.Simulation(
        3, {"city": "city_code < '6'"}, {"kinds": {"1": 0.5, "2": 0.5}}
    )
    assert known["city"].simulate is None


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("label: 城镇\n", "", 1, "town: label is missing"),
        ("label: 城镇\n", "name: 城镇\n", 1, "town: 'name' is none of label, purpose"),
        ("owner: commission", "owner: nobody", 3, "town: owner 'nobody' is none of university, commission"),
        ("key: [town_code]", "key: town_code", 4, "town: key must be a list, not 'town_code'"),
        ("key: [town_code]", "key: [town]", 4, "town: 'town' is not a field"),
        ("period_field: founded_on", "period_field: founded", 5, "town: 'founded' is not a field"),
        ("label: 城镇代码, type: varchar(6)", "label: 城镇代码", 7, "town.town_code: type is missing"),
        ("type: varchar(6)", "type: text", 7, "town.town_code: type 'text' is none of varchar"),
        ("presence: conditional", "presence: perhaps", 8, "town.city_code: presence 'perhaps' is none of"),
        ("presence: conditional", "required: true", 8, "town.city_code: 'required' is none of"),
        ("presence: conditional", "tier: low", 8, "town.city_code: tier must be a whole number, not 'low'"),
        ("presence: conditional", "privacy: hide", 8, "town.city_code: privacy 'hide' is none of"),
        ("presence: conditional", "privacy: pseudonymise, becomes: x", 8, "becomes 'x', which is not a field"),
        ("label: 设立日期, ", "", 9, "town.founded_on: label is missing and the field library has no founded_on"),
        ("code_set: gender", "code_set: genders", 10, "town.kinds: code set 'genders' is not in"),
        ("- {city: city_code}", "- city", 12, "town: reference 1 must be"),
        ("- {city: city_code}", "- {city: city_id}", 12, "town: reference to city: 'city_id' is not a field"),
        ("- {city: city_code}", "- {city: {city_code: id}}", 11, "town: city with id does not exist"),
        ("- {city: city_code}", "- {city: city_code}\n  - {land: city_code}", 11, "town: land with city_code does not"),
        ("city_code: null", "city: null", 13, "town.sample: 'city' is not a field that a platform sends"),
        ("rows: 3", "rows: many", 15, "town.simulate: rows must be a whole number, not 'many'"),
        ("rows: 3", "count: 3", 15, "town.simulate: 'count' is none of rows, of, values"),
        ("of: {city:", "of: {land:", 16, "town.simulate.of: 'land' is no entity that it refers to"),
        ("values: {kinds:", "values: {kind:", 17, "town.values: 'kind' is not a field that a platform sends"),
        ("  kinds:", "  town_code:", 10, "town_code is used twice"),
        ("label: 城镇\n", "label: 城: 镇\n", 1, "not YAML"),
    ],
)  # fmt: skip
def test_a_bad_contract_is_refused_with_file_line_and_remedy(folder, old, new, line, message):
    assert old in TOWN
    (folder / "town.yml").write_text(TOWN.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(contracts.ContractError) as refused:
        contracts.load(folder)
    assert f"town.yml:{line}: " in str(refused.value)
    assert message in str(refused.value)


def test_a_field_of_several_entities_must_be_in_the_library(folder):
    (folder / "fields.yml").write_text("{}\n", encoding="utf-8")
    city = CITY.replace("city_code:\n", "city_code: {label: 城市, type: varchar(6)}\n")
    (folder / "city.yml").write_text(city, encoding="utf-8")
    town = TOWN.replace("presence: conditional", "type: varchar(6)")
    (folder / "town.yml").write_text(town, encoding="utf-8")
    with pytest.raises(
        contracts.ContractError, match=r"town\.yml:8: .* city has a field of that name, too; move"
    ):
        contracts.load(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"fields\.yml:1: the field library is missing"),
        ("city_code: {label: 城市, kind: x}\n", r"fields\.yml:1: fields\.city_code: 'kind' is none of"),
        ("city_code: x\n", r"fields\.yml:1: fields\.city_code: must be a mapping"),
    ],
)
def test_a_bad_library_is_refused_with_its_line(folder, text, message):
    path = folder / "fields.yml"
    path.write_text(text, encoding="utf-8") if text else path.unlink()
    with pytest.raises(contracts.ContractError, match=message):
        contracts.load(folder)


def test_a_circle_of_references_is_refused(folder):
    more = "  town_code: {label: 首府, type: varchar(6)}\nreferences:\n  - {town: town_code}\n"
    (folder / "city.yml").write_text(CITY + more, encoding="utf-8")
    (folder / "fields.yml").write_text(LIBRARY + "town_code: {}\n", encoding="utf-8")
    with pytest.raises(contracts.ContractError, match="circle"):
        contracts.load(folder)
