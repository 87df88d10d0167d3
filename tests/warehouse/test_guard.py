"""What looks like a defect of a source takes no effect: emptied, shrunk, returned to old content; all else does."""

from collections.abc import Iterator

import psycopg
import pytest
from batches import AS_OF, CONTRACT, INSTITUTIONS, fetch, landed, live, page, unit

from yuyan.collect import landing
from yuyan.collect.source import Window
from yuyan.decisions import holds
from yuyan.decisions.life_cycle import DecisionError
from yuyan.domain.stewards import Steward
from yuyan.load import versions
from yuyan.load.batch import LoadError, prepare
from yuyan.load.guard import Guard
from yuyan.load.loader import Loader
from yuyan.load.source_change import SourceChange

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("work")]

COMMISSION = Steward("jw-1", "commission")


class Collections:
    """Collections of org_unit of one institution, a source change at a time."""

    def __init__(self, dsn: str, inst_code: str) -> None:
        self.dsn, self.inst_code, self.runs, self.cursor = dsn, inst_code, 0, 0
        self.connection = psycopg.connect(dsn, autocommit=True)
        self.held = versions.Held()

    def collect(self, *changes: list, failed: bool = False, is_whole: bool = True) -> str | None:
        """Each change is a list of windows, each a list of landed batches. Returns what the outcome says of a hold."""
        self.runs += 1
        run_id = f"run-{self.runs}"
        hold = holds.open_holds(self.connection, self.inst_code).get("org_unit")
        guard = Guard(self.connection, self.inst_code, "org_unit", run_id, AS_OF, hold)
        mapping = INSTITUTIONS[self.inst_code].mapping(CONTRACT)
        for windows in changes:
            with SourceChange(guard, "before") as change:
                for batches in windows:
                    loader = Loader(self.connection, run_id, AS_OF, self.held)
                    for batch in batches:
                        change.load(loader, prepare(batch, CONTRACT, mapping), run_id)
        return guard.settle(failed, is_whole)

    def changes(self, rows: list[dict], **more) -> str | None:
        """One window of changes."""
        self.cursor += 1
        batch = landed(self.inst_code, rows, since=str(self.cursor), run_id=f"run-{self.runs + 1}")
        return self.collect([[batch]], **more)

    def listing(self, rows: list[dict]) -> str | None:
        """A complete listing."""
        return self.collect([[landed(self.inst_code, rows, "full", run_id=f"run-{self.runs + 1}")]])

    def file(self, sequence: int, period: str, content: str, records: list[str], **more) -> list:
        """The window of one file; `content` stands for its digest."""
        rows = [unit(r, None, **more) for r in records]
        window = {"since": str(sequence), "until": content, "ref_period": period, "version": sequence}
        return [landed(self.inst_code, rows, "replace", **window)]

    def holds(self) -> list[tuple]:
        """Kind, live records, affected ones, state, first and last run of every hold."""
        query = "select kind, live_rows, affected_rows, state, run_id, last_run_id from quality.hold order by hold_id"
        return fetch(self.dsn, query)

    def state(self) -> tuple:
        """Everything that a held change must leave as it was."""
        return tuple(
            fetch(self.dsn, f"select t::text from {table} t order by 1")
            for table in ("raw.org_unit", "ops.batch", "ops.watermark", "ops.key_change", "accepted.org_unit")
        )


@pytest.fixture
def versioned(warehouse) -> Iterator[Collections]:
    yield from _collections(warehouse, "10611")


@pytest.fixture
def legacy(warehouse) -> Iterator[Collections]:
    yield from _collections(warehouse, "10618")


@pytest.fixture
def files(warehouse) -> Iterator[Collections]:
    yield from _collections(warehouse, "10647")


def _collections(dsn: str, inst_code: str) -> Iterator[Collections]:
    made = Collections(dsn, inst_code)
    yield made
    made.connection.close()


def units(numbers, version=1, **more) -> list[dict]:
    return [unit(f"r{i:03d}", version, **more) for i in numbers]


def old(numbers, stamp="20261014080000", **more) -> list[dict]:
    return units(numbers, stamp, **more)


def gone(numbers, version) -> list[dict]:
    return [{"id": f"r{i:03d}", "version": version, "deletes": True} for i in numbers]


