"""Loading: exactly once, unchanged rows not stored again, deletions and returns, one transaction."""

from dataclasses import replace

import polars as pl
import psycopg
import pytest
from batches import AS_OF, CONTRACT, INSTITUTIONS, counts, fetch, landed, live, page, put, unit

from yuyan.collect import landing
from yuyan.collect.source import Window
from yuyan.domain import keys
from yuyan.load import ops, replay, versions
from yuyan.load.batch import LoadError, prepare
from yuyan.load.loader import Loader, load

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("work")]


def test_a_first_load_stores_everything(warehouse):
    loaded = put(warehouse, "10611", [unit("a", 1), unit("b", 2, name=None)], "full", cursor="2", until="2")
    assert counts(loaded) == (2, 2, 0, 0, 0)
    rows = fetch(
        warehouse,
        "select src_inst_code, src_record_id, record_key, source_version, is_deleted, batch_id, row_no, as_of, unit_name, "
        "length(row_hash) from raw.org_unit order by raw_id",
    )
    assert rows == [
        ("10611", "a", None, 1, False, loaded.batch_id, 1, AS_OF, "学院", 16),
        ("10611", "b", None, 2, False, loaded.batch_id, 2, AS_OF, None, 16),
    ]
    ((batch,),) = fetch(
        warehouse,
        "select (run_id, product, mode, window_to, rows_received, rows_stored)::text from ops.batch",
    )
    assert batch == "(run,rest-versioned,full,2,2,2)"
    assert fetch(warehouse, "select entity, cursor_value, batch_id from ops.watermark") == [
        ("org_unit", "2", loaded.batch_id)
    ]


def test_the_natural_key_is_written_out(warehouse):
    put(warehouse, "10611", [unit("a", 1, inst_code="10611")])
    assert fetch(warehouse, "select record_key from raw.org_unit") == [("10611|a",)]


def test_what_a_source_takes_back_is_loaded_though_the_same_batch_was_before(warehouse):
    """A window that does not move, since its source gives edits no later time: A, then B, then A again."""
    for run_id, name in (("r1", "甲"), ("r2", "乙"), ("r3", "甲"), ("r3", "甲"), ("r4", "甲"), ("r5", "乙")):
        loaded = put(warehouse, "10611", [unit("a", 1, name=name)], since="0", cursor="1", run_id=run_id)
        assert live(warehouse, "10611") == {"a": name}
        assert loaded.again == (run_id == "r4" or loaded.received == 0)
    stored = fetch(warehouse, "select run_id, rows_stored from ops.batch order by loaded_at")
    assert stored == [("r1", 1), ("r2", 1), ("r3", 1), ("r5", 1)]


def test_another_mapping_does_not_bring_back_what_a_source_took_back(warehouse, monkeypatch):
    for run_id, name in (("r1", "甲"), ("r2", "乙"), ("r3", "甲")):
        put(warehouse, "10611", [unit("a", 1, name=name)], since="0", cursor="1", run_id=run_id)
    monkeypatch.setattr("yuyan.collect.mapping.version", lambda _: "another")
    assert replay.remap("10611", "r4", AS_OF)["batches"] == 2
    assert live(warehouse, "10611") == {"a": "甲"}
    loaded = put(warehouse, "10611", [unit("a", 1, name="甲")], since="0", cursor="1", run_id="r5")
    assert live(warehouse, "10611") == {"a": "甲"}
    assert loaded.unchanged + loaded.again == 1


def test_only_what_changed_is_stored(warehouse):
    put(warehouse, "10611", [unit("a", 1), unit("b", 2)], since="0")
    loaded = put(warehouse, "10611", [unit("a", 5), unit("b", 6, name="新名"), unit("c", 7)], since="2")
    assert counts(loaded) == (3, 2, 1, 0, 0)
    assert live(warehouse, "10611") == {"a": "学院", "b": "新名", "c": "学院"}
    assert fetch(warehouse, "select count(*) from raw.org_unit") == [(4,)]


