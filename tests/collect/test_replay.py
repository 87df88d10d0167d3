"""Replays touch what they are asked for and nothing else, and the same one twice changes nothing the second time."""

from datetime import date

import fake_platforms as fake
import psycopg
import pytest
from small_world import SOUND, Raw

from yuyan import runs
from yuyan.domain import catalogue, contracts
from yuyan.load.run import collect_institution
from yuyan.validate import run as validation

DAY = date(2026, 10, 15)
ENTITIES = ["org_unit", "course"]
BOOKKEEPING = ("run_id", "last_run_id", "as_of", "new", "still", "resolved")
"""Columns that say when something was looked at, or what was so when it was looked at before."""

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("patience")]


class TwoUniversities:
    """10611 and 10635 on the same product, with org_units and courses, collected and judged once."""

    def __init__(self, dsn: str, platforms: dict[str, fake.Versioned]) -> None:
        self.dsn, self.platforms, self.runs = dsn, platforms, 0

    def collect(self) -> None:
        for inst_code in self.platforms:
            assert collect_institution(inst_code, "collect-1", DAY, ENTITIES)["failed"] == []

    def judge(self) -> dict:
        self.runs += 1
        return validation.validate(f"judge-{self.runs}", DAY, ["institution", *ENTITIES])

    def replay(self, mode: str, inst_code: str, entities: list[str], since: str | None = None) -> dict:
        """A replay as the DAG does it, and the judgement that follows."""
        self.runs += 1
        runs.open_run(f"replay-{self.runs}", "replay", DAY)
        done = runs.redo(mode, inst_code, f"replay-{self.runs}", entities, since)
        self.judge()
        return done

    def fetch(self, query: str, *parameters) -> list[tuple]:
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(query, parameters or None).fetchall()

    def state(self) -> dict[tuple[str, str, str], tuple]:
        """(table, institution, entity) -> rows and digest of everything that was found about it."""
        found = {}
        with psycopg.connect(self.dsn) as connection:
            tables = connection.execute(
                "select table_schema, table_name, bool_or(column_name = 'entity') from information_schema.columns "
                "where table_schema in ('raw', 'accepted', 'quality') and table_name !~ '_versions$' "
                "and table_name <> 'result' group by 1, 2 having bool_or(column_name = 'src_inst_code')"
            ).fetchall()
            for schema, table, has_entity in tables:
                entity = {"cause": "t.entities[1]"}.get(table, "t.entity" if has_entity else f"'{table}'")
                for inst, of, rows, digest in connection.execute(
                    f"select t.src_inst_code, {entity}, count(*), md5(string_agg(row, '' order by row)) "
                    f"from {schema}.{table} t cross join lateral (select (to_jsonb(t) - %s::text[])::text as row) r "
                    "group by 1, 2",
                    [list(BOOKKEEPING)],
                ):
                    found[f"{schema}.{table}", inst, of] = rows, digest
        return found


@pytest.fixture
def two(warehouse, connect, own_institutions) -> TwoUniversities:
    platforms = {}
    raw = Raw(warehouse)
    for code in ("10611", "10635"):
        platforms[code] = platform = fake.Versioned(code)
        connect(
            code, conn_type="http", host="127.0.0.1", port=platform.port, login="client", password="secret"
        )
        own_institutions(code, "rest-versioned", codes={"unit_kind": {"X": "99"}})  # wrong: it is a faculty
        for entity, key in (("org_unit", "unit_code"), ("course", "course_id")):
            for i in range(1, 6):
                row = fake.unit(i, code, version=10 * i)
                row = {k: row[k] for k in ("src_inst_code", "src_record_id", "change_version", "updated_at")}
                fields = {f.name: None for f in contracts.load()[entity].supplied} | SOUND[entity]
                platform.records[entity].append(
                    row | fields | {"inst_code": code, key: f"{i:03d}", "is_core": True}
                )
        for row in platform.records["org_unit"]:
            row["unit_kind"] = "X" if row["unit_code"] == "005" else "10"
        for row in platform.records["course"]:
            row |= {"course_id": code + row["course_id"], "unit_code": "001", "tag_codes": ["AI1"]}
        platform.records["course"][4]["core_basis_code"] = None
    raw.put(*raw.institutions(*platforms))
    raw.connection.close()
    made = TwoUniversities(warehouse, platforms)
    made.collect()
    made.judge()
    yield made
    for platform in platforms.values():
        platform.close()


