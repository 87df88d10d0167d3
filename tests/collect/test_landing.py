"""Landing: write-once, complete or not there, in bounded memory, nothing but what may land."""

import dataclasses
import gc
import hashlib
import json
import os
import weakref
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from yuyan import settings
from yuyan.collect import field_names, landing, reducer
from yuyan.collect.source import DELETES, KEY_CHANGES, Page, SourceError, Window
from yuyan.domain import contracts, institutions

AS_OF = date(2026, 10, 15)
UNIT = contracts.load()["org_unit"]
CQU = institutions.load()["10611"]
MAPPING = CQU.mapping(UNIT)
NAMES = (*MAPPING.envelope, *MAPPING.names.values())
WINDOW = Window("org_unit", "full", until="9")

pytestmark = pytest.mark.usefixtures("work")


def page(*ids: str, absent=(), unannounced=None, **values: str) -> Page:
    rows = [dict.fromkeys(NAMES) | {"src_record_id": i, "change_version": "1"} | values for i in ids]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(NAMES, pl.String))
    return Page(frame, unannounced=unannounced or {}, absent=tuple(absent))


def land(*pages: Page, window: Window = WINDOW, run_id: str = "run 1", as_of: date = AS_OF):
    batches = list(landing.land(CQU, UNIT, MAPPING, window, iter(pages), run_id, as_of))
    assert len(batches) <= 1
    return batches[0] if batches else None


def folder() -> Path:
    return Path(settings.landing()) / "10611" / "org_unit"


def test_a_batch_is_a_parquet_file_with_a_manifest():
    landed = land(page("a", "b"), page("c"))
    assert {p.name for p in folder().iterdir()} == {f"{landed.batch_id}.parquet", f"{landed.batch_id}.json"}
    manifest = json.loads((folder() / f"{landed.batch_id}.json").read_text())
    assert manifest == landed.manifest
    assert (manifest["rows"], manifest["mode"], manifest["window_to"], manifest["run_id"]) == (
        {"items": 3},
        "full",
        "9",
        "run 1",
    )
    assert manifest["payload_digest"] == hashlib.sha256(Path(landed.uri).read_bytes()).hexdigest()
    frame = pl.read_parquet(landed.uri)
    assert frame["src_record_id"].to_list() == ["a", "b", "c"]
    assert frame.columns == [*NAMES, "deleted_at", "old_key", "new_key", "_feed"]
    assert set(frame.dtypes) == {pl.String}


def test_the_same_content_is_the_same_batch_and_stays_untouched():
    first = land(page("a"))
    before = Path(first.uri).stat().st_mtime_ns
    assert land(page("a")) == first
    assert Path(first.uri).stat().st_mtime_ns == before


def test_a_batch_is_on_disk_before_it_is_loaded(monkeypatch):
    """Its folder, its rows, its manifest, and the names of both."""
    synced, fsync = [], os.fsync

    def note(descriptor):
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    land(page("a"))
    assert [p.suffix or p for p in synced] == [
        folder().parent, folder().parent.parent, ".part", ".json", folder(),
    ]  # fmt: skip


def test_what_makes_another_batch():
    increment = Window("org_unit", "incremental", since="1", until="9")
    one = land(page("a"), window=increment)
    assert land(page("a"), window=increment, run_id="another") == one
    others = [
        land(page("b"), window=increment),
        land(page("a"), window=Window("org_unit", "incremental", since="2", until="9")),
        land(page("a")),
        land(page("a"), run_id="another"),  # two full listings are two statements
    ]
    assert len({one.batch_id, *(o.batch_id for o in others)}) == 5


def test_feeds_are_told_apart_in_order():
    delete = pl.DataFrame(
        {"src_record_id": ["x"], "change_version": ["3"], "deleted_at": ["2026-10-15T00:00:00"]}
    )
    change = pl.DataFrame(
        {"src_record_id": ["a"], "change_version": ["2"], "old_key": ["1"], "new_key": ["2"]}
    )
    landed = land(page("a"), Page(delete, DELETES), Page(change, KEY_CHANGES))
    frame = pl.read_parquet(landed.uri)
    assert frame["_feed"].to_list() == ["items", "deletes", "keyChanges"]
    assert frame["new_key"].to_list() == [None, None, "2"]
    assert landed.manifest["rows"] == {"items": 1, "deletes": 1, "keyChanges": 1}


