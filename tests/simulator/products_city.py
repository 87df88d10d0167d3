"""A small hand-made population for the product tests: every row is known, so every answer can be foretold."""

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from yuyan.domain import contracts
from yuyan_demo.simulator.products import state
from yuyan_demo.simulator.products.assignment import entities_of

STUDENTS, OTHERS = 23, 3
MIDNIGHT = datetime(2026, 10, 14)


def rows(inst: str, contract: contracts.Contract, day: int) -> list[dict]:
    """Records of one entity: day 2 changes record 1, deletes record 2, gives record 0 a new key and adds one."""
    count = STUDENTS if contract.entity == "student" else OTHERS
    made = [_row(inst, contract, i, version=i + 1) for i in range(count)]
    if day == 1:
        return made
    late = MIDNIGHT + timedelta(days=1)
    made[0] |= {contract.key[0]: f"{inst}NEW0", "change_version": 1001, "updated_at": late}
    made[1] |= {"change_version": 1002, "updated_at": late, _plain_field(contract): "999"}
    made[2] |= {"change_version": 1003, "updated_at": late, "is_deleted": True}
    return [*made, _row(inst, contract, count, version=1004) | {"updated_at": late}]


def write(home: Path, day: int, institutions: list[str]) -> dict[tuple[str, str], pl.DataFrame]:
    """Write the state of a day; returns its records by (institution, entity)."""
    frames = {}
    folder = state.day_folder(home, day)
    folder.mkdir(parents=True, exist_ok=True)
    for contract in contracts.load().values():
        schema = _schema(contract)
        parts = [pl.DataFrame(schema=schema)]
        for inst in institutions:
            if contract in entities_of(inst):
                frames[inst, contract.entity] = pl.DataFrame(rows(inst, contract, day), schema=schema)
                parts.append(frames[inst, contract.entity])
        pl.concat(parts).sample(fraction=1, shuffle=True, seed=day).write_parquet(
            folder / f"{contract.entity}.parquet"
        )
    return frames


def _schema(contract: contracts.Contract) -> dict[str, type[pl.DataType] | pl.DataType]:
    return {
        "src_inst_code": pl.String,
        "src_record_id": pl.String,
        "change_version": pl.Int64,
        "updated_at": pl.Datetime("us"),
        "is_deleted": pl.Boolean,
        **{f.name: pl.String for f in contract.supplied},
    }


def _plain_field(contract: contracts.Contract) -> str:
    """A field outside the key and the period, one that may hold any digits if there is one."""
    free = [f for f in contract.supplied if f.name not in {*contract.key, contract.period_field}]
    return min(free, key=lambda f: f.type not in ("string", "integer")).name


def _row(inst: str, contract: contracts.Contract, i: int, version: int) -> dict:
    row = {
        "src_inst_code": inst,
        "src_record_id": f"{inst}-{contract.entity}-{i:03d}",
        "change_version": version,
        "updated_at": MIDNIGHT + timedelta(seconds=(i * 7919) % 60, microseconds=i),
        "is_deleted": False,
    }
    row |= {f.name: _value(inst, f, i) for f in contract.supplied}
    if contract.entity == "student":
        row |= _oddities(i)
    return row


def _value(inst: str, f: contracts.Field, i: int) -> str | None:
    if f.presence == "optional" and i % 3 == 2:
        return None
    if f.name in ("student_id", "supervisor_id", "pi_supervisor_id"):
        return f"{inst}2024{i:04d}" if i % 3 else f"10001{i:04d}"
    if f.name == "teacher_ids":
        return f"{inst}T{i};10001T{i}"
    by_type = {
        "date": f"202{i % 3}-0{i % 9 + 1}-1{i % 10}",
        "integer": str(2020 + i % 3),
        "number": f"{i}.50",
        "boolean": "true" if i % 2 else "false",
        "array": f"A{i};B{i}",
    }
    if f.type in by_type:
        return by_type[f.type]
    if f.code_set:
        codes = sorted(contracts.code_sets()[f.code_set])
        return codes[i % len(codes)]
    return f"2023-{i}" if f.name == "academic_year" else f"{f.label}{i}"


def _oddities(i: int) -> dict[str, str]:
    """Values that do not have their field's form, and text that a careless encoder breaks."""
    return {
        3: {"entry_on": "2023-02-30", "birth_year": "abc", "status_code": "ZZ"},
        4: {"unit_code": '引"号,\\;\n换行', "birth_year": "007", "is_alternation": "maybe"},
        5: {"entry_on": "不详", "person_name": "𠮷田㐂"},
    }.get(i, {})
