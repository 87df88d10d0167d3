"""Every error of the catalogue is said by name, stops its institution or entity alone, and none is an accident of ours."""

import json
from datetime import date
from pathlib import Path

import fake_platforms as fake
import psycopg
import pytest
import source_errors
import yaml

from yuyan import settings
from yuyan.collect import file_reader, http, workbook_check
from yuyan.domain import institutions
from yuyan.load.run import collect_institution

AS_OF = date(2026, 10, 15)
ACCIDENT = "程序意外错误"
SOUND = "10999"

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("patience")]


def said(dsn: str, inst_code: str) -> str:
    """What the outcomes of an institution's collection say."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "select coalesce(error, '') from ops.collection_result where src_inst_code = %s order by entity",
            [inst_code],
        ).fetchall()
    assert rows, f"{inst_code} has no outcome"
    return "\n".join(text for (text,) in rows if text)


def stored(dsn: str, inst_code: str) -> int:
    with psycopg.connect(dsn) as connection:
        return connection.execute(
            "select count(*) from raw.org_unit where src_inst_code = %s", [inst_code]
        ).fetchone()[0]


def wrong(name: str, expected: str, text: str) -> str | None:
    """What is not right about what was said, or None."""
    if ACCIDENT in text or "Traceback" in text:
        return f"{name}: {text}"
    return (
        None
        if expected in text and bool(expected) == bool(text)
        else f"{name}: {expected!r} is not in {text!r}"
    )


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """An empty folder of institution files."""
    path = tmp_path / "institutions"
    path.mkdir()
    monkeypatch.setenv("YUYAN_INSTITUTIONS", str(path))
    return path


def write(folder: Path, code: str, product: str, **more) -> None:
    file = {"inst_code": code, "name": "试验大学", "product": product, "connection": f"platform_{code}"}
    file = {"entities": ["org_unit"]} | file | more
    (folder / f"{code}.yml").write_text(yaml.safe_dump(file, allow_unicode=True), encoding="utf-8")


def test_every_fault_of_a_delivery_is_said_by_name(warehouse, folder, connect, tmp_path, monkeypatch):
    monkeypatch.setattr(workbook_check, "MOST_NOTED", source_errors.MOST_NOTED)
    monkeypatch.setattr(file_reader, "LONGEST_HEADER", 400)
    faults = {f"2{i:04d}": fault for i, fault in enumerate(source_errors.DELIVERIES)}
    found = []
    for code, fault in faults.items():
        write(folder, code, "file-drop", limits=fault.limits)
        connect(code, conn_type="fs", extra={"path": str(tmp_path / code)})
        delivery = tmp_path / code / "20261015-01"
        delivery.mkdir(parents=True)
        for name, content in fault.files().items():
            path = tmp_path / f"{code}-{name}" if name == fault.link else delivery / name
            path.write_bytes(content)
            if name == fault.link:
                (delivery / name).symlink_to(path)
        collect_institution(code, "run", AS_OF)
        found.append(wrong(fault.name, fault.says, said(warehouse, code)))
        if (rows := stored(warehouse, code)) != fault.loaded:
            found.append(f"{fault.name}: {rows} rows in raw")
    assert "\n".join(filter(None, found)) == ""


def test_every_fault_of_a_configuration_is_said_by_name_and_stops_nobody_else(
    warehouse, folder, connect, tmp_path, monkeypatch
):
    monkeypatch.setattr(http, "ATTEMPTS", 2)
    faults = {f"2{i:04d}": fault for i, fault in enumerate(source_errors.FILES)}
    write(folder, SOUND, "file-drop")
    (tmp_path / "drop").mkdir()
    connect(SOUND, conn_type="fs", extra={"path": str(tmp_path / "drop")})
    for code, fault in faults.items():
        write(folder, code, fault.product, **fault.more)
        if fault.text:
            text = (
                fault.text if isinstance(fault.text, bytes) else fault.text.replace("{code}", code).encode()
            )
            (folder / f"{code}.yml").write_bytes(text)
        if fault.conn is not None:
            connect(code, **fault.conn)
    assert set(institutions.codes()) == {SOUND, *faults}
    assert list(institutions.load()).count(SOUND) == 1
    found = []
    for code, fault in faults.items():
        result = collect_institution(code, "run", AS_OF)
        assert result["outcome"] == "failed", fault.name
        found.append(wrong(fault.name, fault.says, said(warehouse, code)))
    assert "\n".join(filter(None, found)) == ""
    assert collect_institution(SOUND, "run", AS_OF)["outcome"] == "success"


def test_every_fault_of_an_answer_is_said_by_name(warehouse, folder, connect, monkeypatch):
    monkeypatch.setattr(http, "ATTEMPTS", 2)
    monkeypatch.setattr(http, "LONGEST_RETRY_AFTER", 0.01)
    platform = fake.Versioned()
    true_answer = platform.on_answer
    found = []
    for i, fault in enumerate(source_errors.ANSWERS):
        code = f"2{i:04d}"
        write(folder, code, "rest-versioned", limits=fault.limits)
        connect(code, **source_errors.HTTP, port=platform.port)

        def answer(server, method, path, params, headers, fault=fault):
            if path == "/org_unit":
                return fault.status, fault.headers, fault.body
            return true_answer(server, method, path, params, headers)

        platform.on_answer = answer
        platform.records["org_unit"] = [fake.unit(1)]
        collect_institution(code, "run", AS_OF)
        found.append(wrong(fault.name, fault.says, said(warehouse, code)))
        found.append(None if stored(warehouse, code) == 0 else f"{fault.name}: rows in raw")
    platform.close()
    assert "\n".join(filter(None, found)) == ""


def test_the_catalogue_names_every_entry_once():
    names = [f.name for f in (*source_errors.DELIVERIES, *source_errors.FILES, *source_errors.ANSWERS)]
    assert len(names) == len(set(names)) > 80
    assert settings.PLATFORMS.is_dir()
    assert json.loads(source_errors.sound())["items"]