def test_the_same_batch_again_does_nothing(warehouse):
    first = put(warehouse, "10611", [unit("a", 1)], since="0", cursor="1")
    again = put(warehouse, "10611", [unit("a", 1)], since="0", cursor="1")
    assert again.batch_id == first.batch_id
    assert (again.again, counts(again)) == (True, (0, 0, 0, 0, 0))
    assert fetch(warehouse, "select count(*) from ops.batch") == [(1,)]


def test_within_a_batch_the_newest_wins_and_of_two_alike_one(warehouse):
    rows = [
        unit("a", 2, name="新"),
        unit("a", 1, name="旧"),
        unit("b", 1),
        unit("b", 1),
    ]
    loaded = put(warehouse, "10611", rows)
    assert counts(loaded) == (4, 2, 0, 2, 0)
    assert (loaded.repeated, loaded.older) == (2, 0)
    assert live(warehouse, "10611") == {"a": "新", "b": "学院"}


def test_repeated_records_and_key_changes_in_one_batch(warehouse):
    change = {"id": "a", "version": 1, "old_key": "10611|x", "new_key": "10611|a"}
    assert counts(put(warehouse, "10611", [unit("a", 1), unit("b", 2), unit("b", 2), change])) == (
        3,
        2,
        0,
        1,
        0,
    )


def test_an_old_version_that_comes_late_changes_nothing(warehouse):
    put(warehouse, "10618", [unit("a", "20261014080000", name="新")])
    loaded = put(warehouse, "10618", [unit("a", "20261013080000", name="旧")], since="x")
    assert counts(loaded) == (1, 0, 0, 1, 0)
    assert (loaded.older, loaded.repeated) == (1, 0)
    assert fetch(warehouse, "select rows_superseded, rows_repeated from ops.batch order by loaded_at") == [
        (0, 0),
        (1, 0),
    ]
    assert live(warehouse, "10618") == {"a": "新"}


def test_deletions_by_feed_and_by_mark(warehouse):
    put(warehouse, "10611", [unit("a", 1), unit("b", 2)], since="0")
    loaded = put(warehouse, "10611", [{"id": "a", "version": 3, "deletes": True}], since="2")
    assert counts(loaded) == (1, 1, 0, 0, 0)
    assert live(warehouse, "10611") == {"b": "学院"}
    put(warehouse, "10643", [unit("a", "2026-10-10 08:00:00", gone=0)], since="0")
    put(warehouse, "10643", [unit("a", "2026-10-11 08:00:00", gone=1)], since="1")
    assert live(warehouse, "10643") == {}
    put(warehouse, "10611", [unit("a", 9, name="回来")], since="3")
    assert live(warehouse, "10611") == {"a": "回来", "b": "学院"}


def test_a_full_listing_ends_what_it_does_not_have_and_brings_back_what_it_has_again(warehouse):
    put(warehouse, "10618", [unit(r, "20261014080000") for r in "abc"], "full", run_id="1")
    loaded = put(warehouse, "10618", [unit(r, "20261014080000") for r in "ab"], "full", run_id="2")
    assert counts(loaded) == (2, 0, 2, 0, 1)
    assert live(warehouse, "10618") == {"a": "学院", "b": "学院"}
    tombstone = fetch(
        warehouse,
        "select is_deleted, row_no, batch_id, unit_name from raw.org_unit where src_record_id = 'c' order by raw_id desc",
    )
    assert tombstone[0] == (True, 0, loaded.batch_id, None)
    # The source had lost it for a while: the very same row, with its old time, comes back.
    again = put(warehouse, "10618", [unit(r, "20261014080000") for r in "abc"], "full", run_id="3")
    assert counts(again) == (3, 1, 2, 0, 0)
    assert live(warehouse, "10618") == {"a": "学院", "b": "学院", "c": "学院"}
    increment = put(warehouse, "10618", [unit("c", "20261014080000")], since="y")
    assert counts(increment) == (1, 0, 1, 0, 0)


def test_another_institution_is_not_touched(warehouse):
    put(warehouse, "10637", [unit("a", "20261014080000")], "full")
    put(warehouse, "10618", [unit("b", "20261014080000")], "full")
    assert live(warehouse, "10637") == {"a": "学院"}