def changed(before: dict, after: dict) -> set[tuple[str, str]]:
    """(institution, entity) of everything that differs."""
    return {key[1:] for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def test_replays(two, own_institutions, monkeypatch):
    """One after the other, since a warehouse with two judged universities is costly: every part compares for itself."""
    recollect_a_window(two)
    recollect_everything(two)
    remap(two, own_institutions)
    revalidate(two, monkeypatch)


def recollect_a_window(two):
    """A change with an old version, which no window of changes has."""
    for platform in two.platforms.values():
        platform.records["org_unit"][2] |= {"unit_name": "补报", "change_version": 31}
        platform.records["course"][2] |= {"course_name": "补报", "change_version": 31}
    cursors = "select src_inst_code, entity, cursor_value from ops.watermark order by 1, 2"
    before, held = two.state(), two.fetch(cursors)
    done = two.replay("recollect", "10611", ["org_unit"], since="30")
    assert (done["rows_received"], done["rows_stored"]) == (3, 1)
    after = two.state()
    assert changed(before, after) == {("10611", "org_unit")}
    assert two.fetch(cursors) == held
    assert two.replay("recollect", "10611", ["org_unit"], since="30")["rows_stored"] == 0
    assert two.state() == after


def recollect_everything(two):
    """What is gone without a trace becomes a tombstone."""
    del two.platforms["10611"].records["org_unit"][3]
    two.platforms["10611"].records["course"][2] |= {"course_name": "第三章", "change_version": 32}
    before = two.state()
    assert two.replay("recollect", "10611", ["org_unit"])["failed"] == []
    after = two.state()
    assert changed(before, after) == {("10611", "org_unit")}
    deletions = (
        "select src_inst_code, src_record_id, record_key, reason, hold_id, is_gone from quality.deletion"
    )
    assert two.fetch(deletions) == [("10611", "u0004", "10611|004", "missing", None, True)]
    assert two.replay("recollect", "10611", ["org_unit"])["rows_stored"] == 0
    assert two.state() == after


def remap(two, own_institutions):
    """A code was translated wrongly; the row that it kept out is replaced by the right one."""
    refused = (
        "select src_inst_code, entity, rule_ids from quality.quarantine where state = 'open' order by 1, 2"
    )
    assert two.fetch(refused) == [
        (code, entity, [rule])
        for code in ("10611", "10635")
        for entity, rule in (
            ("course", "QR.course.core_basis_code.11"),
            ("org_unit", "QR.org_unit.unit_kind.4"),
        )
    ]
    before = two.state()
    own_institutions("10611", "rest-versioned", codes={"unit_kind": {"X": "10"}})
    done = two.replay("remap", "10611", ["org_unit"])
    assert done["rows_stored"] == 1
    after = two.state()
    assert changed(before, after) == {("10611", "org_unit")}
    assert two.fetch(
        "select unit_kind from accepted.org_unit where src_inst_code = '10611' and unit_code = '005'"
    ) == [("10",)]
    left = "select src_inst_code, entity, rule_ids, reason from quality.quarantine_exit"
    assert two.fetch(left) == [("10611", "org_unit", ["QR.org_unit.unit_kind.4"], "replaced")]
    again = two.replay("remap", "10611", ["org_unit"])
    assert (again["batches"], again["rows_received"], again["rows_stored"]) == (0, 0, 0)
    assert two.state() == after


def revalidate(two, monkeypatch):
    """A rule is now a warning: what it kept out is released, of both universities, and of no other entity."""
    before, original = two.state(), catalogue.load()
    softer = [
        rule.model_copy(update={"severity": "WARN", "version": rule.version + 1})
        if rule.rule_id == "QR.course.core_basis_code.11"
        else rule
        for rule in original.rules["course"]
    ]
    rules = original.rules | {"course": tuple(softer)}
    monkeypatch.setattr(
        catalogue, "load", lambda: catalogue.Catalogue(rules, original.order, original.lookups)
    )
    two.judge()
    after = two.state()
    assert {entity for _, entity in changed(before, after)} == {"course"}
    assert all(before[key] == after[key] for key in before if key[0].startswith("raw."))
    left = "select src_inst_code, src_record_id, rule_ids, reason from quality.quarantine_exit where entity = 'course'"
    assert sorted(two.fetch(left)) == [
        (code, "u0005", ["QR.course.core_basis_code.11"], "rule_changed") for code in ("10611", "10635")
    ]
    two.judge()
    assert two.state() == after


@pytest.mark.parametrize("since", ["", "yesterday"])
def test_a_cursor_that_is_none_of_the_platforms_is_refused(warehouse, versioned, since):
    runs.open_run("replay-1", "replay", DAY)
    with pytest.raises(runs.CollectionFailed, match=r"不是变更版本接口的写法.*ops\.batch\.window_from"):
        runs.collect("10611", "replay-1", ["org_unit"], full=False, since=since)
