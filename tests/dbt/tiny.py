"""Loads `tiny.yml`, a city over two days that can be counted by hand, into raw and accepted."""

from datetime import date
from pathlib import Path

import psycopg
import yaml

from yuyan.domain import contracts

DAY_1, AS_OF = date(2026, 10, 15), date(2026, 10, 16)
A, B, CITY = "10611", "10635", "50000"
PEOPLE = {name: digit * 64 for name, digit in zip(("ANN", "BEN", "CAI", "DAI", "EVA"), "abcde", strict=True)}
DEFAULTS = {"integer": "1", "number": "1", "boolean": "false", "date": "2015-09-01", "array": "x"}
REGION = "500103"


def load(connection: psycopg.Connection) -> None:
    """Write both days into raw, everything accepted, and bring the accepted tables in step."""
    days = yaml.load(
        Path(__file__).with_suffix(".yml").read_text(encoding="utf-8"), yaml.BaseLoader
    )  # text only
    for day, entities in ((DAY_1, days["day_1"]), (AS_OF, days["day_2"])):
        for entity, records in entities.items():
            for source, record, *fields in records:
                _append(connection, entity, day, source, record, fields[0] if fields else None)
    for entity, contract in contracts.load().items():
        columns = ", ".join(f.name for f in contract.columns)
        connection.execute(
            f"insert into accepted.{entity} (src_inst_code, src_record_id, raw_id, batch_id, {columns}) "
            f"select src_inst_code, src_record_id, raw_id, batch_id, {columns} from latest.{entity}"
        )
        connection.execute(
            f"insert into quality.judged select distinct '{entity}', batch_id, 'tiny', 'tiny' from raw.{entity}"
        )
    connection.commit()


def _append(
    connection: psycopg.Connection,
    entity: str,
    day: date,
    source: str,
    record: str,
    fields: dict[str, str] | None,
) -> None:
    """Add a version of a record to raw; without fields it is a deletion."""
    contract = contracts.load()[entity]
    if unknown := set(fields or {}) - {f.name for f in contract.columns}:
        raise KeyError(f"{entity} has no field {sorted(unknown)}")
    row = {
        "src_inst_code": source,
        "src_record_id": record,
        "source_version": day.toordinal(),
        "is_deleted": fields is None,
        "row_hash": b"",
        "batch_id": f"{entity}-{day}",
        "row_no": 1,
        "as_of": day,
    }
    if fields is not None:
        row |= {f.name: fields.get(f.name, _default(f)) for f in contract.columns}
        if "person_key" in fields:
            row["person_key"] = PEOPLE[fields["person_key"]]
    places = ", ".join(["%s"] * len(row))
    connection.execute(f"insert into raw.{entity} ({', '.join(row)}) values ({places})", list(row.values()))


def _default(field: contracts.Field) -> str | None:
    if not field.mandatory:
        return None
    if field.code_set:
        return next(iter(contracts.code_sets()[field.code_set]))
    if field.name.endswith("region_code"):
        return REGION
    return DEFAULTS.get(field.type, "x")