def test_an_empty_source_that_was_always_empty_is_a_batch(warehouse):
    assert counts(put(warehouse, "10618", [], "full")) == (0, 0, 0, 0, 0)
    assert fetch(warehouse, "select rows_received from ops.batch") == [(0,)]


def test_a_file_replaces_its_period_and_no_other(warehouse):
    def file(period, version, *records):
        rows = [unit(r, None) for r in records]
        return put(
            warehouse, "10647", rows, "replace", ref_period=period, version=version, until=f"{version}"
        )

    file("2025", 1, "a", "b")
    file("2026", 1, "c")
    assert counts(file("2025", 2, "a")) == (1, 0, 1, 0, 1)
    assert live(warehouse, "10647") == {"a": "学院", "c": "学院"}
    assert counts(file("2025", 3)) == (0, 0, 0, 0, 1)  # a period may become empty
    assert live(warehouse, "10647") == {"c": "学院"}


def test_a_record_moves_to_another_period_within_a_delivery(warehouse):
    def file(period, version, *names):
        rows = [unit(r, None, name=n) for r, n in names]
        return put(
            warehouse, "10647", rows, "replace", ref_period=period, version=version, until=f"{version}"
        )

    file("2025", 1, ("a", "旧"))
    file("2026", 2, ("a", "新"))
    file("2025", 2)
    assert live(warehouse, "10647") == {"a": "新"}
    file("2026", 3, ("b", "乙"))  # the other way round: gone first, then there
    assert live(warehouse, "10647") == {"b": "乙"}
    file("2025", 3, ("a", "新"))
    assert live(warehouse, "10647") == {"a": "新", "b": "乙"}


def test_rows_without_record_id_are_refused(warehouse):
    with pytest.raises(LoadError, match="1 行没有记录编号（首行为第 2 行）"):
        put(warehouse, "10611", [unit("a", 1), unit(None, 2)])
    assert live(warehouse, "10611") == {}


@pytest.mark.parametrize("stamp", ["nonsense", "2026年10月14日", "1792108800000", "20261314080000"])
def test_a_version_that_cannot_be_read_is_refused_by_row(warehouse, stamp):
    put(warehouse, "10618", [unit("a", "20261013080000", name="一")], since="1")
    with pytest.raises(LoadError, match="1 行的 GXSJ 写法无法识别（首行为第 2 行）"):
        put(warehouse, "10618", [unit("b", "20261014080000"), unit("a", stamp, name="二")], since="2")
    assert live(warehouse, "10618") == {"a": "一"}


@pytest.mark.parametrize(
    "stamp", ["2026-10-14 08:00:00", "2026-10-14T00:00:00Z", "2026/10/14 8:00", "20261014080000123"]
)
def test_a_time_in_another_usual_form_orders_as_the_time_that_it_is(warehouse, stamp):
    put(warehouse, "10618", [unit("a", "20261013080000", name="旧")], since="1")
    put(warehouse, "10618", [unit("a", stamp, name="新")], since="2")
    put(warehouse, "10618", [unit("a", "20261014070000", name="更旧")], since="3")
    assert live(warehouse, "10618") == {"a": "新"}


def test_a_row_without_a_version_is_what_the_source_says_now(warehouse):
    put(
        warehouse,
        "10643",
        [unit("a", "2026-10-13 08:00:00", name="一"), unit("b", None, name="一")],
        since="1",
    )
    put(warehouse, "10643", [unit("a", None, name="二"), unit("b", None, name="二")], since="2")
    assert live(warehouse, "10643") == {"a": "二", "b": "二"}
    assert fetch(warehouse, "select max(source_version) > 0 from raw.org_unit where src_record_id = 'a'") == [
        (True,)
    ]
    put(warehouse, "10643", [unit("a", "2026-10-14 08:00:00", name="三")], since="3")
    assert live(warehouse, "10643")["a"] == "三"