def test_a_listing_that_empties_an_entity_is_held_however_small(legacy):
    legacy.listing(old(range(2)))
    before = legacy.state()
    said = legacy.listing([])
    assert "暂缓 1（清空）：仓库有 2 条有效记录，来源将使其中 2 条终止" in said
    assert "yuyan hold accept 1" in said
    assert "2 of 2 live records affected" in said
    assert legacy.state() == before
    assert legacy.holds() == [("emptied", 2, 2, "waiting", "run-2", "run-2")]
    ((uri, batch),) = fetch(legacy.dsn, "select landing_uris[1], batch_ids[1] from quality.hold")
    assert landing.find(uri).batch_id == batch  # nothing is lost
    assert fetch(legacy.dsn, "select actor, from_state, to_state, run_id from quality.hold_event") == [
        ("yuyan", None, "waiting", "run-2")
    ]


@pytest.mark.parametrize("how", ["listing", "deletes"])
def test_more_than_half_of_at_least_twenty(versioned, how):
    cases = [(100, 51, True), (100, 50, False), (20, 11, True), (20, 10, False), (19, 18, False)]
    for version, (there, ends, held) in enumerate(cases):
        versioned.connection.execute("truncate raw.org_unit, ops.batch, quality.hold cascade")
        versioned.listing(units(range(there), 2 * version))
        by = {
            "listing": lambda a, b, v: versioned.listing(units(range(a, b), v)),
            "deletes": lambda a, _, v: versioned.changes(gone(range(a), v)),
        }
        said = by[how](ends, there, 2 * version + 1)
        assert bool(said) == held, (there, ends)
        assert len(live(versioned.dsn, "10611")) == there - ends * (not held)
        assert [hold[:4] for hold in versioned.holds()] == [("shrunk", there, ends, "waiting")] * held


def test_a_source_may_delete_its_few_records_itself(versioned):
    versioned.listing(units(range(3)))
    assert versioned.changes(gone(range(3), 2)) is None
    assert live(versioned.dsn, "10611") == {}
    versioned.listing(units(range(20), 3))
    assert "清空" in versioned.changes(gone(range(20), 4))


def test_new_identities_for_everything_are_more_than_half(versioned):
    versioned.listing(units(range(30)))
    assert "30 条有效记录，来源将使其中 30 条终止" in versioned.listing(units(range(100, 130)))
    assert versioned.holds()[0][0] == "shrunk"


def test_records_that_return_to_old_content(versioned):
    versioned.listing(units(range(40)))
    assert versioned.changes(units(range(40), 2, name="新")) is None  # all of it changes: that is no defect
    before = versioned.state()
    assert "退回旧内容" in versioned.changes(units(range(20), 3))
    assert versioned.state() == before
    assert versioned.holds() == [("repeated", 40, 20, "waiting", "run-3", "run-3")]


def test_some_may_return_among_other_changes(versioned):
    versioned.listing(units(range(42)))
    versioned.changes(units(range(42), 2, name="新"))
    assert versioned.changes(units(range(20), 3)) is None  # fewer than half of the live records
    versioned.changes(units(range(42), 4, name="新"))
    half_and_more = units(range(21), 5) + units(range(21, 42), 5, name="更新")
    assert versioned.changes(half_and_more) is None  # not most of what changed
    assert versioned.holds() == []


def test_records_that_had_been_deleted_may_come_back(legacy):
    legacy.listing(old(range(30)))
    legacy.listing(old(range(15)))
    assert legacy.listing(old(range(30))) is None
    assert len(live(legacy.dsn, "10618")) == 30


