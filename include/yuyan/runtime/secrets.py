"""Secrets of one work folder, drawn at random the first time and kept in `secrets.json` (mode 0600)."""

import base64
import json
import os
import secrets
from pathlib import Path

NAMES = (
    "airflow_password", "jwt_secret", "api_secret_key", "person_key", "bi_reader", "auditor",
)  # fmt: skip


def load(home: Path) -> dict[str, str]:
    """The secrets of this home, created if need be. `fernet_key` is 32 url-safe bytes; the others are hexadecimal."""
    path = home / "secrets.json"
    held = json.loads(path.read_text()) if path.exists() else {}
    fresh = {name: secrets.token_hex(32) for name in NAMES if name not in held}
    if "fernet_key" not in held:
        fresh["fernet_key"] = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    if fresh:
        write(path, json.dumps(held | fresh, indent=1))
    return held | fresh


def write(path: Path, text: str) -> None:
    """Write a file that only its owner can read; it is never readable by others, not even while it is written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as f:
        f.write(text)
    partial.replace(path)