def test_a_record_stamped_in_the_future_can_still_be_corrected(warehouse):
    put(warehouse, "10618", [unit("a", "20261014080000", name="一")], since="1")
    put(warehouse, "10618", [unit("a", "20990101000000", name="二")], since="2")
    assert live(warehouse, "10618") == {"a": "二"}
    put(warehouse, "10618", [unit("a", "20261015080000", name="三")], since="3")  # later the same day
    assert live(warehouse, "10618") == {"a": "三"}


@pytest.mark.parametrize(
    ("inst_code", "high", "low"), [("10611", 1000, 1), ("10618", "20261014080000", "20260101080000")]
)
def test_a_complete_listing_is_the_present_state_whatever_its_versions_say(warehouse, inst_code, high, low):
    put(
        warehouse,
        inst_code,
        [unit("a", high, name="旧"), unit("b", high), unit("c", high)],
        "full",
        run_id="1",
    )
    put(warehouse, inst_code, [unit("a", high, name="旧"), unit("b", high)], "full", run_id="2")  # c is gone
    listed = [unit("a", low, name="恢复"), unit("b", low), unit("c", low)]
    assert counts(put(warehouse, inst_code, listed, "full", run_id="3")) == (3, 3, 0, 0, 0)
    assert counts(put(warehouse, inst_code, listed, "full", run_id="4")) == (3, 0, 3, 0, 0)
    assert live(warehouse, inst_code) == {"a": "恢复", "b": "学院", "c": "学院"}
    # From here on the source's own versions count, though they are lower than those stored before.
    next_version = low + 1 if isinstance(low, int) else "20260102080000"
    put(warehouse, inst_code, [unit("a", next_version, name="其后")], since="x")
    assert counts(put(warehouse, inst_code, [unit("a", low, name="恢复")], since="y")) == (1, 0, 0, 1, 0)
    assert live(warehouse, inst_code)["a"] == "其后"
    order = "select array_agg(source_version order by raw_id) from raw.org_unit where src_record_id = 'a'"
    ((versions_of_a,),) = fetch(warehouse, order)
    assert versions_of_a == sorted(versions_of_a)


def test_a_correction_of_an_older_listing_does_not_undo_a_restored_one(warehouse):
    """A source that counts anew: the landed batches of before have greater versions, and are older all the same."""
    mapping = INSTITUTIONS["10611"].mapping(CONTRACT)
    before = landed("10611", [unit("a", 1000, name="旧"), unit("b", 1001)], "full", run_id="1")
    with psycopg.connect(warehouse, autocommit=True) as connection:
        load(connection, before, CONTRACT, mapping, "1", AS_OF)
        put(warehouse, "10611", [unit("a", 1, name="新"), unit("b", 2)], "full", run_id="2")
        done = load(connection, before, CONTRACT, mapping, "3", AS_OF, correction="corrected")
    assert counts(done) == (2, 0, 1, 1, 0)
    assert live(warehouse, "10611") == {"a": "新", "b": "学院"}
    assert fetch(warehouse, "select count(*) from raw.org_unit where stated_version = 2") == [(1,)]


@pytest.mark.parametrize(
    ("inst_code", "mode", "version"), [("10647", "replace", None), ("10643", "full", "2026-10-14 08:00:00")]
)
def test_ids_that_were_made_alike_are_refused_by_row(warehouse, inst_code, mode, version):
    ids = ("2.026E+17", "7", "2.026E+17", "2.026E+17")
    rows = [unit(r, version, name=f"第{i}学院") for i, r in enumerate(ids)]
    how = {"ref_period": "2026", "version": 1, "until": "1"} if mode == "replace" else {}
    with pytest.raises(LoadError, match="3 行的记录编号与别的行相同而内容不同（例如第 1、3、4 行）"):
        put(warehouse, inst_code, rows, mode, **how)
    assert live(warehouse, inst_code) == {}