def test_an_empty_full_listing_is_a_batch_an_empty_increment_is_not():
    landed = land()
    assert landed.manifest["rows"] == {}
    assert pl.read_parquet(landed.uri).shape == (0, len(NAMES) + 4)
    assert land(page(), window=Window("org_unit", "incremental", since="1", until="2")) is None
    assert len(list(folder().iterdir())) == 2


def test_a_source_that_fails_midway_leaves_nothing():
    def pages():
        yield page("a")
        raise SourceError("gone")

    with pytest.raises(SourceError, match="gone"):
        list(landing.land(CQU, UNIT, MAPPING, WINDOW, pages(), "run", AS_OF))
    assert list(folder().iterdir()) == []


def test_leftovers_of_earlier_days_are_swept_todays_are_not():
    folder().mkdir(parents=True)
    for name in (".2026-10-14.run.part", ".2026-10-15.other-run.part"):
        (folder() / name).write_bytes(b"half")
    land(page("a"))
    assert not (folder() / ".2026-10-14.run.part").exists()
    assert (folder() / ".2026-10-15.other-run.part").exists()


def test_drift_adds_up_over_pages():
    landed = land(
        page("a", "b", unannounced={"phone": 2}, absent=["valid_to"]),
        page("c", unannounced={"phone": 1}, absent=["unit_name"]),
    )
    assert landed.manifest["drift"] == {
        "phone": ["unannounced", 3],
        "valid_to": ["missing_optional", 2],
        "unit_name": ["missing_mandatory", 1],
    }


def test_so_many_names_are_told_apart_and_the_rest_is_counted_together():
    limits = CQU.platform.limits.model_copy(update={"unannounced": 2})
    institution = dataclasses.replace(CQU, platform=CQU.platform.model_copy(update={"limits": limits}))
    pages = [page("a", "b", unannounced={"phone": 2}), page("c", unannounced={"email": 1, "remark": 1})]
    pages.append(page("d", "e", unannounced={"phone": 2, "note": 2}))
    (landed,) = landing.land(institution, UNIT, MAPPING, WINDOW, iter(pages * 3), "run", AS_OF)
    assert landed.manifest["drift"] == {
        "phone": ["unannounced", 12],
        field_names.HIDDEN: ["unannounced", 3 + 9],  # of them three of email, in too few rows
    }


def test_a_mandatory_field_gone_from_every_row_is_refused():
    with pytest.raises(reducer.MandatoryGone, match="必填字段 unit_name 已不在报送数据中（2 行）") as gone:
        land(page("a", absent=["unit_name"]), page("b", absent=["unit_name"]))
    assert gone.value.drift == {"unit_name": ("missing_mandatory", 2)}
    assert list(folder().iterdir()) == []


def test_the_greatest_time_is_noted_and_nonsense_is_not():
    vendor = institutions.load()["10618"]
    mapping = vendor.mapping(UNIT)
    names = (*mapping.envelope, *mapping.names.values())
    times = ["20261014080000", "99999999999999", "20261014090000", None, "abc"]
    rows = [dict.fromkeys(names) | {"JLID": str(i), "GXSJ": t} for i, t in enumerate(times)]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String))
    (landed,) = landing.land(vendor, UNIT, mapping, WINDOW, [Page(frame)], "run", AS_OF)
    assert landed.manifest["greatest"] == "20261014090000"


def test_identifiers_are_not_in_the_bytes():
    contract = contracts.load()["student"]
    mapping = CQU.mapping(contract)
    names = (*mapping.envelope, *mapping.names.values())
    row = dict.fromkeys(names, "x") | {
        "person_name": "欧阳机密",
        "mobile": "13988887777",
        "cert_no": "500101199901010017",
    }
    frame = pl.DataFrame([row] * 50, schema=dict.fromkeys(names, pl.String))
    (landed,) = landing.land(CQU, contract, mapping, Window("student", "full"), [Page(frame)], "run", AS_OF)
    kept = pl.read_parquet(landed.uri)
    assert kept["person_key"].str.len_chars().to_list() == [64] * 50
    text = str(kept.rows())
    assert not any(secret in text for secret in ("欧阳机密", "13988887777", "500101199901010017"))


