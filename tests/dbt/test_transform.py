"""run_layer: what a failure says, what it leaves behind, and that the layer can simply be run again."""

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import tiny
import yaml
from dbt.adapters.postgres import connections

from yuyan import openlineage, settings, transform

pytestmark = pytest.mark.database


@pytest.fixture
def told(monkeypatch, tmp_path) -> Path:
    """The file to which a layer's OpenLineage events go."""
    monkeypatch.setenv(openlineage.VARIABLE, str(tmp_path / "events.jsonl"))
    return tmp_path / "events.jsonl"


def test_a_failed_node_is_named_recorded_and_gone_after_the_next_attempt(built, monkeypatch, told):
    monkeypatch.setitem(transform.SELECTIONS, "star", ("dim_urgent_list",))
    columns = "(src_inst_code, src_record_id, raw_id, batch_id, list_id)"
    insert = f"insert into accepted.urgent_discipline_list {columns} values (%s, %s, 0, '', 'L')"
    built.execute(insert, [tiny.CITY, "twice-1"])
    built.execute(insert, [tiny.CITY, "twice-2"])
    built.commit()
    with pytest.raises(transform.TransformFailed) as failure:
        transform.run_layer("star", "again", tiny.AS_OF)
    for part in (
        "layer star",
        "dim_urgent_list (model, error)",
        "Key (urgent_list_id)=(L) is duplicated",
        "key rule",
    ):
        assert part in str(failure.value)
    outcomes = (
        "select node_id, resource_type, status, rows_affected from ops.model_result where run_id = 'again'"
    )
    assert ("model", "error", None) in [row[1:] for row in built.execute(outcomes).fetchall()]
    assert built.execute(
        "select count(*) from star.dim_urgent_list where urgent_list_id = 'L'"
    ).fetchone() == (0,)

    built.execute("delete from accepted.urgent_discipline_list where src_record_id like 'twice%'")
    built.commit()
    summary = transform.run_layer("star", "again", tiny.AS_OF)
    assert (summary["models"], summary["seeds"], summary["tests"], summary["warnings"]) == (1, 0, 0, 0)
    assert {row[2] for row in built.execute(outcomes).fetchall()} == {"success"}
    first, second = (json.loads(line) for line in told.read_text(encoding="utf-8").splitlines())
    for event, kind in ((first, "FAIL"), (second, "COMPLETE")):
        assert (event["eventType"], event["job"]["name"]) == (kind, "star.dim_urgent_list")
    assert first["eventTime"] < second["eventTime"]
    (output,) = second["outputs"]
    fields = output["facets"]["columnLineage"]["fields"]
    table = built.execute("select * from star.dim_urgent_list limit 0")
    assert set(fields) == {column.name for column in table.description}
    (source,) = fields["urgent_list_id"]["inputFields"]
    assert (source["name"].split(".", 1)[1], source["field"]) == (
        "accepted.urgent_discipline_list",
        "list_id",
    )


@pytest.mark.parametrize(
    ("select", "said"),
    [
        ("made.*, 1 as more", r"gives \d+ columns, its contract has \d+"),
        ("{others}, 1 as urgent_list_id", "urgent_list_id is integer, contract text"),
    ],
)
def test_sql_that_breaks_the_contract_of_its_model_is_refused(built, monkeypatch, told, select, said):
    parsed = transform._kept()
    node = parsed.nodes["model.yuyan.dim_urgent_list"]
    others = ", ".join(column for column in node.columns if column != "urgent_list_id")
    node.raw_code = f"select {select.format(others=others)} from ({node.raw_code}) as made"
    monkeypatch.setattr(transform, "_kept", lambda beside: parsed)
    monkeypatch.setitem(transform.SELECTIONS, "star", ("dim_urgent_list",))
    rows = built.execute("select count(*) from star.dim_urgent_list").fetchone()
    built.commit()
    with pytest.raises(transform.TransformFailed, match=f"dim_urgent_list .*contract.*{said}"):
        transform.run_layer("star", "broken", tiny.AS_OF)
    assert built.execute("select count(*) from star.dim_urgent_list").fetchone() == rows
    event = json.loads(told.read_text(encoding="utf-8"))
    assert event["eventType"] == "FAIL"
    assert re.search(said, event["run"]["facets"]["errorMessage"]["message"])
    built.commit()


