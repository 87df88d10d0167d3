"""The pages of docs/how-to: their examples, taken from the page itself, done to a copy of the project.

An example is a file, named in bold code, followed by its content (```yaml) or by what changes in it (```diff).
"""

import re
from pathlib import Path

from yuyan import settings

FOLDER = settings.PROJECT / "docs" / "how-to"
_BLOCK = re.compile(r"^\*\*`([^`]+)`\*\*$|^```(yaml|diff)\n(.*?)^```$", re.M | re.S)


def section(page: str, title: str) -> str:
    """The text below a heading of the second level."""
    text = (FOLDER / f"{page}.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", text, re.M | re.S))[title]


def steps(page: str, title: str) -> list[tuple[str, str, str]]:
    """(file, kind of block, text) of a section: a block belongs to the file named before it."""
    found, file = [], ""
    for name, kind, text in _BLOCK.findall(section(page, title)):
        file = name or file
        if kind:
            assert file, f"{page}.md, {title}: a block before any file is named"
            found.append((file, kind, text))
    return found


def files(page: str, title: str) -> set[str]:
    """The files that somebody edits who does what the section says."""
    return {file for file, _, _ in steps(page, title)}


def follow(project: Path, page: str, title: str, folders: dict[str, Path] | None = None) -> None:
    """Do what the section says in a copy of the project; `folders`: beginning of a path -> where a copy of it is instead."""
    for file, kind, text in steps(page, title):
        path = project / file
        for beginning, folder in (folders or {}).items():
            if file.startswith(beginning):
                path = folder / file.removeprefix(beginning)
        if kind == "yaml":
            assert not path.exists(), file
            path.write_text(text, encoding="utf-8")
            continue
        lines = text.splitlines()
        before = "\n".join(line[1:] for line in lines if line[0] in " -")
        after = "\n".join(line[1:] for line in lines if line[0] in " +")
        whole = path.read_text(encoding="utf-8")
        assert before in whole, (file, before)
        path.write_text(whole.replace(before, after, 1), encoding="utf-8")
