"""What dbt reads of the indicators, compiled from their files: counting models, their description, the seeds.

`render` turns a model into SQL that PostgreSQL runs without dbt, for the examples.
"""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

from yuyan import settings
from yuyan.domain import indicators
from yuyan.domain.indicators.counting_models import GENERATED, models

KEY_COLUMNS = "variant_code, definition_version, grain, unit_code, period_code"
COLUMNS = (
    ("variant_code", "text", "口径代码（登记表 indicator）"),
    ("definition_version", "integer", "定义版本（登记表 indicator）"),
    ("grain", "text", "层级代码（seed grain）；每个层级的人、合同、成果等各自去重"),
    ("unit_code", "text", "层级内的单位代码，写法见 seed grain"),
    ("period_code", "text", "期间代码，口径的期间见登记表"),
    ("numerator", "double precision", "分子"),
    ("denominator", "double precision", "分母；计数类为空"),
    ("case_count", "double precision", "分母是权数时所代表的篇数、份数；其余为空"),
)


def render(model: str, ref: Callable[[str], str], variables: dict[str, str]) -> str:
    """The model as SQL of PostgreSQL: `ref` names a table, `variables` holds the vars and `as_of`."""
    text = re.sub(r"\{\{ config\(.*?\) \}\}\n", "", model)
    text = re.sub(r" and \{\{ touched\('[\w.]+'\) \}\}", "", text)
    text = re.sub(r"\{\{ ref\('(\w+)'\) \}\}", lambda m: ref(m[1]), text)
    text = re.sub(r"""\{\{ var\(['"](\w+)['"]\) \}\}""", lambda m: str(variables[m[1]]), text)
    return text.replace("{{ as_of() }}", f"cast('{variables['as_of']}' as date)")


def properties() -> str:
    """The description of the counting models for dbt."""
    lines = [
        f"# {GENERATED}",
        "version: 2",
        "",
        "models:",
        "  - name: ind_counted",
        "    description: 每个口径、单位、期间一行，只有发生的：所有计数模型的行。",
        "    columns: &counted_columns",
        *(
            f"      - {{name: {name}, data_type: {kind}, description: {text}}}"
            for name, kind, text in COLUMNS
        ),
    ]
    for n, (name, sql) in enumerate(models().items()):
        codes, fact = sql.removeprefix("-- ").split("：")[0], "fct_" + name.removeprefix("ind_counted_")
        key = f"&counted_key [{{type: primary_key, columns: [{KEY_COLUMNS}]}}]" if n == 0 else "*counted_key"
        lines += [
            f"  - name: {name}",
            f"    description: 每个口径、单位、期间一行，只有发生的。{codes} 中以 {fact} 计数的口径。",
            f"    constraints: {key}",
            "    columns: *counted_columns",
        ]
    return "\n".join(lines) + "\n"


def union() -> str:
    """The model `ind_counted`: the rows of all counting models."""
    selects = "\nunion all\n".join(f"select * from {{{{ ref('{name}') }}}}" for name in models())
    return f"-- {GENERATED}\n{{{{ config(materialized='view') }}}}\n{selects}\n"


def registry() -> str:
    """The seed plan/indicator.csv: a row per variant and version."""
    return _csv([v.row for v in indicators.variants()])


def targets() -> str:
    """The seed plan/target.csv."""
    return _csv([t for i in indicators.load().values() for t in i.targets])


def target_paths() -> str:
    """The seed plan/target_path.csv."""
    return _csv([s for i in indicators.load().values() for s in i.steps])


def _csv(rows: list[dict[str, str]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def files() -> dict[Path, str]:
    """Path -> content of everything that dbt reads of the indicators."""
    project = settings.DBT_PROJECT
    folder, plan = project / "models" / "indicators", project / "seeds" / "plan"
    return {
        **{folder / f"{name}.sql": sql for name, sql in models().items()},
        folder / "_counted.yml": properties(),
        folder / "ind_counted.sql": union(),
        plan / "indicator.csv": registry(),
        plan / "target.csv": targets(),
        plan / "target_path.csv": target_paths(),
    }
