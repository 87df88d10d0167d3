"""What can be wrong with a delivered file, said once for both sides: the line, which refuses it, and the deliverer's kit.

said("rows", manifest=3, found=4)  ->  Said("清单为 3 行，文件为 4 行", "manifest 3 rows, file 4 rows")

No dependency: it goes into the kit.
"""

import codecs
import re
from typing import NamedTuple


class Said(NamedTuple):
    """A fault in Chinese and in English, without a value of a record."""

    chinese: str
    english: str


_FAULTS = {
    "link": ("是链接或特殊文件，请交付文件本身", "it is a link or a special file; deliver the file itself"),
    "absent": ("清单列出的文件不存在", "the file is in the manifest but not in the folder"),
    "unreadable": ("文件无法读取（{error}）", "the file cannot be read"),
    "digest": ("清单 sha256 为 {manifest}…，文件为 {found}…", "the digest differs from the manifest's"),
    "rows": ("清单为 {manifest} 行，文件为 {found} 行", "manifest {manifest} rows, file {found} rows"),
    "encoding": (
        "清单的编码名 {name!r} 不认识，请写 gb18030 或 utf-8",
        "the encoding {name!r} is unknown; write gb18030 or utf-8",
    ),
    "is_utf8": ("清单的编码为 {name}，文件实为 UTF-8", "the manifest says {name}, the file is UTF-8"),
    "not_csv": ("不是约定的 CSV（{error}）", "cannot be read as {encoding} CSV"),
    "columns": (
        "不是约定的 CSV（{error}，第 {row} 行的列数与表头不符）",
        "cannot be read as {encoding} CSV (row {row})",
    ),
    "not_workbook": ("不是约定的工作簿（{error}）", "cannot be read as a workbook"),
    "long_number": (
        "{rows} 行的“{column}”是数字单元格，超过 15 位的部分已丢失（首行为第 {row} 行），请改为文本格式",
        "{rows} rows have their record id in a number cell, which keeps 15 digits (the first is row {row}); make the "
        "column text",
    ),
    "formula": (
        "第 {row} 行“{column}”等 {cells} 个单元格的公式出错（{text}），请更正后以数值保存",
        "{cells} cells are formula errors, the first {text} in row {row}; correct them, save values",
    ),
    "merged": (
        "{rows}“{column}”在合并单元格内，被合并的单元格没有值，请取消合并并逐行填写",
        "rows {top} to {bottom} have merged cells, which hide values; unmerge and fill them in",
    ),
    "no_header": ("首行不是表头（没有“{column}”）", "the first line is not the header"),
    "wide": (
        "表头超过 {most:,} 列（limits.columns），请只报送约定的列",
        "the header has more than {most:,} columns (limits.columns); deliver the announced ones",
    ),
    "header_twice": ("表头中“{chinese}”出现不止一次，无法确定用哪一列", "the header has {english} more than once"),
    "period_twice": ("清单把期间 {period} 列了两次", "the manifest lists its period twice"),
    "mandatory_gone": (
        "必填字段 {chinese} 已不在报送数据中（{rows} 行），本次未装载，请报送单位恢复该字段",
        "mandatory field {english} is gone from all {rows} rows; not loaded, ask the institution to restore it",
    ),
    "nameless": (
        "{rows} 行没有记录编号（首行为第 {row} 行），{what}未装载，请报送单位补齐 {column}",
        "{rows} rows without a record id (the first is row {row}); {what_english} is not loaded, ask the institution to "
        "supply it",
    ),
    "colliding": (
        "{rows} 行的记录编号与别的行相同而内容不同（例如第 {chinese} 行），{what}未装载。"
        "编号可能被电子表格改写（科学计数法、末位变为 0）或被视图重复，请报送单位以文本格式提供 {column}，每条记录一个编号",
        "{rows} rows share a record id with another row that says something else (rows {english} for example); "
        "{what_english} is not loaded; a spreadsheet or a join may have made the ids alike: ask the institution for one id "
        "per record, as text",
    ),
    "manifest_link": ("是链接或特殊文件", "a link or a special file"),
    "manifest_large": ("超过 {most} MB，limits.manifest_mb", "larger than {most} MB, limits.manifest_mb"),
    "manifest_unreadable": ("无法读取，{error}", "cannot be read, {error}"),
    "manifest_no_json": ("不是 UTF-8 的 JSON", "not JSON in UTF-8"),
    "manifest_entity": (
        "第 {number} 个文件的实体 {entity!r} 不由该单位报送",
        "file {number}: the institution does not supply {entity!r}",
    ),
}  # fmt: skip

WHOLE_FILE = {"what": "整个文件", "what_english": "the file"}
WHOLE_BATCH = {"what": "整批", "what_english": "the batch"}
"""What is not loaded, for the faults that say so."""


def said(fault: str, **values: object) -> Said:
    """The words of a fault. Raises KeyError for one that is not in the list or a value that is not given."""
    return Said(*(text.format(**values) for text in _FAULTS[fault]))


def not_loaded(where: str, fault: Said) -> Said:
    """What a fault of a file means: `where` is its delivery and name."""
    return Said(
        f"文件 {where} 未装载：{fault.chinese}。上一次的数据保持不变，请报送单位核对后重新交付",
        f"not loaded: {fault.english}; the last good data stay, ask the institution to deliver it again",
    )


def bad_manifest(delivery: str, fault: Said) -> Said:
    """What a fault of a delivery's manifest means."""
    return Said(
        f"交付 {delivery} 的清单不符合约定（{fault.chinese}），请报送单位更正清单；其他文件照常装载",
        f"the manifest of delivery {delivery} is not valid ({fault.english}); ask the institution to correct it",
    )


ENCODINGS = {
    "gb18030": "gb18030 gb180302000 gb180302005 gb180302022 gbk gb2312 gb23121980 cp936 ms936 windows936 936 ansi",
    "utf-8": "utf8 utf8bom utf8withbom utf8sig 65001",
    "utf-16": "utf16 unicode ucs2",
}
"""Encoding -> the names by which manifests call it, without regard to case and punctuation. GB18030 reads all of GBK."""
_ENCODINGS = {name: encoding for encoding, names in ENCODINGS.items() for name in names.split()}


def encoding_of(declared: str) -> str | None:
    """The encoding that a manifest means; None for a name that is none of an encoding of text.

    >>> encoding_of("GBK")
    'gb18030'
    """
    encoding = _ENCODINGS.get(re.sub(r"[^0-9a-z]", "", declared.lower()))
    if encoding:
        return encoding
    try:
        info = codecs.lookup(declared)
    except (LookupError, ValueError):
        return None
    return info.name if getattr(info, "_is_text_encoding", True) else None


def is_utf8(start: bytes) -> bool:
    """Whether the beginning of a file has characters beyond ASCII and all of them are UTF-8."""
    try:
        return not codecs.getincrementaldecoder("utf-8")().decode(start).isascii()
    except UnicodeDecodeError:
        return False
