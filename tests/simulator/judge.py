"""A second opinion on the simulator's truth: every rule of contracts and expectations, evaluated naively in PostgreSQL.

It reads the state files a platform would serve, day after day, and keeps versions, quarantine and accepted records by the
words of docs/architecture.md. It shares the typing of raw text with the warehouse (yuyan.warehouse.ddl) and nothing else.
"""

import hashlib
import re
from graphlib import TopologicalSorter
from pathlib import Path

import polars as pl
import psycopg

from yuyan import settings
from yuyan.domain import contracts, yaml_file
from yuyan.domain.contracts import Contract
from yuyan.warehouse import ddl
from yuyan_demo.simulator.products.assignment import LEGACY, VERSIONED, product_of

USCC = "0123456789ABCDEFGHJKLMNPQRTUWXY"
KEY = ["src_inst_code", "src_record_id"]
LOOKED_UP = {"student_id", "supervisor_id", "degree_point_id", "person_key"}
"""Columns by which rules look for records whose key they do not know."""


class Judge:
    """Judges day after day; `failures` are the open ones of the last day, `accepted` what the accepted layer holds."""

    def __init__(self, dsn: str) -> None:
        self._connection = psycopg.connect(dsn, autocommit=True)
        self._held: dict[str, pl.DataFrame] = {}
        self._connection.execute("create schema t")
        self._connection.execute(
            "create table t.region (code text); create table t.discipline (code text, kind text, has_doctors boolean)"
        )
        regions = [r["code"] for name in ("district", "province") for r in _seed(name)]
        kinds = {"academic": "1", "professional": "2"}
        disciplines = [
            (r["code"], kinds[r["degree_type"]], "doctor" in r["allowed_levels"].split(";"))
            for r in _seed("discipline")
            if r["degree_type"]
        ]
        with self._connection.cursor() as cursor:
            cursor.executemany("insert into t.region values (%s)", [(c,) for c in regions])
            cursor.executemany("insert into t.discipline values (%s, %s, %s)", disciplines)
        for entity, contract in contracts.load().items():
            columns = ", ".join(f"{f.name} text" for f in contract.columns)
            typed = ", ".join(f"{f.name} {ddl.sql_type(f)}" for f in contract.columns)
            self._connection.execute(
                f"create table t.raw_{entity} (src_inst_code text, src_record_id text, {columns})"
            )
            self._connection.execute(
                f"create table t.acc_{entity} (src_inst_code text, src_record_id text, {typed})"
            )
            view = f"select r.src_inst_code, r.src_record_id, {ddl.typed_columns(contract)} from t.raw_{entity} r"
            self._connection.execute(f"create view t.latest_{entity} as {view}")
            self._connection.execute(f"create index on t.acc_{entity} ({', '.join(contract.key)})")
            self._connection.execute(f"create index on t.acc_{entity} (src_inst_code, src_record_id)")
            for name in {f.name for f in contract.columns} & LOOKED_UP:
                self._connection.execute(f"create index on t.raw_{entity} ({name})")

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def take(self, folder: Path, as_of: str) -> pl.DataFrame:
        """Judge the next day. Returns its open failures: src_inst_code, entity, src_record_id, rule_id, severity."""
        for entity, contract in contracts.load().items():
            self._receive(entity, contract, pl.read_parquet(folder / f"{entity}.parquet"))
        found = []
        for entity in order():
            contract = contracts.load()[entity]
            failures = [
                (rule, severity, row)
                for rule, severity, sql in rules(contract, as_of)
                for row in self._rows(sql)
            ]
            found += [(inst, entity, record, rule, severity) for rule, severity, (inst, record) in failures]
            bad = {row for _, severity, row in failures if severity == "ERROR"}
            self._accept(entity, contract, bad)
        names = ["src_inst_code", "entity", "src_record_id", "rule_id", "severity"]
        return pl.DataFrame(found, schema=dict.fromkeys(names, pl.String), orient="row").sort(names)

    def accepted(self, entity: str) -> pl.DataFrame:
        """The accepted records of an entity: identity and stored columns as canonical text."""
        contract = contracts.load()[entity]
        columns = [_as_text(f) for f in contract.columns if not f.derived]
        sql = f"select src_inst_code, src_record_id, {', '.join(columns)} from t.acc_{entity} order by 1, 2"
        names = [*KEY, *(f.name for f in contract.columns if not f.derived)]
        return pl.DataFrame(self._rows(sql), schema=dict.fromkeys(names, pl.String), orient="row")

    def _rows(self, sql: str) -> list[tuple]:
        return self._connection.execute(sql).fetchall()

    def _receive(self, entity: str, contract: Contract, state: pl.DataFrame) -> None:
        """Replace held versions by those that are newer in the order of their product; forget deleted records."""
        product = pl.col("src_inst_code").map_elements(product_of, return_dtype=pl.String)
        by_time = product.is_in([LEGACY, "exchange-database"])
        version = pl.when(by_time).then(pl.col("updated_at").cast(pl.Int64))
        version = version.when(product == VERSIONED).then("change_version").otherwise(0)
        state = state.with_columns(version.alias("version"))
        if entity in self._held:
            old = self._held[entity].join(
                state.select(*KEY, pl.col("version").alias("offered")), on=KEY, how="left"
            )
            newer_held = old.filter(
                pl.col("offered").is_not_null() & (pl.col("version") > pl.col("offered"))
            ).drop("offered")
            state = pl.concat([state.join(newer_held, on=KEY, how="anti"), newer_held])
        self._held[entity] = state
        live = state.filter(~pl.col("is_deleted"))
        derived = {}
        for f in contract.supplied:
            if f.privacy == "pseudonymise":
                kinds = live["cert_type"] if "cert_type" in live.columns else [None] * live.height
                keys = [_key(kind, number) for kind, number in zip(kinds, live[f.name], strict=True)]
                derived[f.becomes] = pl.Series(f.becomes, [k for k, _ in keys], dtype=pl.String)
                version = f"{f.becomes}_version"
                derived[version] = pl.Series(version, [v for _, v in keys], dtype=pl.String)
        names = [f.name for f in contract.columns]
        rows = live.with_columns(**{k: v for k, v in derived.items() if k in names}).select(*KEY, *names)
        self._connection.execute(f"truncate t.raw_{entity}")
        copy = f"copy t.raw_{entity} from stdin (format csv, null '\\N')"
        with self._connection.cursor() as cursor, cursor.copy(copy) as sink:
            sink.write(rows.write_csv(include_header=False, null_value="\\N"))
        same = "r.src_inst_code = a.src_inst_code and r.src_record_id = a.src_record_id"
        gone = f"not exists (select 1 from t.raw_{entity} r where {same})"
        self._connection.execute(f"analyze t.raw_{entity}")
        self._connection.execute(f"delete from t.acc_{entity} a where {gone}")

    def _accept(self, entity: str, contract: Contract, bad: set[tuple[str, str]]) -> None:
        self._connection.execute("create temporary table bad (src_inst_code text, src_record_id text)")
        with self._connection.cursor() as cursor:
            cursor.executemany("insert into bad values (%s, %s)", list(bad))
        same = "b.src_inst_code = a.src_inst_code and b.src_record_id = a.src_record_id"
        self._connection.execute(
            f"delete from t.acc_{entity} a where not exists (select 1 from bad b where {same})"
        )
        self._connection.execute(
            f"insert into t.acc_{entity} select * from t.latest_{entity} a "
            f"where not exists (select 1 from bad b where {same})"
        )
        self._connection.execute(f"drop table bad; analyze t.acc_{entity}")