def test_seeds_are_loaded_only_where_they_are_not_those_of_the_warehouse(built, monkeypatch, tmp_path):
    monkeypatch.setitem(transform.SELECTIONS, "star", (transform.SEEDS, "dim_urgent_list"))
    assert transform.run_layer("star", "seeds", tiny.AS_OF)["seeds"] == 0
    shutil.copytree(settings.SEEDS, tmp_path / "seeds")
    with (tmp_path / "seeds" / "reference" / "code.csv").open("a", encoding="utf-8") as file:
        file.write("another,1,另一个,\n")
    before = transform._seeds_digest()
    monkeypatch.setattr(settings, "SEEDS", tmp_path / "seeds")
    assert transform._loaded_seeds() == before != transform._seeds_digest()
    built.execute("alter table reference.code rename to code_away")
    built.commit()
    assert transform._loaded_seeds() is None
    built.execute("alter table reference.code_away rename to code")
    built.commit()


def test_seeds_of_a_layer_that_failed_are_not_taken_for_those_that_are_put_back(built, monkeypatch, tmp_path):
    monkeypatch.setitem(transform.SELECTIONS, "star", (transform.SEEDS, "dim_urgent_list"))
    before = transform._loaded_seeds()
    assert before == transform._seeds_digest()
    failed = SimpleNamespace(result=None, success=False, exception=RuntimeError("a model broke"))
    with monkeypatch.context() as patch:
        patch.setattr(transform, "invoke", lambda *_: failed)
        patch.setattr(transform, "_seeds_digest", lambda: "another release")
        with pytest.raises(transform.TransformFailed):
            transform.run_layer("star", "released", tiny.AS_OF)
    assert transform._loaded_seeds() is None
    transform._note_seeds(before)


def test_a_run_that_dbt_never_started_says_what_to_check(monkeypatch):
    refused = SimpleNamespace(result=None, success=False, exception=ConnectionError("connection refused"))
    monkeypatch.setattr(transform, "invoke", lambda *_: refused)
    monkeypatch.setattr(transform, "_record", lambda *_: None)
    monkeypatch.setattr(transform, "_loaded_seeds", lambda: None)
    monkeypatch.setattr(transform, "_forget_seeds", lambda: None)
    with pytest.raises(
        transform.TransformFailed, match=r"layer star.*connection refused.*YUYAN_WAREHOUSE_DSN"
    ):
        transform.run_layer("star", "none", tiny.AS_OF)


def test_the_environment_is_left_as_it_was(built, monkeypatch):
    monkeypatch.setenv("DBT_HOST", "elsewhere")
    monkeypatch.delenv("DBT_PORT", raising=False)
    with transform._connection_in_environment():
        assert transform.os.environ["DBT_HOST"] == "127.0.0.1"
        assert transform.os.environ["DBT_PORT"].isdigit()
    assert transform.os.environ["DBT_HOST"] == "elsewhere"
    assert "DBT_PORT" not in transform.os.environ


def test_what_was_parsed_serves_every_database_until_the_project_changes(dbt_home, monkeypatch, tmp_path):
    monkeypatch.setenv("YUYAN_HOME", str(dbt_home))
    monkeypatch.setenv("YUYAN_WAREHOUSE_DSN", "postgresql://yuyan:x@127.0.0.1:1/elsewhere")
    kept = transform._kept()
    relations = [getattr(n, "relation_name", None) for n in (*kept.nodes.values(), *kept.sources.values())]
    assert {name.split(".")[0] for name in relations if name} == {'"elsewhere"'}
    shutil.copytree(settings.DBT_PROJECT, tmp_path / "dbt_project")
    monkeypatch.setattr(settings, "DBT_PROJECT", tmp_path / "dbt_project")
    assert transform._kept() is None


