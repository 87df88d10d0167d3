"""Deliveries: check one that stands there, build one from what the university's systems export.

A delivery is a folder `<yyyymmdd>-<nn>` with its files and, written last, `manifest.json` (docs/platform-products.md).
"""

import csv
import hashlib
import io
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

from yuyan.collect.file_faults import Said, bad_manifest, not_loaded, said
from yuyan.collect.moments import STANDARD_TIME
from yuyan.suppliers.deliver import tables
from yuyan.suppliers.deliver.facts import Facts, entities_called, entities_listed
from yuyan.suppliers.deliver.rules import Finding, judge
from yuyan.suppliers.deliver.tables import Refused, Row

MANIFEST = "manifest.json"
SHOWN = 5
"""Rows that are named under a rule."""


class Report:
    """What is to be said about a delivery. `faults`: what keeps a file or the delivery out. `findings` by entity."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.faults: list[Said] = []
        self.files: list[tuple[str, str, int]] = []
        """(file, entity, rows) of what could be read."""
        self.findings: dict[str, list[Finding]] = {}
        self.where: dict[int, str] = {}
        """id of a row -> its file."""

    @property
    def is_sound(self) -> bool:
        return not self.faults and not any(self.findings.values())

    def judge(self, rows: dict[str, list[Row]], facts: Facts) -> None:
        """Judge what was read, by entity."""
        self.findings = {entity: judge(facts["entities"][entity], of, facts) for entity, of in rows.items()}

    def add(self, file: str, entity: str, rows: list[Row]) -> None:
        """Note a file that could be read."""
        self.files.append((file, entity, len(rows)))
        self.where.update((id(row), file) for row in rows)

    def as_rows(self) -> list[dict[str, Any]]:
        """Every finding as a flat row."""
        return [
            {
                "file": self.where[id(finding.row)], "line": finding.row.line, "record_id": finding.row.record_id,
                "rule_id": finding.rule["rule_id"], "severity": finding.rule["severity"], "entity": entity,
                "column": finding.rule["column"], "observed": finding.observed, "message": finding.rule["message"],
                "fix": finding.rule["fix"],
            }
            for entity, findings in self.findings.items()
            for finding in findings
        ]  # fmt: skip


def check(folder: Path, facts: Facts) -> Report:
    """What the line would say about a delivery that stands in a folder."""
    report, read = Report(folder.name), {}
    listed = [(entity, e) for e in _entries(folder, facts, report) for entity in entities_listed(e, facts)]
    periods = [(entity, e["ref_period"]) for entity, e in listed]
    for entity, entry in listed:
        where = f"{folder.name}/{entry['file']}"
        try:
            if periods.count((entity, entry["ref_period"])) > 1:
                raise Refused(said("period_twice", period=entry["ref_period"]))
            rows = _proven(folder / entry["file"], entry, facts["entities"][entity], facts)
        except Refused as refused:
            report.faults.append(not_loaded(where, refused.said))
            continue
        report.add(where, entity, rows)
        read.setdefault(entity, []).extend(rows)
    report.judge(read, facts)
    return report


def build(
    sources: list[Path], to: Path, facts: Facts, day: date, only_sound: bool
) -> tuple[Report, Path | None]:
    """Build a delivery from exported files, named after what they hold, and say what the line would say about it.

    Nothing is built where a file cannot be read as agreed, or, with `only_sound`, where a record would be refused. The
    folder appears as a whole. Raises OSError.
    """
    report, read = Report(""), {}
    for path in _files(sources):
        entities = entities_called(path.name, facts)
        if not entities:
            known = "、".join(
                f"{name}（{e['label']}）" if e["table"] == name else f"{e['table']}（{e['label']}）"
                for name, e in facts["entities"].items()
            )
            words = f"文件 {path.name} 不知属于哪个实体：文件名以实体名开头，例如 student_2024.csv。可用的实体：{known}"
            report.faults.append(Said(words, f"{path.name}: begin the file's name with the entity's"))
            continue
        kind = path.suffix[1:].lower()
        encoding = tables.encoding_by_content(path.read_bytes()) if kind == "csv" else None
        for entity in entities:
            known = facts["entities"][entity]
            try:
                rows = tables.read(path, kind, encoding, known, facts)
                read.setdefault(entity, []).extend(rows)
                tables.check_ids(read[entity], known)
            except Refused as refused:
                report.faults.append(not_loaded(path.name, refused.said))
                continue
            report.add(path.name, entity, rows)
    if not report.files and not report.faults:
        report.faults.append(
            Said("没有可交付的文件（.csv、.xlsx）", "there is no file to deliver (.csv, .xlsx)")
        )
    report.judge(read, facts)
    blocked = any(f.rule["severity"] in ("ERROR", "REJECT") for of in report.findings.values() for f in of)
    if report.faults or (only_sound and blocked):
        return report, None
    folder = _write(report, read, to, facts, day)
    report.name = folder.name
    return report, folder


def header(table: str, facts: Facts) -> list[str]:
    """Columns of a file: those that the entities are made of that it holds."""
    of = [e["columns"] for e in facts["entities"].values() if e["table"] == table]
    return list(dict.fromkeys(column for columns in of for column in columns))


def _files(sources: list[Path]) -> list[Path]:
    found = [p for s in sources for p in ([s] if s.is_file() else sorted(s.iterdir()))]
    return [p for p in found if p.suffix.lower() in (".csv", ".xlsx") and not p.name.startswith((".", "~$"))]


def _period(row: Row, entity: Facts) -> str:
    if entity["period_field"] is None:
        return "all"
    match = re.match(r"[0-9]{4}", row.values.get(entity["period_field"]) or "")
    return match[0] if match else "unknown"


def _write(report: Report, read: dict[str, list[Row]], to: Path, facts: Facts, day: date) -> Path:
    """The delivery's folder, which appears with all it holds, and the commands that upload it."""
    to.mkdir(parents=True, exist_ok=True)
    numbers = [int(p.name[9:]) for p in to.glob(f"{day:%Y%m%d}-*") if p.is_dir() and p.name[9:].isdecimal()]
    name = f"{day:%Y%m%d}-{max(numbers, default=0) + 1:02d}"
    part = to / f".{name}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    entries = []
    for table in dict.fromkeys(facts["entities"][entity]["table"] for entity in read):
        sharing = {e: rows for e, rows in read.items() if facts["entities"][e]["table"] == table}
        entity = next(iter(sharing))
        of_period: dict[str, list[dict]] = {period: [] for period in _delivered(to, table)}
        for period, cells in _records(report, sharing, facts):
            of_period.setdefault(period, []).append(cells)
        for period, some in sorted(of_period.items()):
            content = _content(some, table, facts)
            file = f"{entity}_{period}.csv"
            (part / file).write_bytes(content)
            entries.append({
                "entity": table, "ref_period": period, "file": file, "format": "csv", "encoding": "gb18030",
                "rows": len(some), "sha256": hashlib.sha256(content).hexdigest(),
            })  # fmt: skip
    institution = facts["institution"]
    manifest = {
        "producer": f"{institution['inst_code']} {institution['name']}",
        "produced_at": datetime.now(STANDARD_TIME).isoformat(timespec="seconds"),
        "schema_version": facts["schema_version"],
        "sequence": int(name.replace("-", "")),
        "files": entries,
    }
    text = json.dumps(manifest, ensure_ascii=False, indent=1)
    (part / MANIFEST).write_text(text, encoding="utf-8")
    (to / f"{name}.sftp").write_text(_upload(to / name, [e["file"] for e in entries]), encoding="utf-8")
    os.rename(part, to / name)
    return to / name


