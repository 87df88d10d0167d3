"""Secrets of one work folder: given by the environment, or drawn at random and kept in `secrets.json` (mode 0600)."""

import base64
import json
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

ENVIRONMENT = {
    "person_key": "YUYAN_PERSON_KEY",
    "bi_reader": "YUYAN_BI_READER_PASSWORD",
    "analyst": "YUYAN_ANALYST_PASSWORD",
    "auditor": "YUYAN_AUDITOR_PASSWORD",
    "airflow_password": "YUYAN_AIRFLOW_PASSWORD",
    "api_secret_key": "YUYAN_AIRFLOW_API_SECRET",
    "jwt_secret": "YUYAN_AIRFLOW_JWT_SECRET",
    "fernet_key": "YUYAN_AIRFLOW_FERNET_KEY",
}
"""Secret -> the variable that gives it, as a production deployment does."""

_BYTES = {"person_key": 32, "jwt_secret": 32, "api_secret_key": 32}


def load(home: Path) -> dict[str, str]:
    """The secrets of this home. What the environment gives is used and not written down."""
    path = home / "secrets.json"
    given = {name: os.environ[variable] for name, variable in ENVIRONMENT.items() if os.environ.get(variable)}
    held = json.loads(path.read_text()) if path.exists() else {}
    drawn = {name: _draw(name) for name in ENVIRONMENT if name not in given and name not in held}
    if drawn:
        write(path, json.dumps(held | drawn, indent=1))
    return held | drawn | given


def write_passwords(path: Path, given: dict[str, str], names: Iterable[str]) -> None:
    """Write a file of passwords by name: the given ones, and for every other name its old one or one drawn at random."""
    held = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    drawn = {name: held.get(name) or secrets.token_hex(12) for name in names}
    write(path, json.dumps(drawn | given, indent=1))


def write(path: Path, text: str) -> None:
    """Write a file that only its owner can read; it is never readable by others, not even while it is written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as f:
        f.write(text)
    partial.replace(path)


def _draw(name: str) -> str:
    if name == "fernet_key":
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_hex(_BYTES.get(name, 12))
