"""One run of the conformance test, its report in Chinese and English, and what the next run compares with."""

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

from yuyan.suppliers.conformance import legacy, versioned
from yuyan.suppliers.conformance.client import Answer, Client, Unreachable
from yuyan.suppliers.conformance.suite import SHOWN, VERDICTS, NoEnvelope, Suite

PRODUCTS = {
    "rest-versioned": (versioned.CHECKS, versioned.Versioned),
    "rest-legacy": (legacy.CHECKS, legacy.Legacy),
}
"""Connector -> its checks and who makes them."""


class Result:
    """What a run found. `state`: for the next run to compare with."""

    def __init__(
        self, document: dict[str, Any], url: str, entities: list[str], suite: Suite, requests: int
    ) -> None:
        self.document, self.url, self.entities = document, url, entities
        self.suite, self.requests = suite, requests
        self.state: dict[str, Any] = {}

    def as_json(self) -> dict[str, Any]:
        return {
            "product": self.document["x-yuyan"]["product"],
            "document": digest(self.document),
            "url": self.url,
            "entities": self.entities,
            "is_conformant": self.suite.is_conformant,
            "requests": self.requests,
            "checks": self.suite.rows(),
            "notes": self.suite.notes,
        }


def examine(
    document: dict[str, Any],
    url: str,
    login: tuple[str, str],
    entities: list[str] | None = None,
    before: dict[str, Any] | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> Result:
    """Test a platform at a URL. `login`: client id and secret, or "" and the API key. `before`: an earlier run's `state`.

    Raises ValueError for an entity that the product does not have. What the platform does is in the result, never raised.
    """
    about = document["x-yuyan"]
    if unknown := sorted(set(entities or []) - about["entities"].keys()):
        raise ValueError(f"{unknown[0]} 不是 {about['product']} 的实体 / is no entity of {about['product']}")
    chosen = entities or sorted(about["entities"])
    checks, kind = PRODUCTS[about["connector"]]
    suite = Suite(checks)

    def heard(path: str, answer: Answer) -> None:
        for check in ("encoding", "compression"):
            fault = answer.faults.get(check)
            suite.look(check, fault is None, f"{path}：{fault}")
        if answer.status == 429:
            asked = answer.headers.get("retry-after", "")
            suite.look(
                "busy",
                asked.isdecimal(),
                f"{path}：HTTP 429 没有 Retry-After 秒数 / without Retry-After in seconds",
            )
        elif isinstance(answer.json, dict) and answer.json.get("code") == 42900:
            asked = answer.json.get("retryAfter")
            suite.look(
                "busy",
                isinstance(asked, (int, float)),
                f"{path}：42900 没有 retryAfter 秒数 / without retryAfter",
            )

    client = None
    try:
        client = Client(url, heard, wait)
        platform = kind(document, client, suite, login, before or {})
        platform.run(chosen)
        suite.look("availability", True, "")
    except Unreachable as error:
        suite.fault("availability", str(error))
        suite.skip(checks[1:], "平台没有应答 / the platform does not answer")
    except NoEnvelope:
        suite.look("availability", True, "")
    result = Result(document, url, chosen, suite, client.requests if client else 0)
    if suite.is_conformant:
        result.state = platform.state
    return result


def digest(document: dict[str, Any]) -> str:
    """Short digest of the document that was tested against."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:12]


def report(result: Result, day: str) -> str:
    """The run as Markdown in Chinese and English: what is certified is that these checks had these verdicts on this day."""
    about, suite = result.document["x-yuyan"], result.suite
    verdict = "通过 / conformant" if suite.is_conformant else "不通过 / not conformant"
    lines = [
        f"# 接口符合性报告 / Conformance report: {about['product']}",
        "",
        f"**{verdict}**",
        "",
        f"- 地址 / URL: `{result.url}`",
        f"- 日期 / date: {day}",
        f"- 接口文档 / API document: {result.document['info']['version']}，摘要 / digest `{digest(result.document)}`",
        f"- 实体 / entities: {len(result.entities)}（{'、'.join(result.entities)}）",
        f"- 请求 / requests: {result.requests}",
        "",
        "| 检查 / check | 内容 | what | 结论 / verdict | 次数 / looks |",
        "|---|---|---|---|--:|",
    ]
    rows = suite.rows()
    lines += [
        f"| `{row['check']}` | {row['label']} | {row['label_en']} "
        f"| {VERDICTS[row['verdict']]} / {row['verdict']} | {row['examined']} |"
        for row in rows
    ]
    for row in rows:
        if row["faults"]:
            lines += ["", f"## {row['check']}：{row['label']}", ""]
            lines += [f"- {fault}" for fault in row["faults"][:SHOWN]]
            if (more := len(row["faults"]) - SHOWN) > 0:
                lines.append(f"- 另有 {more} 处 / {more} more")
        elif row["reason"]:
            lines += ["", f"`{row['check']}` 未判 / not judged：{row['reason']}"]
    if suite.notes:
        lines += ["", "## 提示 / notes", "", *(f"- {note}" for note in suite.notes)]
    return "\n".join(lines) + "\n"
