"""The pages on institutions and products show files that work."""

import hashlib
import json
import shutil
from datetime import date
from pathlib import Path

import psycopg
import pytest

from support import how_to
from yuyan import settings
from yuyan.domain import contracts, institutions
from yuyan.load.run import collect_institution


def test_the_file_shown_is_accepted_and_every_key_is_explained(tmp_path: Path):
    page = (how_to.FOLDER / "connect-an-institution.md").read_text(encoding="utf-8")
    folders = {"include/institutions/": tmp_path}
    how_to.follow(settings.PROJECT, "connect-an-institution", "An institution", folders)
    (one,) = institutions.load(tmp_path).values()
    assert one.name == "重庆大学"
    for key in institutions._File.model_fields:
        assert key in page


@pytest.mark.database
def test_an_institution_that_runs_the_product_shown_is_collected(
    warehouse, connect, own_institutions, tmp_path, monkeypatch
):
    platforms = shutil.copytree(settings.PLATFORMS, tmp_path / "platforms")
    how_to.follow(settings.PROJECT, "add-a-product", "A product", {"include/platforms/": platforms})
    load = institutions.load
    monkeypatch.setattr(institutions, "load", lambda: load(None, platforms))
    assert own_institutions("10647", "campus-files").product == "campus-files"
    connect("10647", conn_type="fs", extra={"path": str(tmp_path / "deliveries")})
    _deliver(tmp_path / "deliveries" / "1", contracts.load()["org_unit"])
    result = collect_institution("10647", "run-1", date(2026, 10, 15), ["org_unit"])
    assert (result["outcome"], result["error"], result["rows_stored"]) == ("success", None, 1)
    with psycopg.connect(warehouse) as connection:
        rows = connection.execute(
            "select src_record_id, unit_code, is_entity, valid_from::text from latest.org_unit"
        ).fetchall()
    assert rows == [("u-1", "001", True, "1990-01-31")]


def _deliver(folder: Path, contract: contracts.Contract) -> None:
    """A delivery with one file of one row."""
    folder.mkdir(parents=True)
    names = [f.name for f in contract.supplied]
    given = {"inst_code": "10647", "unit_code": "001", "is_entity": "Y", "valid_from": "19900131"}
    rows = [["RECORD_ID", *names], ["u-1", *(given.get(name, "") for name in names)]]
    file = folder / "units.csv"
    file.write_bytes("".join(",".join(row) + "\r\n" for row in rows).encode("gb18030"))
    entry = {"entity": contract.entity, "ref_period": "2026", "file": file.name, "format": "csv", "rows": 1}
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    manifest = {"producer": "x", "schema_version": "1", "sequence": 1, "files": [entry | {"sha256": digest}]}
    (folder / "manifest.json").write_text(json.dumps(manifest))