def _key(kind: str | None, number: str | None) -> tuple[str | None, str | None]:
    """Key and key version of a certificate number: version 0 where its check character is wrong."""
    if number is None:
        return None, None
    if kind in (None, "1", "01") and len(number) == 18:
        total = sum(int(digit) * (2 ** (17 - i) % 11) for i, digit in enumerate(number[:17]))
        if "10X98765432"[total % 11] != number[17]:
            return None, "0"
    return hashlib.sha256(number.encode()).hexdigest(), "1"


def order() -> list[str]:
    """Entities, parents first: parents by contract, and those whose accepted table a business rule looks into."""
    graph = {}
    for entity, contract in contracts.load().items():
        path = settings.EXPECTATIONS / f"{entity}.yml"
        looked_up = (
            re.findall(r"\{accepted:(\w+)\}", path.read_text(encoding="utf-8")) if path.exists() else []
        )
        graph[entity] = {*(r.entity for r in contract.references), *looked_up} - {entity}
    return list(TopologicalSorter(graph).static_order())


def rules(contract: Contract, as_of: str) -> list[tuple[str, str, str]]:
    """Every rule of an entity as (rule id, severity, query of the failing records)."""
    entity = contract.entity
    head = f"select r.src_inst_code, r.src_record_id from t.raw_{entity} r"
    made = []
    for f in contract.columns:
        rule = f"QR.{entity}.{f.name}"
        text = f"r.{f.name}"
        if f.mandatory:
            made.append((f"{rule}.1", "ERROR", f"{head} where coalesce({text}, '') = ''"))
        if f.type in ("integer", "number", "boolean", "date"):
            made.append(
                (f"{rule}.2", "ERROR", f"{head} where {text} is not null and ({ddl.typed(f)}) is null")
            )
        if f.pattern:
            made.append((f"{rule}.3", "ERROR", f"{head} where {text} !~ '{f.pattern}'"))
        elif f.max_length and not f.code_set:
            items = (
                f"(select max(length(i)) from unnest(string_to_array({text}, ';')) i)"
                if f.type == "array"
                else f"length({text})"
            )
            made.append((f"{rule}.3", "ERROR", f"{head} where {items} > {f.max_length}"))
        if f.code_set:
            codes = ", ".join(f"'{c}'" for c in contracts.code_sets()[f.code_set])
            wrong = f"{text} not in ({codes})"
            if f.type == "array":
                wrong = (
                    f"exists (select 1 from unnest(string_to_array({text}, ';')) i where i not in ({codes}))"
                )
            made.append((f"{rule}.4", "ERROR", f"{head} where {wrong}"))
    for ref in contract.references:
        match = " and ".join(
            f"p.{there} = r.{here}" for here, there in zip(ref.fields, ref.to_fields, strict=True)
        )
        eligible = " and ".join(f"r.{name} is not null" for name in ref.fields)
        sql = f"{head} where {eligible} and not exists (select 1 from t.acc_{ref.entity} p where {match})"
        named = f"QR.{entity}.{ref.fields[0]}.5"
        named = f"QR.{entity}.{ref.fields[-1]}.5" if any(rule == named for rule, *_ in made) else named
        made.append((named, "ERROR", sql))
    key = ", ".join(contract.key)
    ranked = f"select *, row_number() over (partition by {key} order by src_record_id) n from t.raw_{entity}"
    complete = " and ".join(f"r.{name} is not null" for name in contract.key)
    made.append(
        (
            f"QR.{entity}.key.6",
            "ERROR",
            f"select src_inst_code, src_record_id from ({ranked}) r where n > 1 and {complete}",
        )
    )
    if contract.owner == "university" and any(f.name == "inst_code" for f in contract.columns):
        made.append((f"QR.{entity}.inst_code.7", "ERROR", f"{head} where r.inst_code <> r.src_inst_code"))
    document = (
        yaml_file.read(settings.EXPECTATIONS / f"{entity}.yml") if _has_rules(entity) else {"rules": {}}
    )
    for name, rule in document["rules"].items():
        if "single_row" in rule:
            made.append((f"QR.{entity}.{name}", rule["severity"], _single_row(contract, rule["single_row"])))
            continue
        when, check = (_expand(rule.get(part) or "true", as_of) for part in ("when", "assert"))
        typed = f"select r.src_inst_code, r.src_record_id from t.latest_{entity} r"
        sql = f"{typed} where case when {when} then not ({check}) end"
        made.append((f"QR.{entity}.{name}", rule["severity"], sql))
    return made