def test_ids_that_are_alike_once_normalised_are_alike(warehouse):
    with pytest.raises(LoadError, match="例如第 1、2 行"):
        put(warehouse, "10611", [unit("u1  ", 1, name="一"), unit("\u200bｕ1", 1, name="二")])
    put(warehouse, "10611", [unit("u1  ", 1)], since="1")
    assert counts(put(warehouse, "10611", [unit("u1", 2)], since="2")) == (1, 0, 1, 0, 0)
    query = "select field, rows from ops.normalised order by 1"
    assert fetch(warehouse, query) == [("src_record_id", 1), ("unit_code", 1)]


def test_key_changes_and_drift_are_kept(warehouse):
    rows = [unit("a", 1), {"id": "a", "version": 1, "old_key": "10611|x", "new_key": "10611|a"}]
    assert put(warehouse, "10611", rows).received == 1
    assert fetch(warehouse, "select src_record_id, old_key, new_key, source_version from ops.key_change") == [
        ("a", "10611|x", "10611|a", 1)
    ]
    with psycopg.connect(warehouse, autocommit=True) as connection:
        for kind, rows in (("unannounced", 2), ("unannounced", 3)):
            ops.record_drift(connection, "run", "10611", "org_unit", {"phone": (kind, rows)})
    assert fetch(warehouse, "select field, kind, rows from ops.schema_drift") == [("phone", "unannounced", 5)]


def test_special_characters_survive(warehouse):
    odd = "tab\t换行\n回车\r反斜\\ \\N '引号\" 零\0末"
    put(warehouse, "10611", [unit("a", 1, name=odd)])
    assert live(warehouse, "10611") == {"a": odd.replace("\0", "�")}
    assert counts(put(warehouse, "10611", [unit("a", 2, name=odd)], since="1")) == (1, 0, 1, 0, 0)


def test_many_rows_are_compared_at_once(warehouse):
    rows = [unit(f"r{i:03d}", 1) for i in range(40)]
    assert counts(put(warehouse, "10611", rows, since="0")) == (40, 40, 0, 0, 0)
    changed = [unit(f"r{i:03d}", 2, name="新" if i % 4 == 0 else "学院") for i in range(45)]
    assert counts(put(warehouse, "10611", changed, since="1")) == (45, 15, 30, 0, 0)
    numbers = fetch(warehouse, "select row_no from raw.org_unit where source_version = 2 order by raw_id")
    assert numbers == [(i + 1,) for i in range(45) if i % 4 == 0 or i >= 40]


def test_a_large_window_reads_only_its_own_records(warehouse):
    put(warehouse, "10611", [unit(f"r{i:03d}", 1) for i in range(40)])
    asked = pl.Series([f"new{i}" for i in range(60_000)] + ["r001", "r007", "r007"])
    with psycopg.connect(warehouse) as connection:
        current = versions.current(connection, "10611", "org_unit", asked)
        assert sorted(current["id"]) == ["r001", "r007"]
        assert versions.current(connection, "10611", "org_unit", asked[:0]).height == 0
        assert versions.current(connection, "10611", "org_unit", None).height == 40


def test_what_raw_holds_is_read_once_for_many_files_unless_it_changed_meanwhile(warehouse, monkeypatch):
    """A delivery's files one after the other: another session's load and a window taken back are noticed."""
    mapping, held, read = INSTITUTIONS["10647"].mapping(CONTRACT), versions.Held(), []
    current = versions.current
    monkeypatch.setattr(versions, "current", lambda *of: read.append(of) or current(*of))

    def file(connection, sequence, period, ids, **more):
        window = {
            "since": str(sequence),
            "until": f"{sequence}/{period}",
            "ref_period": period,
            "version": sequence,
        }
        batch = landed("10647", [unit(i, None, **more) for i in ids], "replace", **window)
        return counts(Loader(connection, "run", AS_OF, held).load(prepare(batch, CONTRACT, mapping)))

    with psycopg.connect(warehouse, autocommit=True) as connection:
        assert file(connection, 1, "2024", "abc") == (3, 3, 0, 0, 0)
        assert file(connection, 1, "2025", "cde") == (3, 2, 1, 0, 0)
        assert file(connection, 2, "2024", "ab", name="新") == (2, 2, 0, 0, 1)
        assert file(connection, 2, "2025", "cde") == (3, 1, 2, 0, 0)  # c had ended with the other file
        assert len(read) == 1
        put(
            warehouse,
            "10647",
            [unit("d", None, name="新")],
            "replace",
            ref_period="2026",
            version=3,
            until="x",
        )
        assert file(connection, 4, "2025", "cde") == (3, 1, 2, 0, 0)
        assert len(read) == 3  # the other session's, and once more here
        connection.execute("begin")
        assert file(connection, 5, "2025", "c") == (1, 0, 1, 0, 2)
        connection.execute("rollback")
        assert file(connection, 6, "2025", "cd") == (2, 0, 2, 0, 1)
        assert len(read) == 4
    assert live(warehouse, "10647") == {"a": "新", "b": "新", "c": "学院", "d": "学院"}


