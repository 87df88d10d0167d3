"""The project's shape, read from its manifest: layers, contracts, descriptions, tests, documentation in step."""

import re
from collections import defaultdict

import pytest

from yuyan import settings
from yuyan.domain import contracts

MAY_READ = {
    "star": {"accepted", "star", "seed", "ops"},  # ops: what was collected when
    "indicators": {"star", "indicators", "seed"},
    "marts": {
        "star",
        "indicators",
        "marts",
        "seed",
        "quality",
        "ops",
        "estimates",
        "allocation",
        "changes",
        "accountability",
    },  # assess, estimate and changes come before
}
PREFIXES = {
    "star": ("dim_", "fct_", "bridge_"),
    "indicators": ("ind_",),
    "marts": ("",),
}
PUBLISHED = ("star", "indicators", "marts")
CITY_WIDE = {
    "fct_talent_demand",
    "fct_list_milestone",
    "fct_list_stage",
    "fct_list_item_year",
    "fct_demand_cluster_year",
    "bridge_discipline_cluster",
    "bridge_key_cluster",
}
CLOCKS = re.compile(
    r"\b(now|current_date|current_timestamp|localtimestamp|clock_timestamp|getdate|run_started_at)\b", re.I
)


@pytest.fixture(scope="module")
def models(manifest) -> dict[str, list[dict]]:
    """Layer -> its models."""
    layers = defaultdict(list)
    for node in manifest["nodes"].values():
        if node["resource_type"] == "model":
            layers[node["fqn"][1]].append(node)
    return layers


@pytest.fixture(scope="module")
def tests_of(manifest) -> dict[str, set[str]]:
    """Model id -> names of the generic tests attached to it."""
    attached = defaultdict(set)
    for node in manifest["nodes"].values():
        if node["resource_type"] == "test" and node["attached_node"]:
            attached[node["attached_node"]].add(node["test_metadata"]["name"])
    return attached


def test_every_layer_has_models_and_there_is_no_other(models):
    assert set(models) == set(MAY_READ)
    assert all(models.values())


@pytest.mark.parametrize("layer", MAY_READ)
def test_a_layer_reads_only_what_is_left_of_it(layer, models, manifest):
    def kind(unique_id: str) -> str:
        resource, _, name = unique_id.split(".")[:3]
        if resource == "source":
            return name
        return manifest["nodes"][unique_id]["fqn"][1] if resource == "model" else resource

    reads = {(m["name"], parent) for m in models[layer] for parent in m["depends_on"]["nodes"]}
    assert reads
    assert {(name, parent) for name, parent in reads if kind(parent) not in MAY_READ[layer]} == set()


@pytest.mark.parametrize("layer", MAY_READ)
def test_models_are_named_for_their_layer_and_live_in_its_schema(layer, models):
    assert [m["name"] for m in models[layer] if not m["name"].startswith(PREFIXES[layer])] == []
    assert {m["schema"] for m in models[layer]} == {layer}


@pytest.mark.parametrize("layer", PUBLISHED)
def test_published_models_are_under_contract_and_described_to_the_last_column(layer, models):
    for model in models[layer]:
        assert model["config"]["contract"]["enforced"], model["name"]
        assert model["description"].strip(), model["name"]
        assert model["columns"], model["name"]
        bare = [
            c["name"] for c in model["columns"].values() if not c["description"].strip() or not c["data_type"]
        ]
        assert bare == [], model["name"]


@pytest.mark.parametrize("layer", PUBLISHED)
def test_descriptions_reach_the_database(layer, models):
    assert {
        (m["config"]["persist_docs"]["relation"], m["config"]["persist_docs"]["columns"])
        for m in models[layer]
    } == {(True, True)}


@pytest.mark.parametrize("layer", MAY_READ)
def test_no_model_reads_the_clock(layer, models):
    assert [m["name"] for m in models[layer] if CLOCKS.search(m["raw_code"])] == []


def test_no_macro_reads_the_clock(manifest):
    own = [m for m in manifest["macros"].values() if m["package_name"] == "yuyan"]
    assert own
    assert [m["name"] for m in own if CLOCKS.search(m["macro_sql"])] == []


def test_every_table_has_its_key(models):
    tables = [m for layer in MAY_READ for m in models[layer] if m["config"]["materialized"] == "table"]
    assert len(tables) > 200
    keyless = {m["name"] for m in tables if [c["type"] for c in m["constraints"]] != ["primary_key"]}
    assert keyless == set()


def test_what_the_star_hands_on_to_be_added_up_is_exact(models):
    kinds = {c["data_type"] for m in models["star"] for c in m["columns"].values()}
    assert {"integer", "numeric(19,18)"} <= kinds
    assert kinds & {"double precision", "float8", "real", "float4", "float"} == set()


