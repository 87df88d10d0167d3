"""Modules of ours that need no other, and what they read, as one file that Python runs: the same content, the same bytes."""

import zipfile
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import yuyan

ROOT = Path(yuyan.__file__).parent.parent
SHEBANG = b"#!/usr/bin/env python3\n"
MADE = (2026, 1, 1, 0, 0, 0)
"""Date of every member: the archive depends on its content alone."""


def pack(main: str, modules: Iterable[str], data: dict[str, bytes]) -> bytes:
    """An archive that calls `main` (`package.module:function`). `modules`: names; `data`: path below the root -> content."""
    module, _, function = main.partition(":")
    start = f"import sys\n\nfrom {module} import {function}\n\nsys.exit({function}())\n"
    members = {"__main__.py": start.encode()} | data
    for name in modules:
        path = ROOT.joinpath(*name.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        members[path.relative_to(ROOT).as_posix()] = path.read_bytes()
    out = BytesIO(SHEBANG)
    out.seek(0, 2)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(members.items()):
            archive.writestr(zipfile.ZipInfo(name, MADE), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()