def _records(
    report: Report, sharing: dict[str, list[Row]], facts: Facts
) -> Iterator[tuple[str, dict[str, str]]]:
    """(period, cells by column) of a file's records; one of which several entities are made is delivered once, whole."""
    found: dict[tuple[str, int], tuple[str, dict[str, str]]] = {}
    for entity, rows in sharing.items():
        for row in rows:
            period = _period(row, facts["entities"][entity]) if len(sharing) == 1 else "all"
            _, cells = found.get((report.where[id(row)], row.line), (period, {}))
            found[report.where[id(row)], row.line] = period, cells | row.cells
    yield from found.values()


def _delivered(to: Path, table: str) -> set[str]:
    """Periods of which the newest delivery so far has rows: one that is empty now is delivered once without rows."""
    newest: dict[str, int] = {}
    for path in sorted(to.glob(f"*/{MANIFEST}")):
        try:
            files = json.loads(path.read_text(encoding="utf-8-sig"))["files"]
            newest.update((f["ref_period"], f["rows"]) for f in files if f["entity"] == table)
        except (OSError, ValueError, LookupError, TypeError):
            continue
    return {period for period, rows in newest.items() if rows}


def _content(rows: list[dict[str, str]], table: str, facts: Facts) -> bytes:
    """A file of these rows: only what is read, so that what nobody announced stays where it is."""
    out, columns = io.StringIO(newline=""), header(table, facts)
    writer = csv.writer(out, lineterminator="\r\n", delimiter=facts["formats"]["delimiter"])
    writer.writerow(columns)
    writer.writerows([row.get(column) or "" for column in columns] for row in rows)
    return out.getvalue().encode("gb18030")


