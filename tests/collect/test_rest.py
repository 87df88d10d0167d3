"""Both REST connectors against real sockets that misbehave."""

import collections
import dataclasses
import itertools
import json
from datetime import UTC, date, datetime, timedelta

import fake_platforms as fake
import polars as pl
import pytest

from yuyan.collect import http
from yuyan.collect.connect import source
from yuyan.collect.source import (
    DELETES,
    ITEMS,
    KEY_CHANGES,
    ListMoved,
    Meter,
    PlatformDown,
    SourceError,
    Window,
)
from yuyan.domain import institutions

AS_OF = date(2026, 10, 15)

pytestmark = pytest.mark.usefixtures("patience")


def opened(inst_code: str):
    found = source(institutions.load()[inst_code], AS_OF)
    found.open()
    return found


def ids(pages, feed=ITEMS) -> list[str]:
    return [
        i for p in pages if p.feed == feed for i in p.frame.to_series(p.frame.columns.index("src_record_id"))
    ]


def old_unit(i: int, stamp: str = "20261014080000", **more) -> dict:
    return {"JLID": f"u{i:04d}", "GXSJ": stamp, "DWDM": "10618", "YXDM": f"{i:03d}", "YXMC": f"第{i}学院"} | {
        "SJYXDM": "",
        "YXLB": "1",
        "SFST": "是",
        "SXRQ": "20010101",
        "SHIXRQ": "",
        **more,
    }


# rest-versioned ------------------------------------------------------------------------------------------------------


def test_pages_by_key_until_the_end(versioned):
    versioned.records["org_unit"] = [fake.unit(i) for i in range(25)]
    versioned.page, versioned.repeat_border = 10, True
    found, meter = opened("10611"), Meter()
    (window,) = found.windows("org_unit", None, False)
    assert (window.mode, window.since, window.until) == ("full", "", "25")
    got = ids(found.pages(window, meter))
    assert sorted(set(got)) == [f"u{i:04d}" for i in range(25)]
    assert len(got) == 27  # the border records came twice
    assert (meter.requests, meter.retries) == (4, 0)  # the last one asks whether anything changed meanwhile
    assert found.count("org_unit", meter) == 25


def test_a_later_window_asks_for_changes_deletions_and_key_changes(versioned):
    versioned.records["org_unit"] = [
        fake.unit(0),
        fake.unit(1, version=7),
        fake.unit(2, version=8, _deleted=True),
    ]
    versioned.key_changes["org_unit"] = [
        {"src_record_id": "u0001", "change_version": 7, "old_key": "10611|9", "new_key": "10611|001"}
    ]
    found = opened("10611")
    (window,) = found.windows("org_unit", "5", False)
    assert (window.mode, window.since, window.until) == ("incremental", "5", "8")
    got = list(found.pages(window, Meter()))
    assert (ids(got), ids(got, DELETES), ids(got, KEY_CHANGES)) == (["u0001"], ["u0002"], ["u0001"])
    assert list(found.windows("org_unit", "8", False)) == []
    assert json.loads(found.advance("5", window, None)) == {"": 5, "2026-10-15": 8}


def test_windows_overlap_three_days(versioned):
    """A change may be committed after a greater version was read: each window begins where an older one did."""
    versioned.records["org_unit"] = [fake.unit(0, version=60)]
    found = opened("10611")
    bounds = {"2026-10-10": 10, "2026-10-12": 20, "2026-10-13": 30, "2026-10-14": 40}
    (window,) = found.windows("org_unit", json.dumps(bounds), False)
    assert (window.since, window.until) == ("20", "60")
    kept = {"": 10, "2026-10-12": 20, "2026-10-13": 30, "2026-10-14": 40, "2026-10-15": 60}
    assert json.loads(found.advance(json.dumps(bounds), window, None)) == kept
    (window,) = found.windows("org_unit", '{"2026-10-14": 40}', False)
    assert window.since == "40"  # no older bound is known


def test_a_version_that_went_back_is_a_full_comparison_with_a_note(versioned):
    versioned.records["org_unit"] = [fake.unit(0, version=7)]
    found = opened("10611")
    (window,) = found.windows("org_unit", '{"2026-10-14": 1029}', False)
    assert (window.mode, window.until) == ("full", "7")
    assert "由 1029 退回 7" in window.note
    assert json.loads(found.advance('{"2026-10-14": 1029}', window, None)) == {"2026-10-15": 7}


