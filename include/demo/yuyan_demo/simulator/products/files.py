"""The file-drop product: deliveries of CSV files in GB18030 and of workbooks, each with a manifest that is written last."""

import hashlib
import io
import shutil
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import xlsxwriter

from yuyan import settings
from yuyan.domain.contracts import Contract
from yuyan_demo.simulator.products import credentials, state
from yuyan_demo.simulator.products.assignment import COMMISSION, entities_of, unannounced
from yuyan_demo.simulator.products.faults import draw

RECORD_LABEL = "记录编号"
PHONE_LABEL = "监护人电话"
WORKBOOKS = {COMMISSION: None, "10655": ("student", "thesis", "degree_award", "employment")}
"""Who delivers workbooks for entities with a period, and for which (None: all); without a period everybody does."""
MAX_WORKBOOK_ROWS = 20_000
"""A larger table is a CSV file everywhere: somebody would have to open the workbook."""


@dataclass(frozen=True)
class Delivered:
    """One file of a delivery: its manifest entry and its bytes."""

    entry: dict[str, Any]
    content: bytes


def drop(home: Path, day: int, institutions: list[str], seed: int) -> dict[str, list[str]]:
    """Write the deliveries of a day for these institutions; what is complete already stays as it is.

    Returns the names of the day's deliveries by institution. One institution a day delivers a file twice, and one
    delivers a manifest that disagrees with a file, followed by a delivery that holds the file with a true manifest.
    """
    contents = {inst: _changed_files(home, day, inst) for inst in institutions}
    busy = sorted(inst for inst, files in contents.items() if files)
    names: dict[str, list[str]] = {}
    for i, inst in enumerate(busy):
        turn = (i - draw(seed, day, "deliveries")) % len(busy)
        deliveries = _deliveries(
            contents[inst], wrong=turn == 0, twice=turn == min(1, len(busy) - 1), day=day, seed=seed
        )
        names[inst] = [
            _write(home, day, inst, number, files) for number, files in enumerate(deliveries, start=1)
        ]
    return names


def _deliveries(
    files: list[Delivered], wrong: bool, twice: bool, day: int, seed: int
) -> list[list[Delivered]]:
    """The day's files as one delivery, and those that follow it when something goes wrong."""
    deliveries = [files]
    if wrong:
        at = draw(seed, day, "wrong") % len(files)
        good = files[at]
        claim = {"rows": good.entry["rows"] + 1} if day % 2 else {"sha256": hashlib.sha256(b"").hexdigest()}
        bad = Delivered(good.entry | claim, good.content)
        deliveries = [[*files[:at], bad, *files[at + 1 :]], [good]]
    if twice:
        deliveries.append([files[draw(seed, day, "twice") % len(files)]])
    return deliveries


def _changed_files(home: Path, day: int, inst: str) -> list[Delivered]:
    """Every (entity, period) whose content differs from the day before, as a file."""
    files = []
    for contract in entities_of(inst):
        now = _live(home, day, inst, contract)
        changed = sorted(set(now["ref_period"]))
        if day > 1 and state.has(home, day - 1, contract):
            before = _digests(_live(home, day - 1, inst, contract))
            after = _digests(now)
            changed = sorted(p for p in before.keys() | after.keys() if before.get(p) != after.get(p))
        for period in changed:
            rows = now.filter(pl.col("ref_period") == period).drop("ref_period")
            files.append(_file(contract, inst, period, rows))
    return files


def _live(home: Path, day: int, inst: str, contract: Contract) -> pl.DataFrame:
    """Record id, supplied fields and ref_period of the records that are not deleted."""
    period = pl.lit("all")
    if contract.period_field:
        period = pl.col(contract.period_field).str.extract(r"^(\d{4})").fill_null("unknown")
    return (
        state.records(home, day, contract.entity, inst)
        .filter(~pl.col("is_deleted"))
        .select("src_record_id", *(f.name for f in contract.supplied), period.alias("ref_period"))
    )


def _digests(frame: pl.DataFrame) -> dict[str, tuple[int, int]]:
    """Period -> (number of rows, sum of row digests); equal exactly when the period holds the same rows."""
    hashed = frame.select("ref_period", pl.struct(pl.exclude("ref_period")).hash(11).alias("hash"))
    grouped = hashed.group_by("ref_period").agg(pl.len(), (pl.col("hash") % (1 << 48)).sum())
    return {period: (rows, digest) for period, rows, digest in grouped.iter_rows()}


def _file(contract: Contract, inst: str, period: str, rows: pl.DataFrame) -> Delivered:
    table = _vendor_shape(contract, inst, rows).sample(fraction=1, shuffle=True, seed=17)
    workbook = _prefers_workbook(contract, inst) and table.height <= MAX_WORKBOOK_ROWS
    content = _workbook(table) if workbook else table.write_csv(line_terminator="\r\n").encode("gb18030")
    suffix = "xlsx" if workbook else "csv"
    entry = {
        "entity": contract.entity,
        "ref_period": period,
        "file": f"{contract.entity}_{period}.{suffix}",
        "format": suffix,
        "encoding": "gb18030" if suffix == "csv" else None,
        "rows": table.height,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    return Delivered(entry, content)


def _prefers_workbook(contract: Contract, inst: str) -> bool:
    if contract.period_field is None:
        return True
    return inst in WORKBOOKS and (WORKBOOKS[inst] is None or contract.entity in WORKBOOKS[inst])


def _vendor_shape(contract: Contract, inst: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Chinese header, local dates and booleans; every column is text."""
    columns = [pl.col("src_record_id").alias(RECORD_LABEL)]
    for f in contract.supplied:
        value = pl.col(f.name)
        if f.type == "date":
            value = value.str.replace(r"^(\d{4})-0?(\d{1,2})-0?(\d{1,2})$", "${1}/${2}/${3}")
        elif f.type == "boolean":
            value = value.replace({"true": "是", "false": "否"})
        columns.append(value.alias(f.label))
    if unannounced(inst, contract.entity):
        columns.append(state.guardian_phone(rows).alias(PHONE_LABEL))
    return rows.select(columns)


def _workbook(table: pl.DataFrame) -> bytes:
    """The table on the first sheet of a workbook, every cell text."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True, "constant_memory": True}) as workbook:
        workbook.set_properties({"created": datetime(2026, 1, 1)})  # the same content is the same file
        sheet = workbook.add_worksheet("数据")
        sheet.write_row(0, 0, table.columns)
        for y, row in enumerate(table.iter_rows(), start=1):
            for x, value in enumerate(row):
                if value is not None:
                    sheet.write_string(y, x, value)
    return buffer.getvalue()


def _write(home: Path, day: int, inst: str, number: int, files: list[Delivered]) -> str:
    """Write one delivery, its manifest last. Returns its name."""
    on: date = settings.FIRST_AS_OF + timedelta(days=day - 1)
    name = f"{on:%Y%m%d}-{number:02d}"
    folder = credentials.file_folder(home, inst) / name
    if (folder / "manifest.json").exists():
        return name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for file in files:
        (folder / file.entry["file"]).write_bytes(file.content)
    manifest = {
        "producer": f"{inst} 数据报送系统",
        "produced_at": f"{on.isoformat()}T{number:02d}:00:00+08:00",
        "schema_version": "1.0.0",
        "sequence": int(name.replace("-", "")),
        "files": [file.entry for file in files],
    }
    state.write_json(folder / "manifest.json", manifest)
    return name
