"""The catalogue of errors that a source or a configuration can cause: what is done, and what the outcome must say.

Every entry is one institution's fault in an otherwise sound city (test_source_errors.py). `says` stands in the outcome of
the entity, or of the institution as a whole; an entry without `loaded` has no row in raw.
"""

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import fake_platforms as fake
import xlsxwriter

from yuyan.domain import contracts

UNIT = contracts.load()["org_unit"]
HEADER = ["记录编号", *(f.label for f in UNIT.supplied)]
LABEL = {f.name: f.label for f in UNIT.supplied}
NAME = LABEL["unit_name"]
MOST_NOTED = 9
"""Ranges of merged columns that a sheet of these may have."""
XLSX = {"format": "xlsx", "encoding": None}
ROW = {
    "记录编号": "u1", LABEL["inst_code"]: "{code}", LABEL["unit_code"]: "001", LABEL["unit_name"]: "机械学院",
    LABEL["unit_kind"]: "10", LABEL["is_entity"]: "是", LABEL["valid_from"]: "2001/9/1",
}  # fmt: skip


def csv(
    *rows: dict[str, str], header: list[str] = HEADER, tail: str = "", encoding: str = "gb18030"
) -> bytes:
    """A CSV file with these rows."""
    lines = [header, *([row.get(name, "") for name in header] for row in rows)]
    return ("".join(",".join(line) + "\r\n" for line in lines) + tail).encode(encoding)


@dataclass(frozen=True)
class Delivery:
    """Faults of a file drop: the file's bytes, and what the manifest says beside the truth."""

    name: str
    says: str
    content: bytes = csv(ROW)
    entry: dict[str, Any] = field(default_factory=dict)
    top: dict[str, Any] = field(default_factory=dict)
    manifest: bytes | None = None
    file: str = "u.csv"
    loaded: int = 0
    limits: dict[str, int] = field(default_factory=dict)
    link: str = ""
    """Which of the two files is a link to a file elsewhere."""

    def files(self) -> dict[str, bytes]:
        """Name -> content of the delivery."""
        digest = hashlib.sha256(self.content).hexdigest()
        listed = {
            "entity": "org_unit",
            "ref_period": "all",
            "file": self.file,
            "format": "csv",
            "encoding": "gb18030",
        }
        listed |= {"rows": 1, "sha256": digest} | self.entry
        whole = {"producer": "x", "schema_version": "1", "sequence": 2026101501, "files": [listed]} | self.top
        manifest = json.dumps(whole, ensure_ascii=False).encode() if self.manifest is None else self.manifest
        return {"u.csv": self.content, "manifest.json": manifest}


def book(
    *rows: dict[str, str],
    formula: str = "",
    before: int = 0,
    merged: bool = False,
    aside: int = 0,
    stray: tuple[int, int] = (),
    other: Sequence[str] = (),
    inline: bool = False,
) -> bytes:
    """A workbook with these rows.

    `formula`: the column in which the first row has a formula error; `before`: so many rows that come first have one in
    no announced column; `merged`: the names of the first two rows are one cell; `aside`: so many areas are merged beside the
    table before that; `stray`: row and column (from 0) of a cell that has nothing to do with the rest; `other`: texts of
    another sheet; `inline`: texts stand in their cells, not in a list that cells share.
    """
    out = io.BytesIO()
    made = xlsxwriter.Workbook(out, {"in_memory": True, "constant_memory": inline})
    sheet = made.add_worksheet()
    for i, row in enumerate(({name: name for name in HEADER}, *rows)):
        sheet.write_row(i, 0, [row.get(column, "") for column in HEADER])
    if formula:
        at = HEADER.index(formula) if formula in HEADER else len(HEADER)
        sheet.write_formula(before + 1, at, "=NA()", None, "#N/A")
    for row in range(before):
        sheet.write_formula(row + 1, len(HEADER), "=NA()", None, "#N/A")
    for i in range(aside):
        sheet.merge_range(1, len(HEADER) + 2 * i, 2, len(HEADER) + 2 * i + 1, "合并")
    if merged:
        sheet.merge_range(1, HEADER.index(NAME), 2, HEADER.index(NAME), "合并")
    if stray:
        sheet.write(*stray, "x")
    if other:
        made.add_worksheet().write_column(0, 0, other)
    made.close()
    return out.getvalue()


