"""Templates to pages: one base template, one style sheet and one script, all inlined, so that a page is a single file
that works from disk without any network and is complete without the script."""

import csv
import io
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

TEMPLATES = Path(__file__).with_name("templates")


def page(template: str, **content: Any) -> str:
    """The page that a template of `templates/` makes of the content. A name the template misses is an error."""
    return _environment().get_template(f"{template}.html.j2").render(**content)


def table_csv(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """CSV with the mark by which spreadsheet programs know UTF-8 (read it with the encoding utf-8-sig)."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return "\ufeff" + buffer.getvalue()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, moved over it when the block has succeeded: readers never see half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    try:
        yield Path(name)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


def write(path: Path, text: str) -> None:
    """Write a page so that it is either the old or the new one."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["style"] = Markup((TEMPLATES / "style.css").read_text(encoding="utf-8"))
    environment.globals["script"] = Markup((TEMPLATES / "filter.js").read_text(encoding="utf-8"))
    environment.filters["code"] = lambda text: Markup("<code>{}</code>").format(text)
    environment.filters["count"] = lambda value: f"{value:,}"
    return environment