def test_a_complete_listing_in_several_batches(warehouse, monkeypatch):
    """Only with its last batch is it known what is missing; records that come twice are told across batches."""
    monkeypatch.setattr("yuyan.collect.landing.BATCH_ROWS", 7)  # a page

    def listing(run_id, rows, upto=None):
        institution = INSTITUTIONS["10618"]
        mapping = institution.mapping(CONTRACT)
        pages = [page("10618", rows[i : i + 7]) for i in range(0, len(rows), 7)]
        window = Window("org_unit", "full")
        batches = list(landing.land(institution, CONTRACT, mapping, window, pages, run_id, AS_OF))[:upto]
        with psycopg.connect(warehouse, autocommit=True) as connection:
            loader, made = Loader(connection, run_id, AS_OF), [prepare(b, CONTRACT, mapping) for b in batches]
            return [counts(loader.load(b, f"{run_id}-done" if b.ends_window else None)) for b in made]

    old = [unit(f"r{i:02d}", "20261014080000") for i in range(20)]
    assert listing("1", [*old[:13], old[12], *old[13:]]) == [
        (7, 7, 0, 0, 0),
        (7, 6, 0, 1, 0),
        (7, 7, 0, 0, 0),
    ]
    again = [old[0], *old[2:9], unit("r09", "20261015080000", name="新"), old[1], *old[10:16]]
    assert listing("2", again, upto=1) == [(7, 0, 7, 0, 0)]
    assert fetch(warehouse, "select cursor_value from ops.watermark") == [("1-done",)]
    assert len(live(warehouse, "10618")) == 20  # killed before the end: nothing is missing yet
    assert listing("2", again) == [(0, 0, 0, 0, 0), (7, 1, 6, 0, 0), (2, 0, 2, 0, 4)]
    assert sorted(live(warehouse, "10618")) == [f"r{i:02d}" for i in range(16)]
    assert listing("3", old) == [(7, 0, 7, 0, 0), (7, 1, 6, 0, 0), (6, 4, 2, 0, 0)]


def test_a_correction_maps_old_data_anew(warehouse, monkeypatch):
    """Booleans were mapped wrongly once; the landed batch is mapped again with the profile of today."""
    mapping = INSTITUTIONS["10618"].mapping(CONTRACT)
    rows = [unit(r, "20261014080000", is_entity="是") for r in "abc"]
    batch = landed("10618", rows, "full")
    wrong = mapping.__class__(
        **{**mapping.__dict__, "formats": mapping.formats.model_copy(update={"boolean": ("Y", "N")})}
    )
    with psycopg.connect(warehouse, autocommit=True) as connection:
        load(connection, batch, CONTRACT, wrong, "run 1", AS_OF, "20261014080000")
        put(warehouse, "10618", [unit(r, "20261014080000", is_entity="是") for r in "ab"], "full", run_id="2")
        put(warehouse, "10618", [unit("b", "20261015080000", is_entity="是", name="新")], since="z")
        done = load(connection, batch, CONTRACT, mapping, "run 3", AS_OF, correction="corrected")
        again = load(connection, batch, CONTRACT, mapping, "run 4", AS_OF, correction="corrected")
    assert again.again
    assert counts(done) == (3, 0, 1, 2, 0)  # a is right already, b has moved on, c stays deleted
    assert live(warehouse, "10618") == {"a": "学院", "b": "新"}
    assert fetch(warehouse, "select cursor_value from ops.watermark") == [("20261014080000",)]