def test_a_long_window_becomes_several_batches(monkeypatch):
    monkeypatch.setattr(landing, "BATCH_ROWS", 3)
    pages = [
        page("a", "b", unannounced={"phone": 5}),
        page("c", "d"),
        page("e"),
        page(),
        page("f", absent=["unit_name"]),
    ]
    batches = list(landing.land(CQU, UNIT, MAPPING, WINDOW, pages, "run", AS_OF))
    assert [pl.read_parquet(b.uri)["src_record_id"].to_list() for b in batches] == [list("abcd"), list("ef")]
    assert [(b.manifest["number"], b.manifest["is_last"]) for b in batches] == [(1, False), (2, True)]
    assert [b.manifest["drift"] for b in batches] == [
        {"phone": ["unannounced", 5]},
        {"unit_name": ["missing_mandatory", 1]},
    ]


def test_many_small_pages_are_put_together_as_they_come(monkeypatch):
    monkeypatch.setattr(landing, "PIECES", 3)
    landed = land(*(page(i) for i in "abcdefgh"))
    assert pl.read_parquet(landed.uri)["src_record_id"].to_list() == list("abcdefgh")
    assert landed.manifest["rows"] == {"items": 8}


def test_large_values_become_several_batches_however_few_their_rows(monkeypatch):
    monkeypatch.setattr(landing, "BATCH_BYTES", 1)
    pages = [page("a", "b"), page(), page("c")]
    batches = list(landing.land(CQU, UNIT, MAPPING, WINDOW, pages, "run", AS_OF))
    assert [pl.read_parquet(b.uri)["src_record_id"].to_list() for b in batches] == [list("ab"), ["c"]]
    assert [b.manifest["is_last"] for b in batches] == [False, True]


def test_what_was_complete_before_a_failure_stays(monkeypatch):
    monkeypatch.setattr(landing, "BATCH_ROWS", 2)

    def pages():
        yield from (page("a", "b"), page("c", "d"))
        raise SourceError("gone")

    batches = []
    with pytest.raises(SourceError, match="gone"):
        batches.extend(landing.land(CQU, UNIT, MAPPING, WINDOW, pages(), "run", AS_OF))
    assert not any(b.manifest["is_last"] for b in batches)
    assert all(p.suffix in (".parquet", ".json") for p in folder().iterdir())


def test_pages_do_not_pile_up():
    """120 pages of 2,500 rows: at any time only the pages of one batch and a few more are alive."""
    alive: set[int] = set()
    most = 0
    made = page(*(f"r{i:05d}" for i in range(2500))).frame

    def pages():
        nonlocal most
        for number in range(120):
            one = Page(made.with_columns(pl.lit(str(number)).alias("change_version")))
            alive.add(number)
            weakref.finalize(one.frame, alive.discard, number)
            most = max(most, len(alive))
            yield one
            del one

    rows = 0
    for batch in landing.land(CQU, UNIT, MAPPING, WINDOW, pages(), "run", AS_OF):
        rows += batch.manifest["rows"]["items"]
        gc.collect()
    assert rows == 300_000
    assert most * 2500 <= landing.BATCH_ROWS + 10 * 2500


def test_a_full_disk_is_said_in_its_own_words_and_leaves_nothing(monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(landing.pq, "write_table", full)
    with pytest.raises(landing.LandingDown, match=r"落地区 .* 无法写入（No space left on device）"):
        land(page("a"))
    assert list(folder().iterdir()) == []


def test_any_object_store_will_do(monkeypatch, tmp_path):
    monkeypatch.setenv("YUYAN_LANDING", f"file://{tmp_path}/store")
    landed = land(page("a", "b"))
    assert landed.uri.startswith("file://")
    assert landing.find(landed.uri) == landed
    with landed.open() as file:
        assert pl.read_parquet(file)["src_record_id"].to_list() == ["a", "b"]
    assert land(page("a", "b")) == landed
    assert len(list((tmp_path / "store" / "10611" / "org_unit").iterdir())) == 2
