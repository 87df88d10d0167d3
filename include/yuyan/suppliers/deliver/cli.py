"""`python yuyan-deliver-<code>.pyz`: check, build, template."""

import argparse
import csv
import json
import sys
from datetime import date, datetime
from pathlib import Path

from yuyan.collect.moments import STANDARD_TIME
from yuyan.suppliers.deliver import delivery, facts
from yuyan.suppliers.deliver.delivery import SHOWN, Report
from yuyan.suppliers.deliver.facts import Facts

SOUND, FINDINGS, NOT_DELIVERABLE = 0, 1, 2
"""Exit codes: nothing to say; records that the line would refuse or ask about; nothing was built, or a file is kept out."""
SEVERITIES = {"REJECT": "错误", "ERROR": "错误", "WARN": "警告", "INFO": "提示"}


def main(arguments: list[str] | None = None) -> int:
    """Run the kit; the exit code."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="replace")
    known = facts.load()
    asked = _parser(known).parse_args(arguments)
    try:
        return asked.do(asked, known)
    except OSError as error:
        print(f"{error.filename or ''}：{error.strerror or error}。请换一个路径或检查权限。", file=sys.stderr)
        return NOT_DELIVERABLE


def _parser(known: Facts) -> argparse.ArgumentParser:
    institution = known["institution"]
    parser = argparse.ArgumentParser(
        prog=f"yuyan-deliver-{institution['inst_code']}",
        description=f"{institution['inst_code']} {institution['name']}：在校内生成并校验交付。"
        "说的话与市里反馈的一样。退出码：0 没有问题；1 有记录会被退回或需核对；2 没有生成，或有文件整个不会被装载。",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="校验已生成的交付（含 manifest.json 的文件夹）")
    check.add_argument("delivery", type=Path, nargs="+", help="交付的文件夹")
    check.set_defaults(do=_check)
    build = commands.add_parser("build", help="由业务系统导出的 CSV、XLSX 生成一个交付并校验")
    build.add_argument(
        "source",
        type=Path,
        nargs="+",
        help="文件或文件夹；文件名以实体名开头，例如 student_2024.csv、学籍.xlsx",
    )
    build.add_argument("--to", type=Path, required=True, help="交付目录；以前的交付留在其中，序号由此接续")
    build.add_argument("--date", type=date.fromisoformat, help="交付日期，yyyy-mm-dd（默认今天）")
    build.add_argument("--strict", action="store_true", help="有记录会被退回时不生成")
    build.set_defaults(do=_build)
    for command in (check, build):
        command.add_argument("--json", action="store_true", help="输出 JSON")
        command.add_argument("--report", type=Path, help="把每一处问题写入这个 CSV 文件")
    template = commands.add_parser("template", help="写出只有表头的 CSV，供填报")
    template.add_argument("entity", nargs="*", choices=[*known["entities"], []], help="实体（默认全部）")
    template.add_argument("--to", type=Path, required=True, help="文件夹")
    template.set_defaults(do=_template)
    return parser


def _check(asked: argparse.Namespace, known: Facts) -> int:
    return _say([delivery.check(folder, known) for folder in asked.delivery], asked, known)


def _build(asked: argparse.Namespace, known: Facts) -> int:
    day = asked.date or datetime.now(STANDARD_TIME).date()
    report, folder = delivery.build(asked.source, asked.to, known, day, asked.strict)
    code = _say([report], asked, known)
    if folder is None:
        print("没有生成交付。", file=sys.stderr)
        return NOT_DELIVERABLE
    if not asked.json:
        print(f"已生成交付：{folder}\n上传：sftp -b {folder}.sftp 用户@主机")
    return code


def _template(asked: argparse.Namespace, known: Facts) -> int:
    asked.to.mkdir(parents=True, exist_ok=True)
    for entity in asked.entity or known["entities"]:
        columns = delivery.header(known["entities"][entity]["table"], known)
        with open(asked.to / f"{entity}.csv", "w", encoding="utf-8-sig", newline="") as file:
            csv.writer(file, delimiter=known["formats"]["delimiter"]).writerow(columns)
    print(f"已写出表头：{asked.to}")
    return SOUND


def _say(reports: list[Report], asked: argparse.Namespace, known: Facts) -> int:
    if asked.report:
        _write(asked.report, reports)
    if asked.json:
        print(json.dumps([_plain(report) for report in reports], ensure_ascii=False, indent=1))
    else:
        for report in reports:
            _print(report, known)
    if any(report.faults for report in reports):
        return NOT_DELIVERABLE
    return SOUND if all(report.is_sound for report in reports) else FINDINGS


def _plain(report: Report) -> dict:
    files = [{"file": file, "entity": entity, "rows": rows} for file, entity, rows in report.files]
    return {
        "delivery": report.name,
        "faults": [fault._asdict() for fault in report.faults],
        "files": files,
        "findings": report.as_rows(),
    }


def _print(report: Report, known: Facts) -> None:
    rows = sum(rows for _, _, rows in report.files)
    print(f"{report.name or '交付'}：{len(report.files)} 个文件，{rows} 条记录")
    for fault in report.faults:
        print(f"[不装载] {fault.chinese}")
    for entity, findings in report.findings.items():
        by_rule: dict[str, list] = {}
        for finding in findings:
            by_rule.setdefault(finding.rule["rule_id"], []).append(finding)
        for rule_id, of_rule in by_rule.items():
            rule = of_rule[0].rule
            label = known["entities"][entity]["label"]
            print(
                f"[{SEVERITIES[rule['severity']]}] {label} {rule_id}：{rule['message']}，{len(of_rule)} 条。{rule['fix']}"
            )
            for finding in of_rule[:SHOWN]:
                where = f"{report.where[id(finding.row)]} 第 {finding.row.line} 行"
                print(f"    {where}，记录编号 {finding.row.record_id}：{finding.observed or '（空）'}")
            if len(of_rule) > SHOWN:
                print(f"    另有 {len(of_rule) - SHOWN} 条，见 --report 写出的文件")
    left = sum(known["entities"][entity]["by_the_line"] for entity in report.findings)
    if report.is_sound:
        print("没有发现问题。", end="")
    print(f"另有 {left} 条规则（引用的上级记录、业务逻辑、与以往数据比对）要在全市数据上判定，结果见反馈页。")


def _write(path: Path, reports: list[Report]) -> None:
    rows = [row for report in reports for row in report.as_rows()]
    columns = [
        "file",
        "line",
        "record_id",
        "rule_id",
        "severity",
        "entity",
        "column",
        "observed",
        "message",
        "fix",
    ]
    with open(path, "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
