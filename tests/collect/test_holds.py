"""Sources that lose or repeat their data, over real sockets and files: nothing moves until somebody has decided."""

import hashlib
import json
import secrets
from datetime import date
from types import SimpleNamespace
from urllib.parse import urlsplit

import fake_platforms as fake
import psycopg
import pytest
from psycopg import sql
from small_world import SOUND, Raw
from typer.testing import CliRunner

from yuyan import runs
from yuyan.collect import landing
from yuyan.commands.cli import app
from yuyan.domain import contracts
from yuyan.load.run import collect_institution
from yuyan.validate import run as validation
from yuyan_demo.runtime import postgres, services

DAYS = [date(2026, 10, day) for day in range(15, 25)]
UNIT = contracts.load()["org_unit"]

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("patience")]


class Line:
    """Collects and judges one institution day by day."""

    def __init__(self, dsn: str, inst_code: str, entities: list[str]) -> None:
        self.dsn, self.inst_code, self.entities, self.day = dsn, inst_code, entities, 0

    def next_day(self, **how) -> dict:
        """Collect and judge; returns what the collection returned."""
        self.day += 1
        result = collect_institution(
            self.inst_code, f"collect-{self.day}", DAYS[self.day - 1], self.entities, **how
        )
        validation.validate(f"warehouse-{self.day}", DAYS[self.day - 1], ["institution", "org_unit"])
        return result

    def fetch(self, query: str, *parameters) -> list[tuple]:
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(query, parameters or None).fetchall()

    def published(self, entity: str = "org_unit") -> tuple:
        """What must not move while a hold waits."""
        watermark = "select src_inst_code, cursor_value from ops.watermark where entity = %s order by 1"
        return (
            self.fetch(f"select t::text from accepted.{entity} t order by 1"),
            self.fetch(f"select t::text from raw.{entity} t order by 1"),
            self.fetch("select count(*) from quality.quarantine where entity = %s", entity),
            self.fetch(watermark, entity),
        )

    def outcome(self, entity: str = "org_unit") -> tuple:
        """outcome and message of the day's collection."""
        query = "select outcome, error from ops.collection_result where run_id = %s and entity = %s"
        return self.fetch(query, f"collect-{self.day}", entity)[0]

    def holds(self) -> list[tuple]:
        columns = "hold_id, entity, kind, live_rows, affected_rows, state, run_id, last_run_id"
        return self.fetch(f"select {columns} from quality.hold order by 1")


@pytest.fixture
def institution_known(warehouse) -> str:
    """The warehouse, with the university in the commission's list, so that its units can be accepted."""
    raw = Raw(warehouse)
    raw.put(*raw.institutions("10611", "10643", "10647"))
    raw.connection.close()
    return warehouse