def test_the_upper_bound_is_fixed_for_the_run_but_a_listing_catches_up(versioned):
    """A record that changes while a listing is read has left the window; without it the listing would say it is gone."""
    versioned.records["org_unit"] = [fake.unit(0), fake.unit(1)]
    found = opened("10611")
    versioned.records["org_unit"][1] = fake.unit(1, version=99)
    (window,) = found.windows("org_unit", None, False)
    assert window.until == "2"
    assert ids(found.pages(window, Meter())) == ["u0000", "u0001"]
    assert found.count("org_unit", Meter()) == 2
    increment = Window("org_unit", "incremental", since="0", until="2")
    assert ids(found.pages(increment, Meter())) == ["u0000"]


def test_faults_are_survived(versioned):
    versioned.records["org_unit"] = [fake.unit(i) for i in range(5)]
    versioned.faults["/org_unit"] = [
        (429, {"Retry-After": "0"}, b"slow down"),
        (503, {}, b""),
        (503, {}, b""),
        "cut",
        (200, {}, b'{"items": [{"src_rec'),
    ]
    found, meter = opened("10611"), Meter()
    (window,) = found.windows("org_unit", None, False)
    assert len(ids(found.pages(window, meter))) == 5
    assert (meter.requests, meter.retries) == (7, 5)


def test_an_expired_token_is_renewed_once(versioned):
    versioned.records["org_unit"] = [fake.unit(0)]
    found = opened("10611")
    versioned.token = "token-2"
    (window,) = found.windows("org_unit", None, False)
    assert ids(found.pages(window, Meter())) == ["u0000"]
    assert versioned.asked["/oauth/token"] == 2


def test_wrong_credentials_are_no_reason_to_go_on_asking(versioned):
    versioned.faults["/oauth/token"] = [(401, {}, b"")] * 9
    with pytest.raises(PlatformDown, match="platform_10611 的 login"):
        opened("10611")
    assert versioned.asked["/oauth/token"] == 1


def test_retries_are_bounded_and_the_error_names_the_question(versioned):
    versioned.records["org_unit"] = [fake.unit(0)]
    versioned.faults["/org_unit"] = [(503, {}, b"")] * 50
    found = opened("10611")
    (window,) = found.windows("org_unit", None, False)
    with pytest.raises(SourceError, match=r"10611 重庆大学.*/org_unit.*HTTP 503"):
        list(found.pages(window, Meter()))
    assert versioned.asked["/org_unit"] == http.ATTEMPTS


def test_an_answer_that_no_retry_helps_is_not_repeated(versioned):
    versioned.faults["/org_unit"] = [(404, {}, b"")] * 9
    found = opened("10611")
    with pytest.raises(SourceError, match="HTTP 404"):
        list(found.pages(Window("org_unit", "full", until="1"), Meter()))
    assert versioned.asked["/org_unit"] == 1


def test_nothing_listens(versioned):
    versioned.close()
    with pytest.raises(PlatformDown, match="无法连接"):
        opened("10611")


def test_a_platform_that_has_gone_is_not_asked_again(versioned):
    found, first, second = source(institutions.load()["10611"], AS_OF), Meter(), Meter()
    versioned.close()
    for meter in (first, second):
        with pytest.raises(PlatformDown):
            found.count("org_unit", meter)
    assert (first.requests, second.requests) == (http.ATTEMPTS, 0)


def test_paging_that_does_not_move_on_is_refused(versioned):
    stuck = (200, {}, b'{"items": [], "nextAfterId": "u0001"}')
    versioned.faults["/org_unit"] = [stuck] * 3
    found = opened("10611")
    with pytest.raises(SourceError, match="翻页没有前进"):
        list(found.pages(Window("org_unit", "full", until="1"), Meter()))


def test_a_missing_connection_is_named(monkeypatch, connect):
    monkeypatch.delenv("AIRFLOW_CONN_PLATFORM_10611", raising=False)
    with pytest.raises(PlatformDown, match="没有 Airflow 连接 platform_10611"):
        source(institutions.load()["10611"], AS_OF)


# rest-legacy ---------------------------------------------------------------------------------------------------------


def test_numbered_pages_come_in_order_and_several_at_once(legacy):
    legacy.records["XX_YX"] = [old_unit(i) for i in range(95)]
    legacy.page = 10
    found, meter = opened("10618"), Meter()
    (window,) = found.windows("org_unit", None, False)
    frame = pl.concat(p.frame for p in found.pages(window, meter))
    assert frame["JLID"].to_list() == [f"u{i:04d}" for i in range(95)]
    assert meter.requests == 10 + 9  # and the end of every page but the last once more
    assert legacy.most_at_once <= institutions.load()["10618"].platform.concurrency