BOM, SHA = b"\xef\xbb\xbf", "0" * 64
TWICE = [*HEADER, LABEL["unit_name"]]
NAMELESS = [name for name in HEADER if name != LABEL["unit_name"]]
DELIVERIES = [
    Delivery("sound", "", loaded=1),
    Delivery("a byte order mark in the file", "", csv(ROW, encoding="utf-8-sig"), {"encoding": "UTF-8 BOM"}, loaded=1),
    Delivery("no encoding named", "", entry={"encoding": None}, loaded=1),
    Delivery("manifest: not JSON", "清单不符合约定", manifest=b"{"),
    Delivery("manifest: empty", "清单不符合约定", manifest=b""),
    Delivery("manifest: a list", "清单不符合约定", manifest=b"[]"),
    Delivery("manifest: in UTF-16", "清单不符合约定", manifest="{}".encode("utf-16")),
    Delivery("manifest: a field missing", "producer", top={"producer": None}),
    Delivery("manifest: a sequence that is no number", "sequence", top={"sequence": "one"}),
    Delivery("manifest: a sequence beyond 64 bits", "sequence", top={"sequence": 1 << 70}),
    Delivery("entry: an unknown entity", "no_such", entry={"entity": "no_such"}),
    Delivery("entry: another owner's entity", "enterprise", entry={"entity": "enterprise"}),
    Delivery("entry: a path instead of a name", "file", entry={"file": "../u.csv"}),
    Delivery("entry: a file that is not there", "不存在", entry={"file": "v.csv"}),
    Delivery("entry: an unknown format", "format", entry={"format": "xls"}),
    Delivery("entry: rows that are no number", "rows", entry={"rows": "many"}),
    Delivery("entry: a digest that is none", "sha256", entry={"sha256": "abc"}),
    Delivery("entry: another file's digest", "sha256", entry={"sha256": SHA}),
    Delivery("entry: another number of rows", "清单为 2 行", entry={"rows": 2}),
    Delivery("encoding: unknown", "不认识", entry={"encoding": "klingon"}),
    Delivery("encoding: no encoding of text", "不认识", entry={"encoding": "base64"}),
    Delivery("encoding: UTF-8 announced as GB18030", "UTF-8", csv(ROW, encoding="utf-8")),
    Delivery("encoding: GB18030 announced as UTF-8", "不是约定的 CSV", entry={"encoding": "utf-8"}),
    Delivery("file: empty", "u.csv", b"", {"rows": 0}),
    Delivery("file: a header only, announced with a row", "清单为 1 行", csv()),
    Delivery("file: no header", "表头", csv(header=["u1", "10611"])),
    Delivery("file: an announced header twice", LABEL["unit_name"], csv(ROW, header=TWICE)),
    Delivery("file: no record id column", "记录编号", csv(ROW, header=HEADER[1:])),
    Delivery("file: a mandatory column gone", LABEL["unit_name"], csv(ROW, header=NAMELESS)),
    Delivery("file: a totals line", "列数与表头不符", csv(ROW, tail="合计,1\r\n"), {"rows": 2}),
    Delivery("file: a row without record id", "没有记录编号", csv(ROW | {"记录编号": ""})),
    Delivery("file: one record id on two rows", "编号与别的行相同", csv(ROW, ROW | {LABEL["unit_name"]: "别"}), {"rows": 2}),
    Delivery("file: an open quotation mark", "不是约定的 CSV", csv(ROW, tail='"'), {"rows": 2}),
    Delivery("file: a CSV announced as a workbook", "不是约定的工作簿", entry={"format": "xlsx"}),
    Delivery("workbook: sound", "", book(ROW), XLSX, loaded=1),
    Delivery("workbook: a stray cell near by", "", book(ROW, stray=(40, 12)), XLSX, loaded=1),
    Delivery("workbook: a stray cell far away", "AN5000", book(ROW, stray=(4999, 39)), XLSX, limits={"workbook_cells": 999}),
    Delivery("workbook: too large, unpacked", "limits.workbook_mb", book(*[ROW] * 9000), XLSX, limits={"workbook_mb": 1}),
    Delivery("workbook: too much text in its cells", "limits.workbook_characters", book(ROW, inline=True), XLSX,
             limits={"workbook_characters": 60}),
    Delivery("workbook: too much text that cells share", "limits.workbook_characters", book(*[ROW] * 20), XLSX,
             limits={"workbook_characters": 300}),
    Delivery("workbook: too much text that no cell has", "limits.workbook_characters", book(ROW, other=["x" * 300]), XLSX,
             limits={"workbook_characters": 300}),
    Delivery("workbook: too many texts", "limits.workbook_cells", book(ROW, other=[f"x{i}" for i in range(40)]), XLSX,
             limits={"workbook_cells": 40}),
    Delivery("workbook: as much text as allowed", "", book(ROW, inline=True), XLSX, loaded=1,
             limits={"workbook_characters": 200}),
    Delivery("workbook: too many columns", "limits.columns", book(ROW), XLSX, limits={"columns": 8}),
    Delivery("file: too many columns", "limits.columns", csv(ROW), limits={"columns": 8}),
    Delivery("file: a header that does not end", "不是约定的 CSV", b"x,y,z" * 90, limits={"columns": 999}),
    Delivery("workbook: a formula error", f"第 2 行“{NAME}”等 1 个单元格的公式出错", book(ROW, formula=NAME), XLSX),
    Delivery("workbook: a formula error in no announced column", "", book(ROW, formula="备注"), XLSX, loaded=1),
    Delivery("workbook: a formula error behind many others", f"第 32 行“{NAME}”等 1 个单元格的公式出错",
             book(*[ROW] * 31, formula=NAME, before=30), XLSX),
    Delivery("workbook: merged cells behind many others", f"第 2–3 行“{NAME}”在合并单元格内",
             book(ROW, ROW, merged=True, aside=MOST_NOTED - 1), XLSX),
    Delivery("workbook: merged cells of many ranges", f"列范围超过 {MOST_NOTED} 种",
             book(ROW, ROW, aside=MOST_NOTED + 1), XLSX),
    Delivery("workbook: merged cells in no announced column", "", book(ROW, aside=2), XLSX, loaded=1),
    Delivery("workbook: merged cells", f"第 2–3 行“{NAME}”在合并单元格内", book(ROW, ROW, merged=True), XLSX),
    Delivery("workbook: cut off", "不是约定的工作簿", book(ROW)[:2000], XLSX),
    Delivery("file: more rows than a window may have", "limits.rows", csv(ROW, ROW), limits={"rows": 1}),
    Delivery("file: a link", "是链接", link="u.csv"),
    Delivery("manifest: a link", "是链接", link="manifest.json"),
    Delivery("manifest: too large", "limits.manifest_mb", limits={"manifest_mb": 1}, manifest=b" " * (1 << 20) + b"{}"),
    Delivery("file: a picture", "不是约定的 CSV", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4),
]  # fmt: skip


