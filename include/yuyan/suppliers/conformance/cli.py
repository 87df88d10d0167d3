"""`python yuyan-conformance.pyz PRODUCT URL`: the conformance test on any Python, without installing anything."""

import argparse
import json
import os
import pkgutil
import sys
from datetime import datetime
from pathlib import Path

from yuyan.collect.moments import STANDARD_TIME
from yuyan.suppliers.conformance.run import Result, examine, report
from yuyan.suppliers.conformance.suite import FAILED, SHOWN, VERDICTS

CONFORMANT, NOT_CONFORMANT, WRONG = 0, 1, 2
"""Exit codes. WRONG: what was asked cannot be done."""
CLIENT, SECRET = "YUYAN_CLIENT_ID", "YUYAN_CLIENT_SECRET"
"""Environment variables of the credentials, which stand in no command line. The secret is the API key where there is one."""


class BadQuestion(Exception):
    """What was asked cannot be done; the message says why."""


def main(arguments: list[str] | None = None) -> int:
    """Run the packed test; the exit code."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="replace")
    documents = json.loads(pkgutil.get_data(__package__, "documents.json"))
    parser = argparse.ArgumentParser(
        prog="yuyan-conformance",
        description="平台接口的符合性测试：读平台，不写。凭据放在环境变量 "
        f"{CLIENT}（rest-versioned）和 {SECRET}（密钥或 API key）。退出码：0 通过；1 不通过；2 无法测试。 / "
        "Conformance test of a platform's API; it only reads.",
    )
    parser.add_argument("product", choices=sorted(documents))
    parser.add_argument("url", help="单位的接口地址，如 https://platform.example/10611")
    parser.add_argument("--entity", action="append", help="实体，可重复（默认全部）")
    parser.add_argument("--report", type=Path, help="报告（Markdown）")
    parser.add_argument("--state", type=Path, help="留给下一次比对的状态；已有时与上一次比对")
    parser.add_argument("--json", action="store_true", help="输出 JSON")
    asked = parser.parse_args(arguments)
    try:
        result = run(documents[asked.product], asked.url, asked.entity, asked.report, asked.state)
    except BadQuestion as error:
        print(error, file=sys.stderr)
        return WRONG
    print(json.dumps(result.as_json(), ensure_ascii=False, indent=1) if asked.json else told(result))
    return CONFORMANT if result.suite.is_conformant else NOT_CONFORMANT


def run(
    document: dict, url: str, entities: list[str] | None, to: Path | None = None, state: Path | None = None
) -> Result:
    """Test a platform with the credentials of the environment; write the report and the state. Raises BadQuestion."""
    login = os.environ.get(CLIENT, ""), os.environ.get(SECRET, "")
    if not login[1]:
        raise BadQuestion(f"没有凭据：请设置环境变量 {SECRET} / no credentials: set {SECRET}")
    try:
        before = _state(state) if state and state.exists() else {}
        result = examine(document, url, login, entities, before)
        if to:
            to.write_text(report(result, f"{datetime.now(STANDARD_TIME):%Y-%m-%d}"), encoding="utf-8")
        if state and result.state:
            state.write_text(json.dumps(result.state), encoding="utf-8")
    except OSError as error:
        raise BadQuestion(f"{error.filename or ''}：{error.strerror or error}") from None
    except ValueError as error:
        raise BadQuestion(str(error)) from None
    return result


def _state(path: Path) -> dict:
    """What an earlier run left. Raises BadQuestion."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        read = None
    if not isinstance(read, dict) or read.keys() != {"until", "records"}:
        raise BadQuestion(f"{path} 不是上一次测试留下的状态 / is no state of an earlier run")
    return read


def told(result: Result) -> str:
    """The verdicts as a terminal shows them."""
    lines = []
    for row in result.suite.rows():
        lines.append(f"{VERDICTS[row['verdict']]}  {row['check']}：{row['label']}（{row['examined']}）")
        lines += [f"    {fault}" for fault in row["faults"][:SHOWN]]
        if row["reason"] and row["verdict"] != FAILED:
            lines.append(f"    {row['reason']}")
    lines += [f"提示  {note}" for note in result.suite.notes]
    lines.append("通过 / conformant" if result.suite.is_conformant else "不通过 / not conformant")
    return "\n".join(lines)