def test_a_long_window_takes_effect_as_a_whole_or_not_at_all(versioned, monkeypatch):
    """The first batches of it are below every threshold: what they changed waits with the rest."""
    monkeypatch.setattr("yuyan.collect.landing.BATCH_ROWS", 7)
    versioned.listing(units(range(7)))
    versioned.changes(units(range(7, 14), 2))
    versioned.changes(units(range(14, 21), 3))
    versioned.changes(units(range(21, 28), 4))
    before = versioned.state()
    mapping = INSTITUTIONS["10611"].mapping(CONTRACT)

    def window(rows):
        pages = [
            page("10611", rows[i : i + 7], "deletes" if "deletes" in rows[i] else "items")
            for i in range(0, len(rows), 7)
        ]
        asked = Window("org_unit", "incremental", since="4", until=str(len(rows)))
        return [list(landing.land(INSTITUTIONS["10611"], CONTRACT, mapping, asked, pages, "run-5", AS_OF))]

    batches = window(gone(range(21), 9))
    assert [len(w) for w in batches] == [3]
    assert "28 条有效记录，来源将使其中 21 条终止" in versioned.collect(batches)
    assert versioned.state() == before
    assert [len(ids) for (ids,) in fetch(versioned.dsn, "select batch_ids from quality.hold")] == [3]
    # New records among them do not dilute it: neither today nor, having slipped in, tomorrow.
    assert versioned.collect(window(units(range(100, 121), 10) + gone(range(21), 10)))
    assert versioned.state() == before
    assert versioned.holds() == [("shrunk", 28, 21, "waiting", "run-5", "run-6")]


def test_a_window_that_breaks_off_changes_nothing(versioned):
    versioned.listing(units(range(3)))
    before = versioned.state()
    mapping = INSTITUTIONS["10611"].mapping(CONTRACT)
    guard = Guard(versioned.connection, "10611", "org_unit", "run-2", AS_OF)
    loader = Loader(versioned.connection, "run-2", AS_OF)
    changed, nameless = landed("10611", units([0], 2, name="新")), landed("10611", [unit(None, 3)], since="2")
    with SourceChange(guard, "1") as change:
        change.load(loader, prepare(changed, CONTRACT, mapping), None)
        with pytest.raises(LoadError, match="没有记录编号"):
            change.load(loader, prepare(nameless, CONTRACT, mapping), "3")
        change.abandon()
    assert (change.received, change.cursor) == (0, "1")
    assert versioned.state() == before


def test_a_delivery_is_one_change(files):
    """Three files that each end a third; a record that moves from one to another has not ended."""
    names = [f"r{i:03d}" for i in range(30)]
    files.collect([files.file(1, str(p), f"a{p}", names[p::3]) for p in range(3)])
    before = files.state()
    assert "清空" in files.collect([files.file(2, str(p), f"b{p}", []) for p in range(3)])
    assert files.state() == before
    emptied = [files.file(2, str(p), f"b{p}", []) for p in range(3)]
    all_in_one = [
        files.file(3, "0", "c0", names, name="新"), files.file(3, "1", "c1", []), files.file(3, "2", "c2", []),
    ]  # fmt: skip
    assert files.collect(emptied, all_in_one) is None  # the later delivery puts the one before right
    assert len(live(files.dsn, "10647")) == 30
    assert files.holds() == [("emptied", 30, 30, "withdrawn", "run-2", "run-2")]
    back = [files.file(4, str(p), f"d{p}", names[p::3], name="更新") for p in range(3)]
    assert files.collect(back) is None  # "0" ends two thirds of what it held, "1" and "2" bring them back
    assert len(live(files.dsn, "10647")) == 30


def test_a_file_that_repeats_an_older_delivery_is_held_however_little_it_changes(files):
    files.collect([files.file(1, "2026", "aa", ["a", "b"])])
    files.collect([files.file(2, "2026", "bb", ["a", "b", "c"])])
    before = files.state()
    assert "退回旧内容" in files.collect([files.file(3, "2026", "aa", ["a", "b"])])
    assert files.state() == before
    assert files.holds() == [("repeated", 3, 1, "waiting", "run-3", "run-3")]
    assert (
        files.collect(
            [files.file(3, "2026", "aa", ["a", "b"])], [files.file(4, "2026", "bb", ["a", "b", "c"])]
        )
        is None
    )
    assert files.holds()[0][3] == "withdrawn"