@dataclass(frozen=True)
class File:
    """Faults of an institution's file or its connection; `conn` is the Airflow connection's JSON."""

    name: str
    says: str
    text: str | bytes = ""
    more: dict[str, Any] = field(default_factory=dict)
    conn: str | dict[str, Any] | None = None
    product: str = "rest-versioned"


OTHERS = 'inst_code: "10611"\nname: a\nproduct: file-drop\nconnection: c\n'
HTTP = {"conn_type": "http", "host": "127.0.0.1", "login": "client", "password": "secret"}
FILES = [
    File("file: not YAML", "not YAML", text='inst_code: "{code}"\nname: [\n'),
    File("file: nothing in it", "not a mapping", text=" "),
    File("file: not UTF-8", "not UTF-8", text="name: 机械".encode("gb18030")),
    File("file: a key twice", "used twice", text='inst_code: "{code}"\nname: a\nname: b\n'),
    File("file: a code as a number", "inst_code", text="inst_code: 20001\nname: a\nproduct: file-drop\nconnection: c\n"),
    File("file: another's code", "must be the file's name", text=OTHERS),
    File("file: an unknown key", "pagesize", more={"pagesize": 3}),
    File("file: a product that there is not", "has no profile", product="fax"),
    File("file: an entity of another owner", "does not supply", more={"entities": ["enterprise"]}),
    File("file: no number of rows a page", "page_size", more={"page_size": 0}),
    File("file: a field that there is not", "is not a field", more={"fields": {"student": {"hair": "x"}}}),
    File("file: one column for two fields", "'unit_code' is the column of both",
         more={"fields": {"org_unit": {"unit_name": "unit_code"}}}),
    File("file: the record id's column for a field", "the record's envelope",
         more={"fields": {"org_unit": {"unit_name": "src_record_id"}}}),
    File("file: a code set that there is not", "hats", more={"codes": {"hats": {"a": "b"}}}),
    File("connection: none", "没有 Airflow 连接"),
    File("connection: a port beyond all ports", "平台", conn=HTTP | {"port": 99999}),
    File("connection: a host that is none", "平台", conn=HTTP | {"host": "a..b", "port": 1}),
    File("connection: a host too long for a name", "平台", conn=HTTP | {"host": "a" * 80, "port": 1}),
    File("connection: no host", "平台", conn={"conn_type": "http"}),
    File("connection: an extra that is a list", "extra", conn=HTTP | {"port": 1, "extra": [1]}),
    File("connection: a path that is a number", "extra", conn=HTTP | {"port": 1, "extra": {"path": 5}}),
    File("connection: a proxy that is none", "平台", conn=HTTP | {"port": 1, "extra": {"proxy": "http://127.0.0.1:1"}}),
    File("connection: nothing listens", "未成功", conn=HTTP | {"port": 1}),
    File("database: a URL that is none", "中间库", conn={"conn_type": "x", "extra": {"sqlalchemy_url": "nowhere"}},
         product="exchange-database"),
    File("database: a driver that is not there", "驱动", conn={"conn_type": "x", "extra": {"sqlalchemy_url": "foo://h/d"}},
         product="exchange-database"),
    File("folder: not named", "不存在", conn={"conn_type": "fs"}, product="file-drop"),
    File("folder: not there", "不存在", conn={"conn_type": "fs", "extra": {"path": "/no/such/folder"}}, product="file-drop"),
    File("folder: a name with a NUL", "不存在", conn={"conn_type": "fs", "extra": {"path": "/tmp/\0"}}, product="file-drop"),
]  # fmt: skip


