"""dbt through its own runner: one layer at a time, every node's outcome in `ops.model_result`.

A layer is a folder of `dbt_project/models`; `star` also loads the seeds, where they are not those that it loaded last
(`ops.loaded_seeds`). Running a layer again gives the same tables, so a failed layer is simply run again: the whole of it,
since data may have been judged anew in between. Models know the date only as the variable `as_of`.
"""

import hashlib
import importlib.metadata
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import psycopg
from psycopg.conninfo import conninfo_to_dict

from yuyan import files, openlineage, settings
from yuyan.domain import editions

Layer = Literal["star", "indicators", "marts"]
SEEDS = "path:seeds"
SELECTIONS: dict[str, tuple[str, ...]] = {
    "star": (SEEDS, "path:models/star"),
    "indicators": ("path:models/indicators",),
    "marts": ("path:models/marts",),
}
BESIDE = "beside_"
DATABASE = "warehouse"
"""The database of profiles.yml where the environment names none: parsing needs none."""
FAILED = ("error", "fail", "runtime error", "partial success")


class TransformFailed(RuntimeError):
    """A layer that was not built or did not pass its tests; the message names each node, what happened and the remedy."""


def run_layer(layer: Layer, run_id: str, as_of: date) -> dict[str, Any]:
    """Build and test one layer and record each node under `run_id` in ops.model_result.

    Unit tests of formulas are not run here: they judge the code, not the data, and belong to the test suite. Returns counts:
    models, seeds, tests, warnings, and seconds. Raises TransformFailed when a node failed; what depends on it was skipped.

    >>> run_layer("star", "run-1", date(2026, 10, 15))["models"]
    """
    started = time.monotonic()
    scope = [
        "--indirect-selection",
        "buildable",
        "--exclude-resource-type",
        "unit_test",
    ]  # no test that needs a later layer
    digest = _seeds_digest()
    selected = [s for s in SELECTIONS[layer] if s != SEEDS or digest != _loaded_seeds()]
    if SEEDS in selected:
        _forget_seeds()  # a layer that fails leaves new ones behind
    result = invoke(["build", "--select", *selected, *scope, "--no-write-json"], as_of)
    outcomes = [_outcome(node) for node in getattr(result.result, "results", [])]
    _record(run_id, layer, outcomes)
    if openlineage.is_wanted():
        openlineage.emit(_models(getattr(result.result, "results", [])), layer, run_id, as_of)
    failures = [o for o in outcomes if o["status"] in FAILED]
    if failures:
        raise TransformFailed(_report(layer, failures, outcomes))
    if not result.success:
        raise TransformFailed(
            f"layer {layer} did not start: {result.exception or 'dbt gave no reason'}; "
            "check YUYAN_WAREHOUSE_DSN_TRANSFORM, then run `dbt parse` in dbt_project"
        ) from result.exception
    if SEEDS in selected:
        _note_seeds(digest)
    _forget_changes(layer, getattr(result.result, "results", []))
    kinds = [o["resource_type"] for o in outcomes]
    return {
        "models": kinds.count("model"),
        "seeds": kinds.count("seed"),
        "tests": kinds.count("test"),
        "warnings": sum(o["status"] == "warn" for o in outcomes),
        "seconds": round(time.monotonic() - started, 3),
    }


