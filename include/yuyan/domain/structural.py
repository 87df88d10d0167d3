"""Structural rules, derived from a contract: presence, type, form, code set, reference, key, owner, the record."""

from collections.abc import Callable, Iterator
from typing import Any

from yuyan.domain import contracts, editions, keys
from yuyan.domain.contracts import NO_NUMBER, Contract, Field, Reference
from yuyan.domain.macros import quote

TYPES = {
    "integer": "整数",
    "number": "数值（含位数）",
    "boolean": "布尔值（true/false）",
    "date": "日期（yyyy-mm-dd）",
}
OWNERS = {"university": "报送单位数据管理员", "commission": "市教委数据管理员"}


def rules(contract: Contract, indicators: tuple[str, ...]) -> list[dict[str, Any]]:
    """Every structural rule of the entity, in the shape of a rule file. `indicators` are affected by all of them."""
    common = {"version": 1, "severity": "ERROR", "owner": OWNERS[contract.owner], "indicators": indicators}
    found = [rule for f in contract.columns for rule in _of_field(contract, f)]
    found += [_reference(contract, ref) for ref in contract.references]
    found.append(_key(contract))
    if contract.owner == "university" and any(f.name == "inst_code" for f in contract.columns):
        found.append(_ownership(contract))
    found += _of_record(contract)
    return [common | _override(contract, rule) | rule for rule in found]


def _override(contract: Contract, rule: dict[str, Any]) -> dict[str, str]:
    """A text that is too long can still be typed, joined and attributed, unless it identifies or refers to a record. What
    the other rules keep out cannot, and a text of the wrong form cannot be taken apart (a year out of an academic year)."""
    fixed = {*contract.key, *(n for ref in contract.references for n in ref.fields)}
    fixed |= {f.name for f in contract.columns if f.pattern or f.name.endswith(("_id", "_code", "uscc"))}
    is_length = rule["rule_id"].endswith(".3") and rule["column"] not in fixed
    return {"override": "commission" if is_length else "nobody"}


def _of_field(contract: Contract, f: Field) -> Iterator[dict[str, Any]]:
    def rule(
        number: int, condition: str, message: str, why: str, fix: str, when: str | None
    ) -> dict[str, Any]:
        return _rule(contract, f.name, number, 1, condition, message, why, fix, when)

    raw, given = f"{{raw:{f.name}}}", f"{{raw:{f.name}}} is not null"
    if number := next((n for n in contract.fields if n.becomes == f.name), None):
        yield from _of_person(contract, f, number, rule)
        return
    if f.mandatory:
        yield rule(
            1, f"coalesce({raw}, '') <> ''", f"{f.label}缺失",
            f"{f.label}是必填项，缺失的记录无法归类、关联或计数。", f"在来源系统补填“{f.label}”，下次采集自动更正。", None,
        )  # fmt: skip
    if f.type in TYPES:
        yield rule(
            2, f"r.{f.name} is not null", f"{f.label}不是有效的{TYPES[f.type]}",
            "类型不符的值无法参与计算，也无法判断其他规则。", f"按{TYPES[f.type]}填写“{f.label}”（{f.sql_type}）。", given,
        )  # fmt: skip
    if f.code_set:
        yield rule(
            4, _in_code_set(f, raw), f"{f.label}不在代码集 {f.code_set} 内",
            "代码集以外的值无法归类，会在分组统计中丢失。",
            f"对照代码集 {f.code_set} 更正；本地代码请在平台映射中补充对应关系。{_editions_of(contract, f)}", given,
        )  # fmt: skip
    elif f.pattern:
        yield rule(
            3, f"{raw} ~ {quote([f.pattern])}", f"{f.label}格式不符",
            "格式不符多为截断、多余字符或填错字段，会使关联失败。", f"按格式 {f.pattern} 填写“{f.label}”。", given,
        )  # fmt: skip
    elif f.max_length:
        short = (
            f"{raw} ~ '^[^;]{{0,{f.max_length}}}(;[^;]{{0,{f.max_length}}})*$'"
            if f.type == "array"
            else f"char_length({raw}) <= {f.max_length}"
        )
        yield rule(
            3, short, f"{f.label}超过 {f.max_length} 个字符",
            "超长多为字段错位或拼接了其他内容。", f"核对“{f.label}”，不超过 {f.max_length} 个字符。", given,
        )  # fmt: skip