def sound(change: Callable[[dict], Any] | None = None) -> bytes:
    """A page of rest-versioned as JSON with one record, changed."""
    record = fake.unit(1)
    page = {"items": [record if change is None else change(record)], "nextAfterId": None}
    return json.dumps(page, ensure_ascii=False).encode()


@dataclass(frozen=True)
class Answer:
    """Faults of an HTTP platform: what it answers for a page, whatever is asked."""

    name: str
    says: str
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    limits: dict[str, int] = field(default_factory=dict)


NESTED = b'{"items": ' + b"[" * 2000 + b"]" * 2000 + b', "nextAfterId": null}'
ANSWERS = [
    Answer("a login page in HTML", "约定的", body=b"<html><body>login</body></html>", headers={"Content-Type": "text/html"}),
    Answer("an entity that the platform does not have", "的 not_yet", status=404),
    Answer("nothing", "约定的", body=b""),
    Answer("JSON cut off", "约定的", body=b'{"items": [{"src_rec'),
    Answer("another envelope", "约定的", body=b'{"data": []}'),
    Answer("items that are no list", "约定的", body=b'{"items": {"a": 1}, "nextAfterId": null}'),
    Answer("items that are no objects", "约定的", body=b'{"items": [1, 2], "nextAfterId": null}'),
    Answer("bytes that are no UTF-8", "约定的", body='{"items": [{"a": "机"}]}'.encode("gb18030")),
    Answer("gzip announced, plain sent", "未成功", headers={"Content-Encoding": "gzip"}, body=b"plain"),
    Answer("a redirect to a login page", "HTTP 302", status=302, headers={"Location": "https://sso.example.org/login"}),
    Answer("a redirect without end", "HTTP 301", status=301, headers={"Location": "/org_unit"}),
    Answer("forbidden", "HTTP 403", status=403),
    Answer("gone", "HTTP 410", status=410),
    Answer("an unknown status", "HTTP 299", status=299),
    Answer("too many requests, for a year", "429", status=429, headers={"Retry-After": "31536000"}),
    Answer("too many requests, for no time that there is", "429", status=429, headers={"Retry-After": "soon"}),
    Answer("unavailable until a day that is none", "503", status=503, headers={"Retry-After": "Mon, 99 Foo 2026"}),
    Answer("bad gateway in HTML", "502", status=502, body=b"<h1>nginx</h1>"),
    Answer("a body that unpacks to more than it may", "limits.answer_mb", body=b" " * (2 << 20), limits={"answer_mb": 1}),
    Answer("an id of a next page that is too long", "limits.next_id_characters", limits={"next_id_characters": 40},
           body=json.dumps({"items": [], "nextAfterId": "x" * 41}).encode()),
    Answer("a page with too many records", "limits.page_rows", body=b'{"items": [{}, {}]}', limits={"page_rows": 1}),
    Answer("nested beyond measure", "嵌套过深", body=NESTED),
    Answer("mandatory fields gone", "不在报送数据中", body=sound(lambda r: r.pop("unit_name") and r)),
    Answer("a change version that is no number", "change_version", body=sound(lambda r: r | {"change_version": "soon"})),
    Answer("no record id", "记录编号", body=sound(lambda r: r | {"src_record_id": None})),
]  # fmt: skip