def _single_row(contract: Contract, single: dict[str, str]) -> str:
    """Records above the limit: a part of the usual year's total, or of their own year's without such records, if greater.

    The usual total is the smallest one at which half of the records lie in years that come to no more.
    """
    by, least, part = single["by"], single["least"], f"{single['percent']} / 100.0"
    year = f"date_part('year', r.{by})" if contract[by].type == "date" else f"r.{by}"
    return f"""
        with v as materialized (
            select r.src_inst_code, r.src_record_id, {year} y, {single["of"]} x from t.latest_{contract.entity} r
        ), years as (select y, sum(x) total, count(x) n from v where x is not null and y is not null group by y
        ), usual as (
            select min(a.total) total from years a
            where 2 * (select sum(b.n) from years b where b.total <= a.total) >= (select sum(n) from years)
        ), calm as (
            select y, sum(x) total from v, usual where x <= {least} or x <= {part} * usual.total group by y
        )
        select v.src_inst_code, v.src_record_id from v cross join usual left join calm using (y)
        where v.x > {least} and v.x > {part} * usual.total and (calm.total is null or v.x > {part} * calm.total)
        and v.y is not null"""


def _has_rules(entity: str) -> bool:
    return (settings.EXPECTATIONS / f"{entity}.yml").exists()