class Moving(fake.Legacy):
    """Does something to its records, once, when it has answered for the first page of some."""

    def __init__(self, do) -> None:
        self.records, self.key, self.page = {"XX_YX": []}, "key-1", 1000
        self.do, self.once = do, True
        fake.Server.__init__(self, Moving.answer)

    def answer(self, method, path, params, headers):
        self.records.setdefault(path.rpartition("/")[2], [])
        given = super().answer(method, path, params, headers)
        if self.once and params["pageNo"] == "1" and params["pageSize"] != "1":
            self.once = False
            self.do(self.records["XX_YX"])
        return given


def _delete(rows):
    del rows[3]


def _delete_and_add(rows):
    del rows[3]
    rows.append(old_unit(99) | {"GXSJ": "20261014090000"})


def _update(rows):
    """The order is that of update times: the row goes to the end, all behind it move up, and the total stays."""
    rows[3] = rows[3] | {"GXSJ": "20261014090000"}


def _add_before(rows):
    rows.insert(0, old_unit(99) | {"GXSJ": "20200101000000"})


@pytest.mark.parametrize("do", [_delete, _delete_and_add, _update, _add_before])
def test_a_list_that_moves_while_it_is_read_is_not_taken(connect, do):
    platform = Moving(do)
    connect("10618", conn_type="http", host="127.0.0.1", port=platform.port, password="key-1")
    platform.records["XX_YX"] = [old_unit(i) for i in range(35)]
    platform.page = 10
    found = opened("10618")
    (window,) = found.windows("org_unit", None, False)
    with pytest.raises(ListMoved, match="一直在变"):
        list(found.pages(window, Meter()))
    again = {i for page in found.pages(window, Meter()) for i in page.frame["JLID"]}
    assert again == {row["JLID"] for row in platform.records["XX_YX"]}
    platform.close()


def test_a_platform_that_cuts_no_small_pages_has_its_pages_read_twice(legacy, monkeypatch):
    legacy.records["XX_YX"] = [old_unit(i) for i in range(35)]
    answer = fake.Legacy.answer
    monkeypatch.setattr(
        fake.Legacy,
        "answer",
        lambda self, m, path, params, h: answer(self, m, path, params | {"pageSize": "10"}, h),
    )
    found, meter = source(institutions.load()["10618"], AS_OF), Meter()
    (window,) = found.windows("org_unit", None, False)
    assert sum(page.frame.height for page in found.pages(window, meter)) == 35


def test_no_rows_is_an_answer(legacy):
    found = opened("10618")
    (window,) = found.windows("org_unit", None, False)
    assert [p.frame.height for p in found.pages(window, Meter())] == [0]
    assert found.count("org_unit", Meter()) == 0


def test_errors_inside_http_200_are_survived(legacy):
    legacy.records["XX_YX"] = [old_unit(0)]
    found, meter = opened("10618"), Meter()
    legacy.faults["/api/XX_YX"] = [fake.envelope(42900, retryAfter=0), fake.envelope(50000), "cut"]
    (window,) = found.windows("org_unit", None, False)
    assert sum(p.frame.height for p in found.pages(window, meter)) == 1
    assert meter.retries == 3


def test_a_wrong_key_is_the_platforms_failure(legacy):
    legacy.key = "another"
    with pytest.raises(PlatformDown, match="platform_10618 的 password"):
        opened("10618")


def test_an_unknown_table_is_the_entitys_failure(legacy):
    found = opened("10618")
    legacy.faults["/api/XX_YX"] = [fake.envelope(40400)]
    with pytest.raises(SourceError, match=r"10618\.yml 的 not_yet"):
        found.count("org_unit", Meter())


def test_the_window_overlaps_three_days(legacy):
    found = opened("10618")
    (window,) = found.windows("org_unit", "20261015120000", False)
    assert (window.mode, window.since) == ("incremental", "20261012120000")


def test_the_cursor_never_runs_ahead_of_the_calendar(legacy):
    found = opened("10618")
    window = Window("org_unit", "incremental")
    assert found.advance("20261010000000", window, "20261014000000") == "20261014000000"
    assert found.advance("20261014000000", window, "20261001000000") == "20261014000000"
    assert found.advance("20261014000000", window, "20990101000000") == "20261016000000"
    assert found.advance(None, window, None) is None
    assert found.advance("20990101000000", Window("org_unit", "full"), "20261001000000") == "20261001000000"