def test_a_batch_that_landed_before_a_field_was_agreed_on_can_still_be_loaded(warehouse):
    before = replace(CONTRACT, fields=tuple(f for f in CONTRACT.fields if f.name != "is_entity"))
    batch = landed("10618", [unit("a", "20261014080000")], "full", contract=before)
    name = INSTITUTIONS["10618"].mapping(CONTRACT).names["is_entity"]
    assert name not in pl.read_parquet(batch.open()).columns
    with psycopg.connect(warehouse, autocommit=True) as connection:
        loaded = load(connection, batch, CONTRACT, INSTITUTIONS["10618"].mapping(CONTRACT), "run", AS_OF)
    assert counts(loaded) == (1, 1, 0, 0, 0)
    assert fetch(warehouse, "select unit_code, is_entity from raw.org_unit") == [("a", None)]


def test_everything_or_nothing(warehouse, monkeypatch):
    put(warehouse, "10611", [unit("a", 1)], since="0", cursor="1")
    before = fetch(warehouse, "select * from raw.org_unit"), fetch(warehouse, "select * from ops.watermark")
    monkeypatch.setattr(ops, "record_drift", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        put(warehouse, "10611", [unit("a", 2, name="新"), unit("b", 3)], since="1", cursor="3")
    assert (
        fetch(warehouse, "select * from raw.org_unit"),
        fetch(warehouse, "select * from ops.watermark"),
    ) == before
    assert fetch(warehouse, "select count(*) from ops.batch") == [(1,)]


def test_live_count(warehouse):
    put(warehouse, "10611", [unit("a", 1), unit("b", 2), unit("c", 3)], since="0")
    put(warehouse, "10611", [unit("a", 4, name="新"), {"id": "b", "version": 5, "deletes": True}], since="3")
    with psycopg.connect(warehouse) as connection:
        assert versions.live_count(connection, "10611", "org_unit") == 2
        assert versions.live_count(connection, "10611", "org_unit", at_most=1) == 1
        assert versions.live_count(connection, "10611", "org_unit", at_most=9) == 2
        assert versions.live_count(connection, "10635", "org_unit") == 0
    put(warehouse, "10611", [unit("b", 6), {"id": "c", "version": 7, "deletes": True}], since="5")
    put(warehouse, "10611", [{"id": "a", "version": 8, "deletes": True}], since="7")
    with psycopg.connect(warehouse) as connection:
        assert versions.live_count(connection, "10611", "org_unit") == 1  # b is back
        assert versions.live_count(connection, "10611", "org_unit", at_most=1) == 1


def test_a_record_id_that_no_index_takes_is_shortened_and_stays_one_record(warehouse):
    """20,000 characters in the field of the record id: the row is stored under a shorter id, and its next versions too."""
    long = "".join(chr(0x4E00 + i * 7919 % 20000) for i in range(20_000))
    put(warehouse, "10611", [unit("a", 1), unit(long, 1, unit_code="b"), unit(long + "x", 1, unit_code="c")])
    put(warehouse, "10611", [unit(long, 2, unit_code="b", name="新")], since="1")
    ids = fetch(warehouse, "select distinct src_record_id from raw.org_unit order by 1")
    assert ids == sorted([("a",), (keys.bounded(long),), (keys.bounded(long + "x"),)])
    assert fetch(warehouse, "select unit_name from latest.org_unit where unit_code = 'b'") == [("新",)]


def test_a_name_of_a_field_that_no_index_takes_is_shortened(warehouse):
    name = "".join(chr(0x4E00 + i * 7919 % 20000) for i in range(5_000))
    with psycopg.connect(warehouse) as connection:
        for _ in range(2):
            ops.record_drift(connection, "run", "10611", "org_unit", {name: ("unannounced", 3)})
    assert fetch(warehouse, "select field, rows from ops.schema_drift") == [(keys.bounded(name), 6)]
