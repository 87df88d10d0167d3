"""Both REST connectors against real sockets that misbehave."""

from datetime import UTC, date, datetime, timedelta

import fake_platforms as fake
import polars as pl
import pytest

from yuyan.collect import http
from yuyan.collect.connect import source
from yuyan.collect.source import DELETES, ITEMS, KEY_CHANGES, Meter, PlatformDown, SourceError, Window
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
    assert (meter.requests, meter.retries) == (3, 0)
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
    assert found.advance("5", window, None) == "8"


def test_the_upper_bound_is_fixed_for_the_run(versioned):
    versioned.records["org_unit"] = [fake.unit(0)]
    found = opened("10611")
    versioned.records["org_unit"].append(fake.unit(1, version=99))
    (window,) = found.windows("org_unit", None, False)
    assert ids(found.pages(window, Meter())) == ["u0000"]
    assert found.count("org_unit", Meter()) == 1
    assert versioned.asked["/changeVersion"] == 1


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
    assert (meter.requests, meter.retries) == (6, 5)


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
    assert meter.requests == 10
    assert legacy.most_at_once <= institutions.load()["10618"].platform.concurrency


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
    with pytest.raises(SourceError, match="错误码 40400"):
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
    assert waits(None) == 0  # the fixture's impatience


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
