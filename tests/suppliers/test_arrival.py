"""Deliveries that arrive over a slow line: in any order, in parts, under another name first; and over a real SFTP server."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from test_deliver_kit import DAY, exported, unit

from yuyan.collect.source import Meter, SourceError
from yuyan.suppliers.deliver import delivery

SFTP_SERVER = next(
    (p for p in ("/usr/lib/openssh/sftp-server", "/usr/libexec/sftp-server") if Path(p).exists()), None
)


@pytest.fixture
def built(facts, tmp_path) -> Path:
    """A delivery of two departments, built at the university."""
    exported(tmp_path / "导出", "org_unit.csv", [unit(1), unit(2)], "org_unit", facts)
    report, folder = delivery.build([tmp_path / "导出"], tmp_path / "交付", facts, DAY, only_sound=True)
    assert report.is_sound
    return folder


def taken(drop) -> list[str]:
    """What the line makes of the drop folder: record ids, or why a file is not loaded."""
    line = drop.open()
    found = list(line.complaints)
    for window in line.windows("org_unit", None, False):
        try:
            found += [i for page in line.pages(window, Meter()) for i in page.frame["记录编号"]]
        except SourceError as error:
            found.append(str(error))
    return found


def test_nothing_is_taken_before_the_manifest_is_there(drop, built):
    arriving = drop.folder / built.name
    shutil.copytree(built, arriving, ignore=shutil.ignore_patterns("manifest.json"))
    assert taken(drop) == []
    shutil.copy(built / "manifest.json", arriving)
    assert taken(drop) == ["u1", "u2"]


@pytest.mark.parametrize(
    "name", [".{}.part", "{}.part", "{}.filepart", "{}.FILEPART", "{}.tmp", "{}.uploading", ".{}"]
)
def test_a_folder_that_is_still_being_uploaded_is_passed_over_whole(drop, built, name):
    arriving = shutil.copytree(built, drop.folder / name.format(built.name))
    assert taken(drop) == []
    arriving.rename(drop.folder / built.name)
    assert taken(drop) == ["u1", "u2"]


def test_what_the_manifest_announces_too_early_is_refused_by_name_and_taken_once_it_is_whole(drop, built):
    arriving = drop.folder / built.name
    arriving.mkdir()
    whole = (built / "manifest.json").read_bytes()
    (arriving / "manifest.json").write_bytes(whole[: len(whole) // 2])
    (heard,) = taken(drop)
    assert "清单不符合约定" in heard
    (arriving / "manifest.json").write_bytes(whole)
    (heard,) = taken(drop)
    assert "org_unit_all.csv 未装载：清单列出的文件不存在" in heard
    content = (built / "org_unit_all.csv").read_bytes()
    (arriving / "org_unit_all.csv").write_bytes(content[:-9])
    (heard,) = taken(drop)
    assert "sha256" in heard
    (arriving / "org_unit_all.csv").write_bytes(content)
    assert taken(drop) == ["u1", "u2"]


@pytest.mark.skipif(
    SFTP_SERVER is None or shutil.which("sftp") is None, reason="no SFTP server and client (openssh)"
)
def test_the_kits_commands_upload_it_through_an_sftp_server(drop, built):
    """OpenSSH's client and server, connected to each other; the folder that the server opens on is the drop folder."""
    batch = built.with_name(f"{built.name}.sftp")
    command = ["sftp", "-b", str(batch), "-D", f"{SFTP_SERVER} -d {drop.folder}"]
    before = batch.read_text(encoding="utf-8").splitlines()
    assert before[-2].startswith('put "manifest.json"')
    assert before[-1] == f'rename ".{built.name}.part" "{built.name}"'
    unfinished = built.with_name("cut.sftp")
    unfinished.write_text("\n".join(before[:-2]) + "\n", encoding="utf-8")
    for commands, expected in ((unfinished, []), (batch, ["u1", "u2"])):
        command[2] = str(commands)
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, env={**os.environ, "LC_ALL": "C.UTF-8"}
        )
        assert done.returncode == 0, done.stderr
        assert taken(drop) == expected
    assert json.loads((drop.folder / built.name / "manifest.json").read_bytes())["sequence"] == 2026101501