def _expand(sql: str, as_of: str) -> str:
    sql = re.sub(r"\{accepted:(\w+)\}", r"t.acc_\1", sql)
    sql = re.sub(r"\{latest:(\w+)\}", r"t.latest_\1", sql)
    sql = sql.replace("{as_of}", f"date '{as_of}'")
    sql = re.sub(r"\{known_region:(\w+)\}", r"exists (select 1 from t.region g where g.code = r.\1)", sql)
    sql = re.sub(r"\{succeeded_on:(\w+)\}", "null::date", sql)
    sql = re.sub(r"\{institutions_of:(\w+)\}", r"left(r.\1, 5)", sql)  # no institution of the city was merged
    sql = re.sub(
        r"\{discipline_type:(\w+)\}", r"(select d.kind from t.discipline d where d.code = r.\1)", sql
    )
    sql = re.sub(
        r"\{doctoral_discipline:(\w+)\}",
        r"(select d.has_doctors from t.discipline d where d.code = r.\1)",
        sql,
    )
    every = f"(select bool_and({_uscc_check('u.code')}) from unnest(r.{{}}) u(code))"
    sql = re.sub(r"\{valid_usccs:(\w+)\}", lambda m: every.replace("{}", m.group(1)), sql)
    return re.sub(r"\{valid_uscc:(\w+)\}", lambda m: _uscc_check(f"r.{m.group(1)}"), sql)


def _uscc_check(column: str) -> str:
    total = " + ".join(
        f"(position(substr({column}, {i + 1}, 1) in '{USCC}') - 1) * {pow(3, i, 31)}" for i in range(17)
    )
    shape = f"{column} ~ '^[0-9A-HJ-NPQRTUWXY]{{18}}$'"
    return f"({shape} and (31 - ({total}) % 31) % 31 = position(substr({column}, 18, 1) in '{USCC}') - 1)"


def _as_text(f: contracts.Field) -> str:
    if f.type == "array":
        return f"array_to_string({f.name}, ';')"
    return f"{f.name}::text"


def _seed(name: str) -> list[dict[str, str]]:
    return pl.read_csv(settings.SEEDS / "reference" / f"{name}.csv", infer_schema_length=0).to_dicts()