def _upload(folder: Path, files: list[str]) -> str:
    """Commands for `sftp -b`: the delivery arrives under a name that the line passes over and is renamed when complete."""
    part = f".{folder.name}.part"
    puts = [f'put "{file}" "{part}/{file}"' for file in [*files, MANIFEST]]
    lines = [
        f'lcd "{folder.resolve().as_posix()}"',
        f'-mkdir "{part}"',
        *puts,
        f'rename "{part}" "{folder.name}"',
    ]
    return "".join(line + "\n" for line in lines)


def _entries(folder: Path, facts: Facts, report: Report) -> list[dict[str, Any]]:
    """The files that the manifest lists; what is wrong with it goes to the report."""

    def complain(fault: Said) -> None:
        report.faults.append(bad_manifest(folder.name, fault))

    path = folder / MANIFEST
    if not _is_regular(path):
        complain(said("manifest_link"))
        return []
    try:
        manifest = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        complain(said("manifest_unreadable", error=type(error).__name__))
        return []
    except (ValueError, RecursionError):
        complain(said("manifest_no_json"))
        return []
    fault = _manifest_fault(manifest)
    if fault:
        complain(fault)
        return []
    entries = []
    for number, entry in enumerate(manifest["files"], start=1):
        if wrong := _entry_fault(entry):
            words = f"第 {number} 个文件：{wrong} 缺失或不是约定的写法"
            complain(Said(words, f"file {number}: {wrong} is missing or not as agreed"))
        elif not entities_listed(entry, facts):
            complain(said("manifest_entity", number=number, entity=entry["entity"][:40]))
        else:
            entries.append(entry)
    return entries


def _manifest_fault(manifest: Any) -> Said | None:
    wrong = "files"
    if isinstance(manifest, dict):
        sequence = manifest.get("sequence")
        is_number = isinstance(sequence, int) and not isinstance(sequence, bool) and 0 <= sequence < 2**63
        shapes = {
            "producer": isinstance(manifest.get("producer"), str),
            "schema_version": isinstance(manifest.get("schema_version"), str),
            "sequence": is_number,
            "files": isinstance(manifest.get("files"), list),
        }
        wrong = next((name for name, is_good in shapes.items() if not is_good), "")
    if not wrong:
        return None
    return Said(f"{wrong}：缺失或不是约定的写法", f"{wrong}: is missing or not as agreed")


def _entry_fault(entry: Any) -> str:
    """The first part of an entry that is not as agreed."""
    if not isinstance(entry, dict):
        return "entity"
    patterns = {
        "entity": r".*", "ref_period": r".*", "file": r"[^/\\]+", "format": "csv|xlsx", "sha256": r"\s*[0-9a-fA-F]{64}\s*",
    }  # fmt: skip
    for name, pattern in patterns.items():
        if not isinstance(entry.get(name), str) or not re.fullmatch(pattern, entry[name]):
            return name
    if not isinstance(entry.get("encoding"), (str, type(None))):
        return "encoding"
    rows = entry.get("rows")
    return "" if isinstance(rows, int) and not isinstance(rows, bool) and rows >= 0 else "rows"


def _proven(path: Path, entry: dict[str, Any], entity: Facts, facts: Facts) -> list[Row]:
    """The rows of a listed file. Raises Refused for one that is not what the manifest says."""
    if not _is_regular(path):
        raise Refused(said("link"))
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        manifest = entry["sha256"].strip().lower()
        if found != manifest:
            raise Refused(said("digest", manifest=manifest[:12], found=found[:12]))
        rows = tables.read(path, entry["format"], entry.get("encoding"), entity, facts)
    except FileNotFoundError:
        raise Refused(said("absent")) from None
    except OSError as error:
        raise Refused(said("unreadable", error=type(error).__name__)) from None
    if len(rows) != entry["rows"]:
        raise Refused(said("rows", manifest=entry["rows"], found=len(rows)))
    return rows


def _is_regular(path: Path) -> bool:
    """Whether a file is one itself in the delivery's own folder; true also where there is none at all."""
    try:
        return not path.parent.is_symlink() and stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return True