def _of_person(
    contract: Contract, f: Field, number: Field, rule: Callable[..., dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """A key that privacy derives: no number was given (1), or what was given is no certificate number (3)."""
    raw, is_no_number = f"{{raw:{f.name}}}", f"coalesce(r.{f.name}_version = {NO_NUMBER}, false)"
    if f.mandatory:
        yield rule(
            1, f"coalesce({raw}, '') <> '' or {is_no_number}", f"{number.label}缺失",
            "没有证件号码就无法认定个人，人数会重复或遗漏。", f"在来源系统补填“{number.label}”，下次采集自动更正。", None,
        )  # fmt: skip
    yield rule(
        3, f"coalesce({raw}, '') ~ {quote([f.pattern])}", f"{number.label}不是有效的证件号码",
        "居民身份证须为 18 位（或旧的 15 位）且出生日期和校验码正确。电子表格改写的号码（科学计数法、末位变 0）和“无”“0”等"
        "占位文字不能认定个人，否则不同的人会被算作一人。",
        f"在来源系统以文本格式更正“{number.label}”，并核对证件类型；下次采集自动更正。",
        f"{raw} is not null or {is_no_number}",
    )  # fmt: skip


def _editions_of(contract: Contract, f: Field) -> str:
    """What a code of an earlier edition needs, for whoever mends the field."""
    if f.edition is None:
        return ""
    how, day = f.edition
    when = "当日有效" if how == "at" else "以后有效过"
    return f"现行目录和{contract[day].label}{when}的原目录代码都可使用（见 reference.former_discipline）。"


def _in_code_set(f: Field, raw: str) -> str:
    """In the present edition, or in one that held on the day of the fact (`at`) or at some time since it (`since`)."""
    codes = quote(sorted(contracts.code_sets()[f.code_set]))
    if f.type == "array":
        return f"r.{f.name} <@ array[{codes}]"
    present = f"{raw} in ({codes})"
    if f.edition is None:
        return present
    how, day = f.edition
    held: dict[str, list[str]] = {}
    for code in editions.former_codes(f.code_set):
        on_day = f"between date '{code.valid_from}' and date '{code.valid_to}'"
        held.setdefault(on_day if how == "at" else f"<= date '{code.admits_until}'", []).append(code.code)
    former = [
        f"{raw} in ({quote(sorted(codes))}) and r.{day} {on_day}" for on_day, codes in sorted(held.items())
    ]
    return " or ".join([present, *former])


def reference_id(contract: Contract, ref: Reference) -> str:
    """The rule of a reference: named after its first field, or its last where an earlier reference has taken that name."""
    earlier = [r.fields[0] for r in contract.references[: contract.references.index(ref)]]
    return f"QR.{contract.entity}.{ref.fields[-1] if ref.fields[0] in earlier else ref.fields[0]}.5"


def _reference(contract: Contract, ref: Reference) -> dict[str, Any]:
    name = reference_id(contract, ref).split(".")[2]
    other = contracts.load()[ref.entity]
    parent = other.label
    labels = "、".join(contract[n].label for n in ref.fields)
    match = " and ".join(f"p.{to} = r.{own}" for own, to in zip(ref.fields, ref.to_fields, strict=True))
    return _rule(
        contract, name, 5, 3, f"exists (select 1 from {{accepted:{ref.entity}}} p where {match})",
        f"{labels}所引用的{parent}不存在或未被接收",
        f"没有对应的{parent}，本记录无法归属；上级记录被隔离时，下级记录随之等待。",
        f"先报送或更正对应的{parent}，本记录随后自动重新判定；引用填错的更正“{labels}”。"
        if other.owner == contract.owner
        else f"核对引用，填错的更正“{labels}”；{parent}确属缺失的请市教委补录，本记录随后自动重新判定。"
        if other.owner == "commission"
        else f"核对引用，填错的更正“{labels}”；{parent}确属缺失的请该单位补报，本记录随后自动重新判定。",
        " and ".join(f"r.{n} is not null" for n in ref.fields),
    )  # fmt: skip


def _key(contract: Contract) -> dict[str, Any]:
    labels = "、".join(contract[n].label for n in contract.key)
    rule = _rule(
        contract, "key", 6, 2, "not r.key_is_taken", f"{labels}与另一条记录重复",
        "同一自然键只能对应一条记录，重复会使人数、金额重复计算。",
        f"删除多余的记录，或更正“{labels}”；来源记录编号最小的一条保留。", "r.record_key is not null",
    )  # fmt: skip
    return rule | {"column": "|".join(contract.key)}


def _ownership(contract: Contract) -> dict[str, Any]:
    return _rule(
        contract, "inst_code", 7, 2, "r.inst_code = r.src_inst_code", "单位代码与报送单位不一致",
        "各单位只报送本单位的数据，代报的记录无法认定责任，也会重复。",
        "核对单位代码；确属其他单位的记录请由该单位报送。", "r.inst_code is not null",
    )  # fmt: skip


def isolated_id(entity: str) -> str:
    """The rule that a record fails whose values break the judgement itself."""
    return f"QR.{entity}.src_record_id.9"


def _of_record(contract: Contract) -> list[dict[str, Any]]:
    return [
        _rule(
            contract, "src_record_id", 8, 1, "false", f"来源记录编号超过 {keys.LONGEST} 个字符",
            "编号用来识别记录，过长多为字段错位或把整段内容当作编号；仓库中以开头部分加摘要代替，原文在落地文件中。",
            f"在来源平台给这条记录一个不超过 {keys.LONGEST} 个字符、永不改变的编号，重新报送。",
            f"r.src_record_id ~ {quote([keys.SHORTENED])}",
        ),
        _rule(
            contract, "src_record_id", 9, 2, "false", "这条记录的值使判定中断",
            "个别值（过大、过长）使数据库无法判定这条记录；只隔离它，其余记录照常判定和发布。",
            "核对这条记录的各字段，更正后重新报送；观察值是数据库的原话，请数据工程师据以检查规则。", "r.is_isolated",
        ),
    ]  # fmt: skip


def _rule(
    contract: Contract,
    column: str,
    number: int,
    level: int,
    condition: str,
    message: str,
    why: str,
    fix: str,
    when: str | None,
) -> dict[str, Any]:
    return {
        "rule_id": f"QR.{contract.entity}.{column}.{number}", "level": level, "column": column, "when": when,
        "assert": condition, "message": message, "why": why, "fix": fix,
    }  # fmt: skip
