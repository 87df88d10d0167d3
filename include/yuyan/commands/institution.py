"""`yuyan institution`: register a new one."""

import json
from typing import Annotated

import typer

from yuyan.commands.console import Json, expected, print_json, terminal
from yuyan.domain import platforms, registration
from yuyan.domain.contracts import Field
from yuyan.domain.platforms import InstitutionError
from yuyan.domain.stewards import StewardError

app = typer.Typer(no_args_is_help=True, help="Institutions: register a new one.")

CONNECTIONS = {
    "files": {"conn_type": "fs", "extra": {"path": "<folder>"}},
    "database": {
        "conn_type": "postgres | mysql | oracle | mssql", "host": "<host>", "port": "<port>", "schema": "<database>",
        "login": "<login>", "password": "<password>",
    },
    "rest-versioned": {
        "conn_type": "http", "host": "<host>", "port": "<port>", "login": "<client id>", "password": "<client secret>",
        "extra": {"path": "/<path>"},
    },
    "rest-legacy": {
        "conn_type": "http", "host": "<host>", "port": "<port>", "password": "<API key>", "extra": {"path": "/<path>"},
    },
}  # fmt: skip
"""Connector -> what its Airflow connection says."""


@app.callback()
def _several() -> None:
    """Without this Typer would take the only command for the whole program."""


@app.command()
def new(
    inst_code: Annotated[
        str, typer.Argument(metavar="CODE", help="The five digits of the university's code.")
    ],
    name: Annotated[str, typer.Option(help="Its name, as pages will show it.")],
    product: Annotated[str, typer.Option(help="Its platform's product, see include/platforms/.")],
    as_json: Json = False,
) -> None:
    """Write a new institution's file and its stewards' entry; say what the commission delivers first and what comes next."""
    with expected(InstitutionError, StewardError):
        written = registration.register(inst_code, name, product)
    record, others = registration.from_commission()
    variable = f"AIRFLOW_CONN_PLATFORM_{inst_code}"
    connection = CONNECTIONS.get(platforms.load()[product].connector, {})
    if as_json:
        print_json(
            {
                "institution": written.institution,
                "stewards": written.stewards,
                "accounts": written.accounts,
                "commission_delivers": {
                    "first": {"entity": record.entity, "fields": [f.name for f in record.supplied]},
                    "besides": [c.entity for c in others],
                },
                "connection": {variable: connection},
            }
        )
        return
    lines = [
        f"已写出 {written.institution}",
        f"已补充 {written.stewards}：{'、'.join(written.accounts)}（在 Airflow 中建同名账号）"
        if written.stewards
        else f"数据管理员已有 {'、'.join(written.accounts)}",
        "",
        f"1. 先由市教委报送{record.label}（{record.entity}）一条记录；它被接收之前，该单位的全部记录都会被隔离：",
        *(
            f"     {f.label} {f.name}{'' if f.mandatory else '（可空）'}  {_form(f)}"
            + (f"  例 {record.sample[f.name]}" if record.sample.get(f.name) and f.name != "inst_code" else "")
            for f in record.supplied
        ),
        f"   该单位有相关事项的，还有：{'、'.join(f'{c.label} {c.entity}' for c in others)}",
        f"2. 建 Airflow 连接 platform_{inst_code}（界面、密钥库，或环境变量）：",
        f"     {variable}='{json.dumps(connection, ensure_ascii=False)}'",
        f"3. 试读，不装载：  yuyan check {inst_code}",
    ]
    terminal().print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def _form(f: Field) -> str:
    return f"代码集 {f.code_set}" if f.code_set else f"格式 {f.pattern}" if f.pattern else f.sql_type
