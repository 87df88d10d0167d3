"""Contracts: valid by the standard's own schema, loaded in dependency order, refused with file and line when bad."""

import json
from importlib import resources

import jsonschema
import pytest
import yaml

from yuyan import settings
from yuyan.domain import contracts

FILES = sorted(settings.CONTRACTS.glob("*.yml"))


@pytest.fixture(scope="module")
def standard():
    schema = json.loads(resources.files("open_data_contract_standard").joinpath("schema.json").read_text())
    return jsonschema.validators.validator_for(schema)(schema)


def test_there_are_35_contracts():
    assert len(FILES) == 35
    assert set(contracts.load()) == {path.stem for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_contract_follows_the_open_data_contract_standard(standard, path):
    problems = [e.message for e in standard.iter_errors(yaml.safe_load(path.read_text(encoding="utf-8")))]
    assert problems == []


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


def _copy(tmp_path, entity, change):
    text = (settings.CONTRACTS / f"{entity}.yml").read_text(encoding="utf-8")
    changed = change(text)
    assert changed != text
    (tmp_path / f"{entity}.yml").write_text(changed, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("entity", "change", "message"),
    [
        (
            "list_item",
            lambda t: t.replace("value: period_kind", "value: no_such_set"),
            r"list_item\.yml:\d+: list_item\.period_kind: code set",
        ),
        (
            "enterprise",
            lambda t: t.replace("primaryKey: true", "unique: true").replace(
                "primaryKeyPosition: 1", "description: x"
            ),
            "no primary key",
        ),
        ("enterprise", lambda t: t.replace("name: enterprise", "name: firm"), "name file and contract alike"),
        ("honour", lambda t: t.replace("businessName: 荣誉\n", "\n"), "businessName"),
        ("degree_point", lambda t: t, "does not exist"),
    ],
    ids=["unknown code set", "no key", "wrong name", "no label", "unknown parent"],
)
def test_a_bad_contract_is_refused_by_name(tmp_path, entity, change, message):
    text = (settings.CONTRACTS / f"{entity}.yml").read_text(encoding="utf-8")
    (tmp_path / f"{entity}.yml").write_text(change(text), encoding="utf-8")
    with pytest.raises(contracts.ContractError, match=message):
        contracts.load(tmp_path)


def test_a_circle_of_references_is_refused(tmp_path):
    def points_to(text, entity, other):
        first = yaml.safe_load(text)["schema"][0]["properties"][0]["name"]
        return text.replace(
            "    properties:\n",
            f"    relationships:\n      - {{type: foreignKey, from: {entity}.{first}, to: {other}}}\n    properties:\n",
            1,
        )

    _copy(tmp_path, "list_item", lambda t: points_to(t, "list_item", "talent_demand.demand_id"))
    _copy(tmp_path, "talent_demand", lambda t: points_to(t, "talent_demand", "list_item.list_item_id"))
    with pytest.raises(contracts.ContractError, match="circle"):
        contracts.load(tmp_path)