@pytest.mark.parametrize(
    ("spoil", "is_parsed_again"),
    [
        (lambda dbt: None, False),
        (lambda dbt: (dbt / "manifest.json").unlink(), True),
        (lambda dbt: (dbt / "manifest.json").write_bytes((dbt / "manifest.json").read_bytes()[:1000]), True),
        (lambda dbt: (dbt / "parsed.msgpack").write_bytes(b"of another project"), True),
    ],
)
def test_what_is_prepared_is_left_and_what_is_missing_or_damaged_is_made(
    parsed, tmp_path, monkeypatch, spoil, is_parsed_again
):
    monkeypatch.setenv("YUYAN_HOME", str(tmp_path))
    parsed(tmp_path)
    spoil(tmp_path / "dbt")
    calls = []
    monkeypatch.setattr(transform, "_parse", lambda day: calls.append(day) or SimpleNamespace(success=True))
    transform.prepare_manifest()
    assert bool(calls) == is_parsed_again


def test_nothing_that_is_parsed_asks_for_what_a_run_brings(manifest):
    """Day, scale and successors are asked for in SQL and macros, which are compiled for each run."""
    brought = re.compile(r"as_of\(|var\(.as_of|simulated_scale|institution_successors")
    for node in (*manifest["nodes"].values(), *manifest["sources"].values()):
        asked = json.dumps(node["unrendered_config"])
        assert brought.search(asked) is None, node["unique_id"]


def test_the_formulas_pass_their_unit_tests(built, manifest):
    """dbt's own unit tests, run here and not in every production run: one at least for every fact made for an indicator."""
    tested = {t["model"] for t in manifest["unit_tests"].values()}
    described = yaml.safe_load(
        (settings.DBT_PROJECT / "models/star/_facts_indicators.yml").read_text(encoding="utf-8")
    )
    formulas = {m["name"] for m in described["models"]}
    assert formulas
    assert formulas - tested == set()
    result = transform.invoke(["test", "--select", "test_type:unit"], tiny.AS_OF)
    outcomes = [r for r in result.result.results if str(r.node.resource_type) == "unit_test"]
    assert [(r.node.name, r.message) for r in outcomes if str(r.status) != "pass"] == []
    assert len(outcomes) == len(manifest["unit_tests"])


def test_connections_are_kept_from_node_to_node_and_closed_at_the_end(built, monkeypatch):
    opened = []

    def connect(**wanted):
        opened.append(psycopg2_connect(**wanted))
        return opened[-1]

    psycopg2_connect = connections.psycopg2.connect
    monkeypatch.setattr(connections.psycopg2, "connect", connect)
    monkeypatch.setenv("DBT_THREADS", "1")
    monkeypatch.setitem(transform.SELECTIONS, "star", ("dim_date", "dim_discipline", "dim_urgent_list"))
    summary = transform.run_layer("star", "kept", tiny.AS_OF)
    of_dbt = [c for c in opened if "application_name=yuyan-dbt" in c.dsn]
    assert summary["models"] == 3
    assert 1 <= len(of_dbt) <= 3, "of the nodes' thread, of the one that lists relations, of the command"
    assert all(c.closed for c in opened)


def test_what_a_commands_hook_did_stays(built, monkeypatch):
    built.execute("comment on schema star is null")
    built.commit()
    monkeypatch.setitem(transform.SELECTIONS, "star", ("dim_urgent_list",))
    transform.run_layer("star", "hooked", tiny.AS_OF)
    (comment,) = built.execute("select obj_description('star'::regnamespace)").fetchone()
    assert comment.startswith("星型模型")
