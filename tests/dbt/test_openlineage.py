"""What dbt built, told to others: OpenLineage events with the lineage of every column, and dbt's own page."""

import json
import stat
import threading
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psycopg
import pytest
from sqlglot.schema import MappingSchema

from yuyan import openlineage, transform

pytestmark = pytest.mark.database

DAY = date(2026, 10, 15)
KNOWN = MappingSchema(
    {"w": {"star": {"t": dict.fromkeys(("a", "b", "k"), "text"), "u": dict.fromkeys(("k", "c"), "text")}}}
)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ('select a + b as s, 1 as one from "w"."star"."t"', {"s": {("t", "a"), ("t", "b")}, "one": set()}),
        ("with x as (select * from w.star.t) select x.k, u.c from x join w.star.u using (k)",
         {"k": {("t", "k")}, "c": {("u", "c")}}),
        ("select a as v from w.star.t union all select c from w.star.u", {"v": {("t", "a"), ("u", "c")}}),
        ("select k, count(*) as n, max(b) filter (where a is not null) as m from w.star.t group by k",
         {"k": {("t", "k")}, "n": set(), "m": {("t", "a"), ("t", "b")}}),
    ],
    ids=["expression", "cte", "union", "aggregate"],
)  # fmt: skip
def test_a_column_is_made_of_those_it_is_computed_from(sql, expected):
    found = openlineage.made_of(sql, KNOWN)
    assert {name: {source[1:] for source in sources} for name, sources in found.items()} == expected


@pytest.fixture(scope="module")
def documented(built_dsn, dbt_home, tmp_path_factory) -> Path:
    """dbt's page about the built layers; making it compiles every model."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YUYAN_HOME", str(dbt_home))
        patch.setenv("YUYAN_WAREHOUSE_DSN", built_dsn)
        return transform.write_docs(tmp_path_factory.mktemp("docs"), DAY)


@pytest.fixture(scope="module")
def events(documented, built_dsn, dbt_home, tmp_path_factory) -> list[dict]:
    """Those of all models, made from the SQL that dbt compiled."""
    target = tmp_path_factory.mktemp("lineage") / "events" / "lineage.jsonl"
    nodes = json.loads((dbt_home / "dbt" / "manifest.json").read_text(encoding="utf-8"))["nodes"].values()
    models = [
        openlineage.Model(n["unique_id"], n["schema"], n["alias"], n["compiled_code"], datetime.now(UTC))
        for n in nodes
        if n["resource_type"] == "model"
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YUYAN_WAREHOUSE_DSN", built_dsn)
        patch.setenv(openlineage.VARIABLE, str(target))
        assert openlineage.emit(models, "star", "run-1", DAY) == len(models) > 100
    return [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]


def test_the_models_are_documented_on_a_page_that_asks_nobody(documented, built_dsn):
    page = documented.read_text(encoding="utf-8")
    assert page.index("connect-src 'none'") < page.index("<script")
    for known in ("fct_enrolment_census", "indicator_value", json.dumps("学籍")[1:-1]):
        assert known in page
    assert stat.S_IMODE(documented.stat().st_mode) == 0o600


def test_every_column_of_every_table_has_its_lineage(events, built_dsn):
    with psycopg.connect(built_dsn) as connection:
        held: dict[str, set[str]] = {}
        for schema, table, column in connection.execute(
            "select table_schema, table_name, column_name from information_schema.columns "
            "where table_schema in ('star', 'indicators', 'marts')"
        ):
            held.setdefault(f"{schema}.{table}", set()).add(column)
    wrong = []
    for event in events:
        (output,) = event["outputs"]
        name = output["name"].split(".", 1)[1]
        fields = output["facets"].get("columnLineage", {"fields": {}})["fields"]
        if name in held and set(fields) != held[name]:
            wrong.append((name, sorted(held[name] ^ set(fields))[:5]))
        read = {source["name"] for source in event["inputs"]}
        assert {f["name"] for field in fields.values() for f in field["inputFields"]} <= read, name
    assert wrong == []


def test_an_event_is_what_the_standard_asks_for(events):
    for event in events:
        assert {
            "eventType",
            "eventTime",
            "producer",
            "schemaURL",
            "run",
            "job",
            "inputs",
            "outputs",
        } == event.keys()
        assert event["eventType"] == "COMPLETE"
        assert datetime.fromisoformat(event["eventTime"]).tzinfo
        facets = [
            *event["run"]["facets"].values(), *event["job"]["facets"].values(),
            *(f for d in event["outputs"] for f in d["facets"].values()),
        ]  # fmt: skip
        assert all(f["_producer"] and f["_schemaURL"].startswith(openlineage.SPEC) for f in facets)
    assert len({event["run"]["runId"] for event in events}) == len(events)
    assert len({event["run"]["facets"]["parent"]["run"]["runId"] for event in events}) == 1


@pytest.fixture
def receiver():
    """A server that keeps what is posted and answers with a status that may be changed: (address, posted, answers)."""
    posted, answers = [], [201]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(answers[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/api/v1/lineage", posted, answers
    server.shutdown()
    server.server_close()
    thread.join()


def test_events_are_posted_and_a_receiver_that_refuses_stops_nothing(receiver, built, monkeypatch, caplog):
    address, posted, answers = receiver
    monkeypatch.setenv(openlineage.VARIABLE, address)
    model = openlineage.Model(
        "model.yuyan.x", "marts", "x", "select 1 as one", datetime.now(UTC), "no such column"
    )
    assert openlineage.emit([model], "marts", "run-1", DAY) == 1
    assert [(e["eventType"], e["run"]["facets"]["errorMessage"]["message"]) for e in posted] == [
        ("FAIL", "no such column")
    ]
    answers[0] = 400
    assert openlineage.emit([model], "marts", "run-1", DAY) == 0
    assert "没有收到 marts 层的 1 个 OpenLineage 事件" in caplog.text


def test_nothing_is_sent_unless_it_is_wanted(monkeypatch, tmp_path: Path):
    monkeypatch.delenv(openlineage.VARIABLE, raising=False)
    assert not openlineage.is_wanted()
