"""OpenLineage events of dbt's models, with the lineage of every column. Off unless YUYAN_OPENLINEAGE names where they go:
a file, to which they are appended one a line, or an address (http, https) to which each is posted.

An event says which model ran in which run of the line, how it ended, which tables it read and which columns each of its
columns was made of; the last by sqlglot, from the SQL that dbt compiled and the columns that the database has. A receiver
that is down stops nothing: that it got no events is logged.
"""

import json
import logging
import os
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg
import urllib3
from psycopg.conninfo import conninfo_to_dict
from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.lineage import lineage
from sqlglot.schema import MappingSchema

from yuyan import settings

log = logging.getLogger(__name__)

VARIABLE = "YUYAN_OPENLINEAGE"
SPEC = "https://openlineage.io/spec"
FACETS = {
    "schema": "1-1-1/SchemaDatasetFacet",
    "columnLineage": "1-2-0/ColumnLineageDatasetFacet",
    "parent": "1-1-0/ParentRunFacet",
    "nominalTime": "1-0-1/NominalTimeRunFacet",
    "jobType": "2-0-3/JobTypeJobFacet",
    "sql": "1-1-0/SQLJobFacet",
    "errorMessage": "1-0-1/ErrorMessageRunFacet",
}
"""Facet -> version and name of its definition."""
_COLUMNS = """
select n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod) from pg_attribute a
join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'v', 'm') and n.nspname not like 'pg\\_%'
and n.nspname <> 'information_schema' order by 1, 2, a.attnum
"""

Columns = dict[tuple[str, str], dict[str, str]]
"""(schema, table) -> column -> type."""


@dataclass(frozen=True)
class Model:
    """A model that dbt ran: its id, what it makes, the SQL that it ran, and how that ended (`error` None: it was built)."""

    node_id: str
    schema: str
    table: str
    sql: str
    ended_at: datetime
    error: str | None = None


def is_wanted() -> bool:
    """Does the environment name where events go?"""
    return bool(os.environ.get(VARIABLE))


def emit(models: Iterable[Model], layer: str, run_id: str, as_of: date) -> int:
    """Send an event for each model of a layer; returns how many were sent. Never raises for the receiver's sake."""
    dsn = settings.warehouse_dsn("transform")
    parts = conninfo_to_dict(dsn)
    place = f"postgres://{parts.get('host', 'localhost')}:{parts.get('port', 5432)}"
    with psycopg.connect(dsn) as connection:
        columns: Columns = {}
        for schema, table, name, kind in connection.execute(_COLUMNS):
            columns.setdefault((schema, table), {})[name] = kind
    known = MappingSchema(_nested(parts["dbname"], columns), dialect="postgres")
    events = [_event(m, layer, run_id, as_of, place, parts["dbname"], columns, known) for m in models]
    try:
        _send(events, os.environ[VARIABLE])
    except (OSError, urllib3.exceptions.HTTPError) as error:
        log.warning(
            "%s 没有收到 %s 层的 %s 个 OpenLineage 事件：%s", os.environ[VARIABLE], layer, len(events), error
        )
        return 0
    return len(events)


def made_of(sql: str, known: MappingSchema) -> dict[str, set[tuple[str, str, str]]]:
    """Column -> (schema, table, column) that it is made of; of a constant, nothing. Raises SqlglotError.

    >>> made_of('select a + b as c from "w"."star"."t"', known)
    {'c': {('star', 't', 'a'), ('star', 't', 'b')}}
    """
    found = {}
    for name, node in lineage(None, sql, schema=known, dialect="postgres", trim_selects=False).items():
        leaves = [
            n for n in node.walk() if not n.downstream and isinstance(n.source, exp.Table) and n.source.db
        ]
        found[name] = {(leaf.source.db, leaf.source.name, exp.to_column(leaf.name).name) for leaf in leaves}
    return found


def _event(
    m: Model,
    layer: str,
    run_id: str,
    as_of: date,
    place: str,
    database: str,
    columns: Columns,
    known: MappingSchema,
) -> dict[str, Any]:
    name = f"{database}.{m.schema}.{m.table}"
    facets: dict[str, Any] = {}
    if own := columns.get((m.schema, m.table)):
        facets["schema"] = _facet("schema", fields=[{"name": n, "type": t} for n, t in own.items()])
    try:
        tables = _tables(m.sql)
        fields = {
            column: {"inputFields": [
                {"namespace": place, "name": f"{database}.{schema}.{table}", "field": field}
                for schema, table, field in sorted(sources)
            ]}
            for column, sources in made_of(m.sql, known).items()
        }  # fmt: skip
        facets["columnLineage"] = _facet("columnLineage", fields=fields)
    except SqlglotError as error:
        log.warning("%s：无法从 SQL 得出列的来源：%s", m.node_id, error)
    run_facets = {
        "parent": _facet(
            "parent",
            run={"runId": str(_uuid(run_id))},
            job={"namespace": "yuyan", "name": f"warehouse.{layer}"},
        ),
        "nominalTime": _facet("nominalTime", nominalStartTime=f"{as_of}T00:00:00+08:00"),
    }
    if m.error is not None:
        run_facets["errorMessage"] = _facet("errorMessage", message=m.error, programmingLanguage="SQL")
    return {
        "eventType": "COMPLETE" if m.error is None else "FAIL",
        "eventTime": m.ended_at.isoformat(),
        "producer": _producer(),
        "schemaURL": f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": str(_uuid(f"{run_id} {m.node_id}")), "facets": run_facets},
        "job": {
            "namespace": "yuyan",
            "name": f"{m.schema}.{m.table}",
            "facets": {
                "jobType": _facet("jobType", processingType="BATCH", integration="DBT", jobType="MODEL"),
                "sql": _facet("sql", query=m.sql, dialect="postgres"),
            },
        },
        "inputs": [
            {"namespace": place, "name": f"{database}.{schema}.{table}"} for schema, table in sorted(tables)
        ],
        "outputs": [{"namespace": place, "name": name, "facets": facets}],
    }


def _tables(sql: str) -> set[tuple[str, str]]:
    """(schema, table) that a statement reads."""
    return {(t.db, t.name) for t in parse_one(sql, dialect="postgres").find_all(exp.Table) if t.db}


def _nested(database: str, columns: Columns) -> dict[str, Any]:
    schemas: dict[str, dict[str, dict[str, str]]] = {}
    for (schema, table), names in columns.items():
        schemas.setdefault(schema, {})[table] = dict.fromkeys(names, "text")  # lineage asks for names only
    return {database: schemas}


def _facet(facet: str, **content: Any) -> dict[str, Any]:
    number, name = FACETS[facet].split("/")
    url = f"{SPEC}/facets/{number}/{name}.json#/$defs/{name}"
    return {"_producer": _producer(), "_schemaURL": url, **content}


def _producer() -> str:
    return f"urn:yuyan:{version('yuyan')}"


def _uuid(text: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_URL, f"urn:yuyan:{text}")


def _send(events: list[dict[str, Any]], to: str) -> None:
    if not to.startswith(("http://", "https://")):
        path = Path(to)
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a", encoding="utf-8") as file:
            file.writelines(json.dumps(event, ensure_ascii=False) + "\n" for event in events)
        return
    with urllib3.PoolManager(timeout=30, retries=urllib3.Retry(3, backoff_factor=0.5)) as pool:
        for event in events:
            answer = pool.request("POST", to, json=event)
            if answer.status >= 400:
                raise OSError(f"{answer.status} {answer.data[:200].decode(errors='replace')}")
