"""A new institution: its file, its stewards, and what the commission has to deliver before anything of it is accepted."""

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from yuyan import files, settings
from yuyan.domain import contracts, platforms, stewards
from yuyan.domain.contracts import Contract
from yuyan.domain.platforms import InstitutionError

RECORD = "institution"
"""The commission's record of a university, which everything of it refers to."""
CODE = re.compile(r"[189]\d{4}", re.ASCII)
"""Codes that such a record may have (expectations/institution.yml)."""


@dataclass(frozen=True)
class Registered:
    """What was written (a file that said so already is not), and the institution's two accounts."""

    institution: Path
    stewards: Path | None
    accounts: tuple[str, ...]


def register(inst_code: str, name: str, product: str) -> Registered:
    """Write an institution's file and its entry among the stewards (`data-19001-1`, `data-19001-2`), readable for all.

    Raises InstitutionError and StewardError, with nothing written.
    """
    path = settings.institutions_dir() / f"{inst_code}.yml"
    if not CODE.fullmatch(inst_code):
        raise InstitutionError(
            f"{inst_code!r} 不是学校（机构）代码：五位数字，以 1、8 或 9 开头（QR.institution.inst_code.14）。/ "
            "not a university's code: five digits, the first one 1, 8 or 9"
        )
    if path.exists():
        raise InstitutionError(f"{path} 已存在，请直接修改它。/ it exists already; edit it")
    if not name.strip():
        raise InstitutionError("单位名称为空，请填写全称。/ the name is empty")
    if product not in (known := platforms.load()):
        raise InstitutionError(
            f"没有产品 {product!r}；已有的是 {'、'.join(sorted(known))}。/ no such product"
        )
    accounts = tuple(s.name for s in stewards.load().values() if s.inst_code == inst_code)
    text = None
    if not accounts:
        accounts = (f"data-{inst_code}-1", f"data-{inst_code}-2")
        text = _with_accounts(settings.stewards_file(), inst_code, accounts)
    said = {
        "inst_code": inst_code,
        "name": name.strip(),
        "product": product,
        "connection": f"platform_{inst_code}",
    }
    written = [(path, yaml.safe_dump(said, allow_unicode=True, sort_keys=False))]
    written += [(settings.stewards_file(), text)] if text is not None else []
    for file, content in written:
        files.write(file, content)
        file.chmod(0o644)  # no secret is in it, and the line's services read it
    stewards.forget()
    return Registered(path, settings.stewards_file() if text is not None else None, accounts)


def from_commission() -> tuple[Contract, list[Contract]]:
    """The contract of the record that comes first, and those of the commission's other records that name a university."""
    known = contracts.load()
    others = [
        c
        for c in known.values()
        if c.owner == "commission" and any(ref.entity == RECORD for ref in c.references)
    ]
    return known[RECORD], others


def _with_accounts(path: Path, inst_code: str, accounts: tuple[str, ...]) -> str:
    """The stewards' file with one more university, in the order of codes, everything else as it is."""
    text = path.read_text(encoding="utf-8")
    entry = f'  "{inst_code}": [{", ".join(accounts)}]\n'
    listed = list(re.finditer(r"""^  ["']?(\d{5})["']?:.*\n""", text, re.M))
    later = next((m for m in listed if m[1] > inst_code), None)
    if listed:
        at = later.start() if later else listed[-1].end()
        made = text[:at] + entry + text[at:]
    else:
        made = re.sub(r"^universities:.*$", f"universities:\n{entry.rstrip()}", text, flags=re.M)
    before, after = (yaml.safe_load(t) for t in (text, made))
    if after != before | {"universities": (before.get("universities") or {}) | {inst_code: list(accounts)}}:
        raise stewards.StewardError(
            f"{path} 的写法无法自动补充，请在 universities 下自行加入一行：{entry.strip()}。/ add this line by hand"
        )
    return made