def _seeds_digest() -> str:
    """What the seeds and what is said of them are, and what their comments depend on."""
    digest = hashlib.sha256(importlib.metadata.version("dbt-core").encode())
    for path in sorted(p for p in settings.SEEDS.rglob("*") if p.is_file()):
        digest.update(path.relative_to(settings.SEEDS).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _seeds_of(manifest: Any) -> str:
    """The digest of the seeds that a build reads: those in the warehouse, or those of the files, where it loads them itself.
    Parsing reads none."""
    return (_loaded_seeds() or _seeds_digest()) if manifest is not None else ""


def _loaded_seeds() -> str | None:
    """The digest of the seeds that the warehouse has; None where one of their tables is not there."""
    wanted = sorted(path.stem for path in settings.SEEDS.rglob("*.csv"))
    query = (
        "select digest from ops.loaded_seeds where (select count(*) from pg_tables "
        "where schemaname in ('reference', 'plan') and tablename = any(%s)) = %s"
    )
    with psycopg.connect(settings.warehouse_dsn("transform")) as connection:
        found = connection.execute(query, [wanted, len(wanted)]).fetchone()
    return found[0] if found else None


def _forget_seeds() -> None:
    with psycopg.connect(settings.warehouse_dsn("transform")) as connection:
        connection.execute("delete from ops.loaded_seeds")


def _note_seeds(digest: str) -> None:
    with psycopg.connect(settings.warehouse_dsn("transform")) as connection:
        connection.execute("insert into ops.loaded_seeds (digest) values (%s)", [digest])


def _forget_changes(layer: Layer, results: list[Any]) -> None:
    """Forget models of the layer that are no more, and which keys changed where all models that read the table know."""
    models = [f"{r.node.schema}.{r.node.alias}" for r in results if str(r.node.resource_type) == "model"]
    with psycopg.connect(settings.warehouse_dsn("transform")) as connection:
        for table, column in (("table_version", "relation"), ("read_version", "model")):
            connection.execute(
                f"delete from ops.{table} where split_part({column}, '.', 1) = %s and {column} <> all(%s)",
                [layer, models],
            )
        connection.execute(
            "delete from ops.changed_key as k where not exists "
            "(select from ops.read_version as r where r.relation = k.relation and r.version < k.version "
            "and r.model not like 'test.%')"
        )


def prepare_manifest(as_of: date = settings.FIRST_AS_OF) -> None:
    """Parse the project into `<home>/dbt/manifest.json`, from which DAG files read the models of each layer.

    Needs no database. What was parsed is kept beside it, so that no layer parses again; nothing is done where both are there
    of the project as it is. Raises TransformFailed when the project does not parse.
    """
    if _parsed() is not None and _is_whole(settings.home() / "dbt" / "manifest.json"):
        return
    result = _parse(as_of)
    if not result.success:
        raise TransformFailed(f"the dbt project does not parse: {result.exception}") from result.exception


def _is_whole(manifest: Path) -> bool:
    """Whether it is there and was written to its end."""
    try:
        return bool(json.loads(manifest.read_bytes()))
    except (FileNotFoundError, ValueError):
        return False


NO_NETWORK = """<meta http-equiv="Content-Security-Policy"
content="default-src 'self' 'unsafe-inline' 'unsafe-eval' data:; connect-src 'none'">"""
"""For dbt's page, which has a tracker of its maker in it: nothing that it asks for leaves the browser."""


def write_docs(folder: Path, as_of: date) -> Path:
    """Write dbt's own documentation of the models and of the warehouse that they were built in, as one page.

    Raises TransformFailed when dbt does not make it.
    """
    result = invoke(["docs", "generate", "--static"], as_of)
    if not result.success:
        raise TransformFailed(f"dbt made no documentation: {result.exception}") from result.exception
    page = (settings.home() / "dbt" / "static_index.html").read_text(encoding="utf-8")
    target = folder / "index.html"
    files.write(target, page.replace("<head>", f"<head>{NO_NETWORK}", 1))
    return target


def build_beside(as_of: date, simulated_scale: float | None) -> None:
    """Make the star and the indicators whole in schemas of their own, `beside_star` and `beside_indicators`, whatever has
    changed; what stands is not touched. Raises TransformFailed when a model fails."""
    selected = [*SELECTIONS["star"][1:], *SELECTIONS["indicators"]]
    scope = ["--exclude-resource-type", "test", "--exclude-resource-type", "unit_test", "--no-write-json"]
    beside = {"beside": True, "simulated_scale": simulated_scale}
    result = invoke(["build", "--select", *selected, *scope], as_of, beside)
    outcomes = [_outcome(node) for node in getattr(result.result, "results", [])]
    if not result.success:
        failures = [o for o in outcomes if o["status"] in FAILED]
        raise TransformFailed(_report("beside", failures, outcomes)) from result.exception


def invoke(command: list[str], as_of: date, beside: dict[str, Any] | None = None) -> Any:
    """Run one dbt command on the project, in this process; returns dbt's own result object, failed or not.

    `beside`: dbt's variables of a build in which every model is made whole, in the schema of its layer with BESIDE in front
    of its name.

    The project is parsed first unless it has been since it was changed. dbt alone would parse all of it for every day and
    every database, which takes longer than most layers, although nothing it parses depends on either: models ask for the
    day when they are compiled.
    """
    manifest = _kept(bool(beside))
    if manifest is None:
        parsed = _parse(as_of)
        if not parsed.success:
            return parsed
        manifest = _kept(bool(beside))
    return _run(command, as_of, manifest, beside)


def _parse(as_of: date) -> Any:
    """Parse the project and keep what was parsed, after the digest of what it was parsed from."""
    digest = _project_digest()
    result = _run(["parse"], as_of)
    if result.success:
        parsed = (settings.home() / "dbt" / "partial_parse.msgpack").read_bytes()
        files.write(_kept_path(), digest.encode() + parsed)
    return result


def _parsed() -> bytes | None:
    """What was kept of the project as it is, None if nothing was."""
    digest, path = _project_digest().encode(), _kept_path()
    kept = path.read_bytes() if path.exists() else b""
    return kept.removeprefix(digest) if kept.startswith(digest) else None


def _kept(beside: bool = False) -> Any:
    """The manifest that was kept, for the database of this environment; None if there is none of the project as it is."""
    from dbt.contracts.graph.manifest import Manifest
    from dbt.parser.manifest import extended_mashumuro_decoder

    parsed = _parsed()
    if parsed is None:
        return None
    manifest = Manifest.from_msgpack(parsed, decoder=extended_mashumuro_decoder)
    with _connection_in_environment():
        database = os.environ.get("DBT_DBNAME", DATABASE)
    for node in (*manifest.nodes.values(), *manifest.sources.values()):
        if name := getattr(node, "relation_name", None):
            node.relation_name = name.replace(f'"{node.database}"', f'"{database}"', 1)
        node.database = database
        if beside and node.resource_type == "model":
            node.relation_name = node.relation_name.replace(f'"{node.schema}"', f'"{BESIDE}{node.schema}"', 1)
            node.schema = BESIDE + node.schema
    manifest.build_flat_graph()
    return manifest


def _kept_path() -> Path:
    return settings.home() / "dbt" / "parsed.msgpack"


def _project_digest() -> str:
    """What parsing depends on: every file of the project as it was last written, and dbt itself."""
    found = [(str(settings.DBT_PROJECT), importlib.metadata.version("dbt-core"))]
    for path in sorted(p for p in settings.DBT_PROJECT.rglob("*") if p.is_file()):
        status = path.stat()
        found.append((str(path), status.st_mtime_ns, status.st_size))
    return hashlib.sha256(repr(found).encode()).hexdigest()


def _run(command: list[str], as_of: date, manifest: Any = None, beside: dict[str, Any] | None = None) -> Any:
    from dbt.cli.main import (
        dbtRunner,
    )  # a second to import; DAG files must not pay for it

    from yuyan import dbt_connections

    dbt_connections.keep()
    target = str(settings.home() / "dbt")
    options = [
        *("--project-dir", str(settings.DBT_PROJECT), "--profiles-dir", str(settings.DBT_PROJECT)),
        *(
            "--target-path",
            target,
            "--log-path",
            target,
            "--vars",
            json.dumps(
                {
                    "as_of": as_of.isoformat(),
                    "simulated_scale": settings.simulated_scale(),
                    "institution_successors": editions.successors(),
                    "seeds_digest": _seeds_of(manifest),
                    **(beside or {}),
                }
            ),
            *(
                "--log-level",
                "none",
                "--log-level-file",
                "none",
            ),  # each event would be put into words twice, a quarter of dbt's time
        ),
    ]
    with _connection_in_environment():
        return dbtRunner(manifest=manifest).invoke([*command, *options])


@contextmanager
def _connection_in_environment() -> Iterator[None]:
    """The variables that profiles.yml reads, from the DSN of `transform` where there is one (parsing needs none)."""
    try:
        parts = conninfo_to_dict(settings.warehouse_dsn("transform"))
    except KeyError:
        parts = {}
    names = {
        "host": "DBT_HOST",
        "port": "DBT_PORT",
        "user": "DBT_USER",
        "password": "DBT_ENV_SECRET_PASSWORD",
        "dbname": "DBT_DBNAME",
    }
    before = {variable: os.environ.get(variable) for variable in names.values()}
    os.environ.update({variable: str(parts[part]) for part, variable in names.items() if part in parts})
    try:
        yield
    finally:
        for variable, value in before.items():
            if value is None:
                os.environ.pop(variable, None)
            else:
                os.environ[variable] = value


def _outcome(result: Any) -> dict[str, Any]:
    """One node's result as a row of ops.model_result."""
    rows = (result.adapter_response or {}).get("rows_affected", -1)  # -1: a statement that counts no rows
    return {
        "node_id": result.node.unique_id,
        "resource_type": str(result.node.resource_type),
        "status": str(result.status),
        "seconds": result.execution_time,
        "rows_affected": (rows if rows >= 0 else None) if result.failures is None else result.failures,
        "message": result.message,
    }


def _models(results: list[Any]) -> list[openlineage.Model]:
    """The models that ran, those that failed included; not what was skipped because of them."""
    found = []
    for r in results:
        if str(r.node.resource_type) == "model" and str(r.status) in ("success", *FAILED):
            ended = max((t.completed_at for t in r.timing if t.completed_at), default=datetime.now(UTC))
            ended = ended if ended.tzinfo else ended.replace(tzinfo=UTC)
            error = None if str(r.status) == "success" else r.message or str(r.status)
            model = openlineage.Model(
                r.node.unique_id, r.node.schema, r.node.alias, r.node.compiled_code, ended, error
            )
            found.append(model)
    return found


def _record(run_id: str, layer: str, outcomes: list[dict[str, Any]]) -> None:
    """Replace what an earlier attempt of this run recorded for the layer."""
    with psycopg.connect(settings.warehouse_dsn("transform")) as connection, connection.cursor() as cursor:
        cursor.execute("delete from ops.model_result where run_id = %s and layer = %s", [run_id, layer])
        cursor.executemany(
            "insert into ops.model_result values (%(run_id)s, %(layer)s, %(node_id)s, %(resource_type)s, %(status)s, "
            "%(seconds)s, %(rows_affected)s, %(message)s)",
            [{"run_id": run_id, "layer": layer, **o} for o in outcomes],
        )


def _report(layer: str, failures: list[dict[str, Any]], outcomes: list[dict[str, Any]]) -> str:
    skipped = sum(o["status"] == "skipped" for o in outcomes)
    lines = [f"layer {layer}: {len(failures)} node(s) failed, {skipped} skipped because of them"]
    for o in failures:
        said = [line.strip() for line in (o["message"] or "").splitlines()]
        message = " ".join(
            line for line in said if line and not line.startswith("> ")
        )  # without dbt's own macro stack
        lines.append(f"  {o['node_id'].split('.', 2)[2]} ({o['resource_type']}, {o['status']}): {message}")
    if any("is duplicated" in line for line in lines):
        lines.append(
            "a doubled key: look its value up in accepted. Two records there mean that a key rule was switched off in "
            "validation, one means that a join in the model multiplies. The table of the run before stands"
        )
    lines.append(
        "remedy: the header of a test in dbt_project/tests says what its failure means; the SQL that ran is in "
        f"{settings.home() / 'dbt'} (run, compiled); correct the model or the data and run the layer again"
    )
    return "\n".join(lines)