@pytest.fixture
def command(warehouse, monkeypatch):
    """Run `yuyan …`; returns what it printed."""
    monkeypatch.setattr(services, "load", lambda home: SimpleNamespace(warehouse_dsn=warehouse))

    def run(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == code, result.output
        return result.output

    return run


def units(numbers, version: int = 1, **more) -> list[dict]:
    """Sound org_units as rest-versioned sends them."""
    sound = {k: v for k, v in SOUND["org_unit"].items() if k not in ("inst_code", "unit_code")}
    return [fake.unit(i, version=version, **(sound | more)) for i in numbers]


def test_a_platform_that_empties_an_entity(institution_known, versioned, command, monkeypatch):
    line = Line(institution_known, "10611", ["org_unit", "student"])
    versioned.records["org_unit"] = units(range(30))
    versioned.records["student"] = [fake.student(i) for i in range(5)]
    line.next_day()
    assert len(line.published()[0]) == 30
    before = line.published()

    versioned.records["org_unit"] = units(range(30), 50, _deleted=True)
    versioned.records["student"] += [fake.student(9, change_version=51)]
    result = line.next_day()
    assert (result["outcome"], result["failed"], result["held"]) == ("partial", [], ["org_unit"])
    assert line.published() == before
    assert line.fetch("select count(*) from raw.student") == [(6,)]  # the others go on
    outcome, error = line.outcome()
    assert outcome == "held"
    assert "10611 org_unit：暂缓 1（清空）：仓库有 30 条有效记录，来源将使其中 30 条终止" in error
    assert "hold 1 (emptied): 30 of 30 live records affected, not applied" in error
    assert line.fetch("select source_count, warehouse_count, action from ops.count_check where run_id = 'collect-2' "
                      "and entity = 'org_unit'") == [(0, 30, "still_different")]  # fmt: skip
    runs.open_run("collect-2", "collect", DAYS[1])
    alerts = []
    monkeypatch.setattr(runs.log, "error", alerts.append)
    runs.finish_collection("collect-2", ["10611"])
    assert line.fetch("select state from ops.run where run_id = 'collect-2'") == [("partial",)]
    assert "1 个单位中 0 个未完成，1 个实体暂缓、等待决定" in alerts[0]
    assert "10611 org_unit：暂缓 1（清空）" in alerts[0]
    assert line.fetch("select detail -> 'held_entities' from ops.stage_result") == [(["10611 org_unit"],)]
    ((uris,),) = line.fetch("select landing_uris from quality.hold")
    assert landing.find(uris[0]).manifest["rows"] == {"deletes": 30}

    line.next_day()  # nobody has decided: the same hold, not another
    assert line.published() == before
    assert line.holds() == [(1, "org_unit", "emptied", 30, 30, "waiting", "collect-2", "collect-3")]
    assert "清空" in command("hold", "list")
    assert "不是登记的数据管理员" in command(
        "hold", "reject", "1", "--as", "nobody", "--reason", "x", "--as-of", "2026-10-17", code=1
    )
    assert "市教委" in command(
        "hold", "accept", "1", "--as", "data-10611-1", "--reason", "x", "--as-of", "2026-10-17", code=1
    )
    command("hold", "reject", "1", "--as", "jw-data-1", "--reason", "误删 [见函]", "--as-of", "2026-10-17")
    line.next_day()
    assert line.published() == before
    assert "jw-data-1 已于 2026-10-17 不认可（误删 [见函]）" in line.outcome()[1]

    versioned.records["org_unit"] = units(range(30), 60)
    result = line.next_day()
    assert (result["held"], line.outcome()) == ([], ("success", None))
    assert line.published()[0] == before[0]
    assert line.published()[3] != before[3]  # the watermark has caught up
    assert line.holds() == [(1, "org_unit", "emptied", 30, 30, "withdrawn", "collect-2", "collect-4")]
    assert command("hold", "list").strip() == "没有暂缓的批次"
    shown = command("hold", "show", "1")
    assert all(
        text in shown
        for text in ("暂缓 1（10611 org_unit）", "来源已恢复", "jw-data-1 2026-10-17：误删 [见函]")
    )
    shown = json.loads(command("hold", "show", "1", "--json"))
    assert [(e["actor"], e["to_state"], e["reason"]) for e in shown["events"]] == [
        ("yuyan", "waiting", "清空：仓库有 30 条有效记录，其中 30 条受影响"),
        ("jw-data-1", "rejected", "误删 [见函]"),
        ("yuyan", "withdrawn", "来源已恢复正常，不再需要决定"),
    ]


@pytest.fixture
def exchange(pg_home, connect):
    """An exchange database of 10643 on a real server; yields a connection to it."""
    name = f"exchange_{secrets.token_hex(4)}"
    dsn = postgres.create_database(pg_home, name)
    url = urlsplit(dsn)
    connect(
        "10643", conn_type="postgres", host=url.hostname, port=url.port, login=url.username, password=url.password,
        schema=name,
    )  # fmt: skip
    with psycopg.connect(dsn, autocommit=True) as connection:
        fields = ", ".join(f"f_{f.name} text" for f in UNIT.supplied)
        connection.execute(
            "create schema exchange; create table exchange.v_org_unit "
            f"(record_id text primary key, update_time timestamp, is_del int, {fields})"
        )
        yield connection
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as admin:
        admin.execute(f"drop database {name} with (force)")


def fill(exchange: psycopg.Connection, numbers) -> None:
    for i in numbers:
        row = SOUND["org_unit"] | {"inst_code": "10643", "unit_code": f"{i:03d}", "is_entity": "1"}
        values = {f"f_{name}": value for name, value in row.items()}
        values |= {"record_id": f"u{i:03d}", "update_time": "2026-10-14 08:00:00", "is_del": 0}
        exchange.execute(
            sql.SQL("insert into exchange.v_org_unit ({}) values ({})").format(
                sql.SQL(", ").join(map(sql.Identifier, values)),
                sql.SQL(", ").join([sql.Placeholder()] * len(values)),
            ),
            list(values.values()),
        )


def test_an_exchange_database_that_is_halved(institution_known, exchange, command):
    """First by deletions it reports, then silently: a complete listing shows it, since the counts differ."""
    line = Line(institution_known, "10643", ["org_unit"])
    fill(exchange, range(50))
    line.next_day()
    before = line.published()
    assert len(before[0]) == 50

    halve = (
        "update exchange.v_org_unit set is_del = 1, update_time = '2026-10-16 01:00' where record_id < 'u026'"
    )
    exchange.execute(halve)
    line.next_day()
    assert line.published() == before
    assert line.holds() == [(1, "org_unit", "shrunk", 50, 26, "waiting", "collect-2", "collect-2")]
    said = command(
        "hold", "accept", "1", "--as", "jw-data-1", "--reason", "院系合并", "--as-of", "2026-10-16"
    )
    assert "至多 26 条" in said
    assert line.next_day()["held"] == []
    assert len(line.published()[0]) == 24
    assert line.holds() == [(1, "org_unit", "shrunk", 50, 26, "applied", "collect-2", "collect-3")]
    deletions = line.fetch(
        "select distinct reason, hold_id, is_gone, as_of from quality.deletion where entity = 'org_unit'"
    )
    assert deletions == [("source", 1, True, DAYS[2])]

    before = line.published()
    exchange.execute("delete from exchange.v_org_unit where record_id < 'u040'")
    line.next_day()
    line.next_day()
    assert line.published() == before
    assert line.holds()[1:] == [(2, "org_unit", "shrunk", 24, 14, "waiting", "collect-4", "collect-5")]
    fill(exchange, range(30, 40))
    line.next_day()
    assert line.holds()[1][5] == "withdrawn"
    assert [k for (k,) in line.fetch("select src_record_id from accepted.org_unit order by 1")] == [
        f"u{i:03d}" for i in range(30, 50)
    ]
    reasons = line.fetch(
        "select reason, hold_id, count(*) from quality.deletion where entity = 'org_unit' group by 1, 2 order by 1"
    )
    assert reasons == [("missing", None, 4), ("source", 1, 26)]


def test_a_delivery_of_last_month_again(institution_known, connect, tmp_path, command):
    line = Line(institution_known, "10647", ["org_unit"])
    connect("10647", conn_type="fs", extra={"path": str(tmp_path / "deliveries")})

    def deliver(sequence: int, numbers, name: str) -> None:
        folder = tmp_path / "deliveries" / str(sequence)
        folder.mkdir(parents=True)
        row = SOUND["org_unit"] | {"inst_code": "10647", "unit_name": name, "is_entity": "是"}
        header = ["记录编号", *(f.label for f in UNIT.supplied)]
        rows = [
            [f"r{i:03d}", *((row | {"unit_code": f"{i:03d}"}).get(f.name, "") for f in UNIT.supplied)]
            for i in numbers
        ]
        text = "\r\n".join(",".join(cells) for cells in [header, *rows]) + "\r\n"
        (folder / "u.csv").write_bytes(text.encode("gb18030"))
        entry = {
            "entity": "org_unit",
            "ref_period": "all",
            "file": "u.csv",
            "format": "csv",
            "encoding": "gb18030",
        }
        entry |= {"rows": len(rows), "sha256": hashlib.sha256((folder / "u.csv").read_bytes()).hexdigest()}
        manifest = {"producer": "x", "schema_version": "1.0.0", "sequence": sequence, "files": [entry]}
        (folder / "manifest.json").write_text(json.dumps(manifest))

    deliver(202609, range(30), "旧名")
    line.next_day()
    deliver(202610, range(32), "新名")
    line.next_day()
    before = line.published()
    assert len(before[0]) == 32
    deliver(202611, range(30), "旧名")  # September under November's number
    line.next_day()
    assert line.published() == before
    assert line.outcome()[0] == "held"
    assert line.holds() == [(1, "org_unit", "repeated", 32, 32, "waiting", "collect-3", "collect-3")]
    deliver(202612, range(30), "旧名")  # and once more: what is held is not taken for something loaded
    line.next_day()
    assert line.published() == before
    assert line.outcome()[0] == "held"
    assert line.holds() == [(1, "org_unit", "repeated", 32, 32, "waiting", "collect-3", "collect-4")]
    assert line.next_day(full=True)["held"] == ["org_unit"]  # a full collection does not get round it
    assert line.published() == before
    deliver(202701, range(33), "新名")
    line.next_day()
    assert line.outcome()[0] == "success"
    assert len(line.published()[0]) == 33
    assert line.holds()[0][5] == "withdrawn"


def test_a_hold_is_recorded_whatever_happens_afterwards(institution_known, versioned, monkeypatch):
    line = Line(institution_known, "10611", ["org_unit", "student"])
    versioned.records["org_unit"] = units(range(30))
    line.next_day()
    before = line.published()
    versioned.records["org_unit"] = units(range(30), 50, _deleted=True)
    versioned.records["student"] = [fake.student(0)]

    def broken(*_):
        raise ValueError("a defect of ours")

    with monkeypatch.context() as patch:
        patch.setattr("yuyan.load.entity_load.live_count", broken)
        result = line.next_day()
    assert line.published() == before
    assert line.holds() == [(1, "org_unit", "emptied", 30, 30, "waiting", "collect-2", "collect-2")]
    outcome, error = line.outcome()
    assert outcome == "failed"
    assert "暂缓 1（清空）" in error
    assert "ValueError" in error
    assert "student" in result["failed"]
    line.next_day()
    assert line.outcome()[0] == "held"
    assert line.holds()[0][5:] == ("waiting", "collect-2", "collect-3")
    assert line.published() == before


def test_a_defect_withdraws_no_hold_and_stops_no_other_entity(institution_known, versioned, monkeypatch):
    line = Line(institution_known, "10611", ["org_unit", "student"])
    versioned.records["org_unit"] = units(range(30))
    line.next_day()
    versioned.records["org_unit"] = units(range(30), 50, _deleted=True)
    line.next_day()
    versioned.records["org_unit"] = units(range(30), 60)
    versioned.records["student"] = [fake.student(0)]

    def broken(*_):
        raise ValueError("a defect of ours")

    with monkeypatch.context() as patch:
        patch.setattr("yuyan.decisions.holds.withdraw", broken)
        assert line.next_day()["failed"] == ["org_unit"]
    assert "ValueError" in line.outcome()[1]
    assert line.outcome("student") == ("success", None)
    assert line.holds()[0][5] == "waiting"
    line.next_day()
    assert line.holds()[0][5] == "withdrawn"
