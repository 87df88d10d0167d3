"""The judge's statements are files that say what they read and leave, and what they say is so."""

import re

import jinja2
import pytest

from yuyan.validate import statements
from yuyan.validate.work import Work

FILES = sorted(path for path in statements.FOLDER.glob("*.sql.j2"))
FRAGMENT = {"overridden"}
"""Parts that statements include."""
CHANGES = re.compile(
    r"\b(?:insert into|update|delete from|create (?:temp|unlogged) table) (?!set\b)([\w.<>]+|\{\{ name \}\})"
)


def names(text: str) -> str:
    """Tables by the names that the headers use."""
    work = Work("<entity>")
    for name in ("newest", "scope", "taken", "isolated", "judged", "standing", "failing", "stood", "letting_pass",
                 "blocked", "before", "after"):  # fmt: skip
        text = text.replace(f"{{{{ work.{name} }}}}", getattr(work, name))
    text = text.replace("{{ work.latest(parent) }}", "latest_<parent>").replace(
        "{{ work.entity }}", "<entity>"
    )
    return re.sub(r"\{\{ lookup\.(parent|child) \}\}", r"<\1>", text)


def header(path) -> dict[str, str]:
    """What the header says the statement reads and leaves."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("-- ")]
    return dict(re.findall(r"^-- (reads|leaves): (.+)$", "\n".join(lines), re.M))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_statement_leaves_what_its_header_says(path):
    name = path.name.removesuffix(".sql.j2")
    if name in FRAGMENT:
        return
    text = path.read_text(encoding="utf-8")
    assert re.match(r"-- [A-Z][^\n]+\.?\n", text), "begin with a sentence: what the statement is for"
    said = header(path)
    body = names("\n".join(line for line in text.splitlines() if not line.startswith("--")))
    left = {target.replace("{{ name }}", "before") for target in CHANGES.findall(body)}
    expected = set(said["leaves"].split(", ")) - {"nothing", "after"}
    assert left == expected


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_statement_reads_what_its_header_says(path):
    """Tables of the warehouse and work tables, as far as the statement names them itself."""
    name = path.name.removesuffix(".sql.j2")
    if name in FRAGMENT:
        return
    said = header(path)
    body = names(
        "\n".join(line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("--"))
    )
    tables = {t for t in re.findall(r"\b(?:from|join) ((?:quality|ops|raw|accepted|judging)\.[\w<>]+)", body)}
    known = set(said.get("reads", "").split(", ")) | set(said["leaves"].split(", "))
    assert tables <= known


def test_every_file_is_run_by_the_judge():
    code = "".join(path.read_text(encoding="utf-8") for path in statements.FOLDER.parent.glob("*.py"))
    code += "".join(path.read_text(encoding="utf-8") for path in FILES)
    assert FILES
    for path in FILES:
        name = path.name.removesuffix(".sql.j2")
        assert f'"{name}"' in code or f'"{name}.sql.j2"' in code, name


def test_a_part_that_a_file_misses_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="work"):
        statements.text("scope_arrived")
