"""Data Docs: a static site with the last suite result of every entity, readable without any network.

The library renders the entity pages. They reach for style sheets, scripts and pictures on other hosts, which a closed
network does not have and a reader's browser should not ask for: those are taken out, and a few lines of style put in.
The library's own index page is built by such scripts, so ours replaces it.
"""

import html
import json
import re
import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from great_expectations.core import (
    ExpectationSuiteValidationResult,
    ExpectationValidationResult,
    RunIdentifier,
)
from great_expectations.data_context.types.resource_identifiers import (
    ExpectationSuiteIdentifier,
    ValidationResultIdentifier,
)
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

from yuyan import files, settings
from yuyan.domain import contracts
from yuyan.validate import suite

ELSEWHERE = re.compile(
    r"<link\b[^>]*https?://[^>]*>|<script\b[^>]*https?://[^>]*>\s*</script>|<img\b[^>]*https?://[^>]*>|"
    r'<footer\b.*?</footer>|\s(?:href|src)="https?://[^"]*"',
    re.DOTALL,
)
STYLE = (
    '<meta name="viewport" content="width=device-width,initial-scale=1">'
    "<style>body{font-family:sans-serif;margin:1.5em auto;max-width:75em;padding:0 1em}"
    "*{overflow-wrap:anywhere;box-sizing:border-box;max-width:100%}"
    "@media(max-width:40em){table,thead,tbody,tr,th,td{display:block;width:auto!important}"
    "thead,tr:has(>th:first-child):not(:has(>td)){display:none}"
    "tr{border-top:2px solid #888;padding:.3em 0}th,td{border:0}"
    "td[data-label]::before{content:attr(data-label)'：';font-weight:bold}}"
    "table{border-collapse:collapse;width:100%}th,td{border:1px solid #ccc;padding:.3em .6em;text-align:left}"
    ".text-danger{color:#b00}.fa-times::before{content:'✗'}.fa-check-circle::before{content:'✓'}"
    ".fa-exclamation-triangle::before{content:'!'}i{font-style:normal}"
    ".card,.ge-breadcrumbs,.navbar img{display:none}</style></head>"
)

COLUMNS = ("实体", "统计日期", "运行", "规则数", "有问题的规则", "问题数")
"""Of the index page; on a narrow screen every cell names its column."""


def keep(result: ExpectationSuiteValidationResult, run_id: str, as_of: date) -> None:
    """Keep the entity's result; it replaces the one before, so that their number stays bounded."""
    path = _results() / f"{result.suite_name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    results = [
        {"kwargs": one.expectation_config.kwargs, "success": one.success, "result": one.result}
        for one in result.results
    ]
    kept = {"run_id": run_id, "as_of": as_of.isoformat(), "statistics": result.statistics, "results": results}
    files.write(path, json.dumps(kept, ensure_ascii=False))


def build_docs() -> Path:
    """Build the site from what was kept; returns its index page, `<home>/data_docs/index.html`."""
    site = settings.home() / "data_docs"
    shutil.rmtree(site, ignore_errors=True)
    context = suite.context({"local": _site(site)})
    kept = {
        path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(_results().glob("*.json"))
    }
    for entity, one in kept.items():
        run = RunIdentifier(
            run_name=one["run_id"], run_time=datetime.fromisoformat(one["as_of"]).replace(tzinfo=UTC)
        )
        key = ValidationResultIdentifier(ExpectationSuiteIdentifier(entity), run, batch_identifier="judged")
        context.validation_results_store.set(key, _restored(entity, one, run))
    context.build_data_docs()
    shutil.rmtree(site / "static", ignore_errors=True)
    pages = {page.relative_to(site).parts[1]: page for page in site.glob("validations/**/*.html")}
    for page in pages.values():
        text = ELSEWHERE.sub("", page.read_text(encoding="utf-8")).replace("</head>", STYLE, 1)
        text = text.replace("<body>", f"<body>{_mark()}", 1)
        page.write_text(text, encoding="utf-8")
    index = site / "index.html"
    site.mkdir(parents=True, exist_ok=True)
    index.write_text(
        _index(kept, {e: p.relative_to(site).as_posix() for e, p in pages.items()}), encoding="utf-8"
    )
    return index


def _index(kept: dict[str, dict[str, Any]], links: dict[str, str]) -> str:
    rows = []
    for entity in (e for e in contracts.load() if e in kept):
        results = kept[entity]["results"]
        broken = [one for one in results if not one["success"]]
        cells = (
            kept[entity]["as_of"], kept[entity]["run_id"], len(results), len(broken),
            sum(one["result"]["unexpected_count"] for one in broken),
        )  # fmt: skip
        name = f'<a href="{html.escape(links[entity])}">{contracts.load()[entity].label}</a>（{entity}）'
        written = zip(COLUMNS, (name, *(html.escape(str(c)) for c in cells)), strict=True)
        rows.append("".join(f'<td data-label="{label}">{cell}</td>' for label, cell in written))
    head = "".join(f"<th>{label}</th>" for label in COLUMNS)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return (
        '<!DOCTYPE html><html lang="zh"><head><meta charset="UTF-8"><title>渝研数据质量</title>'
        + STYLE
        + f"<body>{_mark()}"
        f"<h1>渝研数据质量</h1><p>每个实体最近一次判定的结果。</p><table><tr>{head}</tr>{body}</table></body></html>"
    )


def _mark() -> str:
    mark = settings.simulated_mark()
    return f'<p style="margin:0;padding:4px 12px;background:#8a0063;color:#fff">{mark}</p>' if mark else ""


def _restored(entity: str, kept: dict[str, Any], run: RunIdentifier) -> ExpectationSuiteValidationResult:
    results = [
        ExpectationValidationResult(
            success=one["success"],
            result=one["result"],
            expectation_config=ExpectationConfiguration(type="expect_rule_to_hold", kwargs=one["kwargs"]),
        )
        for one in kept["results"]
    ]
    return ExpectationSuiteValidationResult(
        success=all(one.success for one in results),
        results=results,
        suite_name=entity,
        statistics=kept["statistics"],
        meta={
            "run_id": run,
            "active_batch_definition": {"datasource_name": "warehouse", "data_asset_name": entity},
        },
    )


def _results() -> Path:
    return settings.home() / "gx" / "results"


def _site(folder: Path) -> dict[str, Any]:
    return {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)},
        "site_section_builders": {"expectations": "none", "profiling": "none"},
    }
