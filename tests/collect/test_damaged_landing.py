"""Landing is not trusted: what is read is what was landed, or it is refused by name and landed anew."""

import json
from pathlib import Path

import polars as pl
import pytest
from test_landing import folder, land, page
from test_replay import ENTITIES, two  # noqa: F401 - a fixture

from yuyan.collect import landing
from yuyan.collect.source import SourceError

DAMAGES = {
    "altered": lambda path: path.write_bytes(path.read_bytes().replace(b"PAR1", b"PAR2", 1)),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-20]),
    "emptied": lambda path: path.write_bytes(b""),
    "gone": Path.unlink,
}


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize("suffix", [".parquet", ".json"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_batch_is_refused_and_landed_anew(damage, suffix):
    landed = land(page("a", "b"))
    sound = Path(landed.uri).read_bytes()
    file = Path(landed.uri).with_suffix(suffix)
    if suffix == ".json" and damage == "altered":
        file.write_text(file.read_text().replace('"window_to": "9"', '"window_to": "8"'))
    else:
        DAMAGES[damage](file)
    with pytest.raises(FileNotFoundError if damage == "gone" else landing.DamagedBatch):
        landing.find(landed.uri).open()
    again = land(page("a", "b"))
    assert again == landed
    assert pl.read_parquet(again.open())["src_record_id"].to_list() == ["a", "b"]
    assert Path(again.uri).read_bytes() == sound
    aside = {path.name for path in folder().glob("*.damaged")}
    assert (f"{file.name}.damaged" in aside) == (damage != "gone")


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_manifest_altered_in_any_key_is_refused_and_landed_anew(scheme, monkeypatch, tmp_path):
    """Of what the batch's id does not cover, too: `greatest` would move the watermark, `is_last` end a window."""
    monkeypatch.setenv("YUYAN_LANDING", f"{scheme}{tmp_path}/landing")
    landed = land(page("a", "b", unannounced={"phone": 2}))
    path = Path(landed.uri.removeprefix(scheme)).with_suffix(".json")
    sound = path.read_text(encoding="utf-8")
    alterations = {f"{key} altered": {key: altered(value)} for key, value in landed.manifest.items()}
    believed = []
    for what, change in alterations.items():
        path.write_text(json.dumps(landed.manifest | change), encoding="utf-8")
        believed += is_believed(landed.uri, what)
    for key in landed.manifest:
        path.write_text(json.dumps({k: v for k, v in landed.manifest.items() if k != key}), encoding="utf-8")
        believed += is_believed(landed.uri, f"{key} gone")
    assert believed == []
    assert len(alterations) == 22
    assert land(page("a", "b", unannounced={"phone": 2})) == landed
    assert path.read_text(encoding="utf-8") == sound
    assert (path.parent / f"{path.name}.damaged").exists()


@pytest.mark.usefixtures("work")
def test_a_manifest_of_before_it_had_a_digest_counts_as_it_did():
    landed = land(page("a", "b"))
    path = Path(landed.uri).with_suffix(".json")
    before = {k: v for k, v in landed.manifest.items() if k != "manifest_digest"} | {"connector_version": 1}
    path.write_text(json.dumps(before), encoding="utf-8")
    assert landing.find(landed.uri).manifest == before
    assert land(page("a", "b")).manifest == before
    path.write_text(json.dumps(before | {"window_to": "8"}), encoding="utf-8")
    assert is_believed(landed.uri, "another window") == []


def altered(value: object) -> object:
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, dict):
        return {**value, "x": 1}
    return value + 1 if isinstance(value, int) else f"{value or ''}x"


def is_believed(uri: str, what: str) -> list[str]:
    """What was done to a batch, if it is still taken for what was landed."""
    try:
        landing.find(uri)
    except landing.DamagedBatch:
        return []
    return [what]


@pytest.mark.database
@pytest.mark.usefixtures("patience")
def test_a_damaged_batch_stops_its_entity_alone_and_a_full_listing_replaces_it(two, monkeypatch):  # noqa: F811
    monkeypatch.setattr("yuyan.load.replay.mapping.version", lambda _: "corrected")
    query = "select landing_uri from ops.batch where src_inst_code = '10611' and entity = 'course'"
    ((uri,),) = two.fetch(query)
    DAMAGES["altered"](Path(uri))
    with pytest.raises(SourceError, match=r"^10611 course：落地批次 .* 已损坏") as stopped:
        two.replay("remap", "10611", ENTITIES)
    assert "org_unit：" not in str(stopped.value)
    done = two.fetch("select entity from ops.batch where src_inst_code = '10611' and run_id ~ 'replay'")
    assert done == [("org_unit",)]
    two.replay("recollect", "10611", ["course"])
    assert two.replay("remap", "10611", ENTITIES)["batches"] == 0