def test_every_fact_has_its_keys_tested(models, tests_of):
    for model in models["star"]:
        if not model["name"].startswith("dim_"):
            assert "keys_resolve" in tests_of[model["unique_id"]], model["name"]
        if any(
            c["name"] == "is_current" and "valid_from" in model["columns"] for c in model["columns"].values()
        ):
            assert (
                model["name"] == "dim_geography" or "versions_are_consistent" in tests_of[model["unique_id"]]
            ), model["name"]


def test_every_key_of_a_star_table_is_checked_against_its_dimension(models, manifest):
    """A `_key` column is the table's own key or one of those that keys_resolve names."""
    checked = {
        node["attached_node"]: set(node["test_metadata"]["kwargs"]["keys"])
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test" and node["test_metadata"]["name"] == "keys_resolve"
    }
    for model in models["star"]:
        own = {model["name"].removeprefix("dim_") + "_key", "person_key", "expert_key"}
        keys = {
            c["name"]
            for c in model["columns"].values()
            if c["name"].endswith("_key") and c["data_type"] == "text"
        } - own
        assert keys - checked.get(model["unique_id"], set()) == set(), model["name"]


def test_a_key_is_looked_up_by_the_primary_key_of_its_dimension(models, manifest):
    """keys_resolve joins each dimension to a fact: by anything else facts would be doubled."""
    primary = {m["name"]: c["columns"] for m in models["star"] for c in m["constraints"]}
    looked_up = {
        target
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test" and node["test_metadata"]["name"] == "keys_resolve"
        for target in node["test_metadata"]["kwargs"]["keys"].values()
    }
    assert looked_up
    assert {t for t in looked_up if primary[t.split(".")[0]] != t.split(".")[1:]} == set()


def test_every_fact_names_the_institution_of_its_record(models):
    facts = [m for m in models["star"] if not m["name"].startswith("dim_") and m["name"] not in CITY_WIDE]
    assert facts
    assert [m["name"] for m in facts if not {"inst_code", "institution_key"} <= set(m["columns"])] == []


def test_the_star_may_read_every_entity_and_its_history(manifest):
    """The source file follows from the contracts; accepted and its version views are in the database for each."""
    accepted = {s["name"] for s in manifest["sources"].values() if s["source_name"] == "accepted"}
    assert accepted == {e + end for e in contracts.load() for end in ("", "_versions")}


def test_no_test_is_dropped_because_it_names_what_is_not_there(manifest):
    """dbt keeps such a test out of every run with a warning; dbt_project.yml makes it an error."""
    assert manifest["disabled"] == {}
    tests = [n for n in manifest["nodes"].values() if n["resource_type"] == "test"]
    assert tests
    lost = [
        t["name"]
        for t in tests
        if len({str(named) for named in (*t["refs"], *t["sources"])}) > len(t["depends_on"]["nodes"])
    ]
    assert lost == []


def test_sql_is_written_alike():
    """Lower-case keywords, no tabs, no trailing blanks, a final newline (a linter with a template engine costs a minute)."""
    files = [
        p for folder in ("models", "macros", "tests") for p in (settings.DBT_PROJECT / folder).rglob("*.sql")
    ]
    assert files
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert text.endswith("\n"), path
        assert not re.search(
            r"\t|[ \t]+$|\b(SELECT|FROM|WHERE|JOIN|WITH|CASE|GROUP BY|ORDER BY)\b", text, re.M
        ), path


HOLDS = {
    "integer": r"-?\d+",
    "bigint": r"-?\d+",
    "date": r"\d{4}-\d\d-\d\d",
    "boolean": r"(?i)true|false",
}


def test_no_unit_test_expects_what_its_column_cannot_hold(manifest):
    """dbt casts expected cells to the column's type before it compares: 1.4 would pass for 1, any hour for a date."""
    types = {
        n["name"]: {c["name"]: c["data_type"] or "" for c in n["columns"].values()}
        for n in manifest["nodes"].values()
        if n["resource_type"] == "model"
    }
    compared, wrong = 0, []
    for test in manifest["unit_tests"].values():
        for row in test["expect"]["rows"]:
            for column, value in row.items():
                kind = types[test["model"]].get(column, "")
                text = "" if value is None else str(value)
                if scale := re.fullmatch(r"numeric\(\d+,(\d+)\)", kind):
                    pattern = rf"-?\d+(\.\d{{0,{scale[1]}}}0*)?"
                elif not (pattern := HOLDS.get(kind)):
                    continue
                compared += bool(text)
                if text and not re.fullmatch(pattern, text):
                    wrong.append((test["name"], column, kind, text))
    assert compared > 100
    assert wrong == []


def test_what_later_layers_read_is_analysed(models):
    """A table without statistics is planned by its size alone; indicator_value then takes minutes, not seconds."""
    tables = [
        m for layer in ("star", "indicators") for m in models[layer] if m["config"]["materialized"] == "table"
    ]
    assert len(tables) > 50
    hooks = {m["name"]: [hook["sql"] for hook in m["config"]["post-hook"]] for m in tables}
    assert [name for name, sql in hooks.items() if not any("analyze {{ this }}" in one for one in sql)] == []
