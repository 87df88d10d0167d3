"""Landing is not trusted: what is read is what was landed, or it is refused by name and landed anew."""

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
