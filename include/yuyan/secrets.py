"""Secrets of one work folder: given by the environment, or drawn at random and kept in `secrets.json` (mode 0600)."""

import base64
import json
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from yuyan import files

ENVIRONMENT = {
    "person_key": "YUYAN_PERSON_KEY",
    "airflow_password": "YUYAN_AIRFLOW_PASSWORD",
    "api_secret_key": "YUYAN_AIRFLOW_API_SECRET",
    "jwt_secret": "YUYAN_AIRFLOW_JWT_SECRET",
    "fernet_key": "YUYAN_AIRFLOW_FERNET_KEY",
}
"""Secret -> the variable that gives it, as a production deployment does. A login's password is YUYAN_<LOGIN>_PASSWORD."""

REMEDY = (
    "restore it from a backup: another person key would make strangers of all persons. "
    "Without a backup `make clean` starts anew"
)

_BYTES = {"person_key": 32, "jwt_secret": 32, "api_secret_key": 32}


def load(home: Path, logins: Iterable[str] = ()) -> dict[str, str]:
    """The secrets of this home, and the passwords of these logins of the warehouse. Raises files.DamagedFile.

    What the environment gives is used and not written down; what it does not give is drawn once and kept.

    >>> load(settings.home(), ["analyst"])["analyst"]
    """
    path = home / "secrets.json"
    variables = ENVIRONMENT | {role: f"YUYAN_{role.upper()}_PASSWORD" for role in logins}
    given = {name: os.environ[variable] for name, variable in variables.items() if os.environ.get(variable)}
    stored = files.read_json(path, REMEDY) or {}
    drawn = {name: _draw(name) for name in variables if name not in given and name not in stored}
    if drawn:
        files.write(path, json.dumps(stored | drawn, indent=1))
    return stored | drawn | given


def write_passwords(path: Path, given: dict[str, str], names: Iterable[str]) -> None:
    """Write a file of passwords by name: the given ones, and for every other name its old one or one drawn at random."""
    stored = files.read_json(path, "remove it: every account but those given gets another password") or {}
    drawn = {name: stored.get(name) or secrets.token_hex(12) for name in names}
    files.write(path, json.dumps(drawn | given, indent=1))


def _draw(name: str) -> str:
    if name == "fernet_key":
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_hex(_BYTES.get(name, 12))
