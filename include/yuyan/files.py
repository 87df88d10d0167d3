"""Small files that must survive a crash: written whole or not at all, read with an error that names the file."""

import json
import os
from pathlib import Path
from typing import Any


class DamagedFile(RuntimeError):
    """A state file that is not what this project writes; the message names it and says what to do."""


def write(path: Path, content: str | bytes) -> None:
    """Write a file that only its owner can read. It has the old content or the new, also after a power failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as f:
        f.write(content.encode() if isinstance(content, str) else content)
        f.flush()
        os.fsync(f.fileno())
    partial.replace(path)


def read_json(path: Path, remedy: str) -> dict[str, Any] | None:
    """The JSON object in a file, None when there is no file. Raises DamagedFile, ending in the remedy."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DamagedFile(f"{path} is empty or damaged ({error}); {remedy}") from None
    if not isinstance(content, dict):
        raise DamagedFile(f"{path} holds no JSON object; {remedy}")
    return content