# Retry-After ---------------------------------------------------------------------------------------------------------


def test_retry_after_is_honoured_up_to_a_limit():
    later = datetime.now(UTC) + timedelta(seconds=90)
    assert http.retry_after("7") == 7
    assert 60 < http.retry_after(later.strftime("%a, %d %b %Y %H:%M:%S GMT")) <= 90
    assert http.retry_after(None) is None
    assert http.retry_after("soon") is None


def test_waiting_follows_the_platforms_wish():
    def waits(retry_after):
        state = type("State", (), {"attempt_number": 1})()
        state.outcome = type("Outcome", (), {"exception": lambda self: http.Transient("busy", retry_after)})()
        return http._wait(state)

    assert waits(3.5) == 3.5
    assert waits(86400) == http.LONGEST_RETRY_AFTER
    assert waits(-5) == 0
    assert waits(None) == 0  # the fixture's impatience


def test_a_body_is_bounded_in_time(versioned, monkeypatch):
    """A platform that trickles is not waited for: here every body is beyond the bound."""
    monkeypatch.setattr(http, "PATIENCE", -1)
    with pytest.raises(SourceError, match=r"10611.*未传完"):
        opened("10611")


@pytest.mark.parametrize(
    ("after", "items", "limits", "says"),
    [
        (lambda n: "ab"[n % 2], 1, {}, "nextAfterId 重复"),
        (lambda n: f"id{n}", 1, {"pages": 7}, "limits.pages"),
        (lambda n: f"id{n}", 0, {"empty_pages": 4}, "limits.empty_pages"),
        (lambda n: f"id{n}" if n < 4 else None, 0, {"empty_pages": 4}, None),
    ],
)
def test_paging_that_never_ends_is_refused_by_name(versioned, connected, after, items, limits, says):
    """Ids that alternate, ever new ones, ever empty pages; a few empty pages are none of it."""
    true_answer, asked = versioned.on_answer, itertools.count()

    def answer(server, method, path, params, headers):
        if path != "/org_unit":
            return true_answer(server, method, path, params, headers)
        page = {"items": [fake.unit(i) for i in range(items)], "nextAfterId": after(next(asked))}
        return 200, {}, json.dumps(page).encode()

    versioned.on_answer = answer
    found = connected("10611", limits)
    pages = found.pages(Window("org_unit", "full", until="5"), Meter())
    if says is None:
        assert sum(page.frame.height for page in pages) == 0
    else:
        with pytest.raises(SourceError, match=f"10611.*org_unit.*{says}"):
            collections.deque(pages, maxlen=0)
    assert next(asked) < 20


def test_a_count_of_pages_beyond_measure_is_refused_before_they_are_asked_for(legacy, connected):
    true_answer = legacy.on_answer

    def answer(server, method, path, params, headers):
        status, more, body = true_answer(server, method, path, params, headers)
        return status, more, json.dumps(json.loads(body) | {"pages": 10**9}).encode()

    legacy.on_answer = answer
    legacy.records["XX_YX"] = [old_unit(0)]
    found = connected("10618", {})
    with pytest.raises(SourceError, match=r"10618.*limits\.pages"):
        list(found.pages(Window("org_unit", "full"), Meter()))
    assert sum(legacy.asked.values()) < 5


@pytest.fixture
def connected():
    """(institution, limits) -> its platform, opened."""

    def make(inst_code: str, limits: dict[str, int]):
        institution = institutions.load()[inst_code]
        platform = institution.platform.model_copy(
            update={"limits": institution.platform.limits.model_copy(update=limits)}
        )
        found = source(dataclasses.replace(institution, platform=platform), AS_OF)
        found.open()
        return found

    return make


def test_the_gate_bounds_requests_at_once_and_spaces_them(monkeypatch):
    slept = []
    monkeypatch.setattr(http.time, "sleep", slept.append)
    monkeypatch.setattr(http.time, "monotonic", lambda: 100.0)
    gate = http.Gate(per_second=10, concurrency=2)
    for _ in range(4):
        with gate:
            pass
    assert slept == pytest.approx([0.1, 0.2, 0.3])
    gate.__enter__()
    gate.__enter__()
    assert not gate._free.acquire(blocking=False)