def test_an_accepted_hold_lets_the_next_collection_pass_up_to_its_number(versioned):
    versioned.listing(units(range(40)))
    versioned.changes(gone(range(30), 2))
    holds.decide(versioned.connection, 1, True, COMMISSION, "院系合并", AS_OF)
    assert versioned.changes(gone(range(30), 2)) is None
    assert len(live(versioned.dsn, "10611")) == 10
    assert versioned.holds() == [("shrunk", 40, 30, "applied", "run-2", "run-3")]
    applied = fetch(
        versioned.dsn, "select batch_ids, decided_by, decided_on, reason, closed_run_id from quality.hold"
    )
    ((batch,),) = fetch(versioned.dsn, "select batch_id from ops.batch where run_id = 'run-3'")
    assert applied == [([batch], "jw-1", AS_OF, "院系合并", "run-3")]
    assert fetch(
        versioned.dsn, "select actor, to_state, reason from quality.hold_event order by event_id"
    ) == [
        ("yuyan", "waiting", "骤减：仓库有 40 条有效记录，其中 30 条受影响"),
        ("jw-1", "accepted", "院系合并"),
        ("yuyan", "applied", "按 jw-1 的认可生效，影响 30 条"),
    ]


def test_more_than_was_accepted_waits_anew(versioned):
    versioned.listing(units(range(40)))
    versioned.changes(gone(range(30), 2))
    holds.decide(versioned.connection, 1, True, COMMISSION, "院系合并", AS_OF)
    before = versioned.state()
    assert "暂缓 2（清空）" in versioned.changes(gone(range(40), 3))
    assert versioned.state() == before
    assert [(kind, state) for kind, _, _, state, _, _ in versioned.holds()] == [
        ("shrunk", "exceeded"),
        ("emptied", "waiting"),
    ]


def test_two_deliveries_that_wait_are_decided_together(files):
    names = [f"r{i:03d}" for i in range(40)]
    files.collect([files.file(1, "2026", "aa", names)])

    def both():
        return files.collect(
            [files.file(2, "2026", "bb", names[:10])], [files.file(3, "2026", "cc", names[:15])]
        )

    assert both()
    assert files.holds() == [("shrunk", 40, 25, "waiting", "run-2", "run-2")]  # of the period's newest file
    holds.decide(files.connection, 1, True, COMMISSION, "核实无误", AS_OF)
    assert both() is None
    assert len(live(files.dsn, "10647")) == 15
    assert files.holds()[0][3] == "applied"


def test_rejected_stays_out_until_the_source_is_back(versioned):
    versioned.listing(units(range(40)))
    versioned.changes(gone(range(30), 2))
    holds.decide(versioned.connection, 1, False, COMMISSION, "学校确认是误删", AS_OF)
    assert "jw-1 已于 2026-10-15 不认可（学校确认是误删）" in versioned.changes(gone(range(30), 2))
    assert versioned.holds() == [("shrunk", 40, 30, "rejected", "run-2", "run-3")]  # not a second row
    assert versioned.changes(gone(range(1), 3), failed=True) is None  # not known to be whole: no verdict
    assert versioned.changes(gone(range(1), 3), is_whole=False) is None
    assert versioned.holds()[0][3] == "rejected"
    assert versioned.changes(units(range(3), 4, name="新")) is None
    assert versioned.holds() == [("shrunk", 40, 30, "withdrawn", "run-2", "run-3")]
    ((actor, reason, closed),) = fetch(
        versioned.dsn,
        "select e.actor, e.reason, h.closed_run_id from quality.hold_event e join quality.hold h using (hold_id) "
        "where e.to_state = 'withdrawn'",
    )
    assert (actor, reason, closed) == ("yuyan", "来源已恢复正常，不再需要决定", "run-6")


def test_who_may_decide_and_what(versioned):
    versioned.listing(units(range(40)))
    versioned.changes(gone(range(30), 2))
    connection = versioned.connection

    def refused(match, *decision):
        with pytest.raises(DecisionError, match=match):
            holds.decide(connection, *decision, AS_OF)

    refused("没有编号为 9 的暂缓", 9, True, COMMISSION, "x")
    refused("不是市教委的数据管理员", 1, True, Steward("data-1", "university", "10611"), "x")
    refused("须写明理由", 1, True, COMMISSION, " ")
    holds.decide(connection, 1, False, COMMISSION, "误删", AS_OF)
    refused("现为“不认可”，不能驳回（只能从“待定、已认可”）", 1, False, COMMISSION, "误删")
    holds.decide(connection, 1, True, Steward("jw-2", "commission"), "学校更正了说法", AS_OF)
    versioned.changes(gone(range(30), 2))
    refused("现为“已生效”，不能驳回.*yuyan hold show 1", 1, False, COMMISSION, "x")
