"""What fills a disk without being data: logs of tasks and services. The DAG `housekeeping` removes old ones each week."""

import os
import time
from pathlib import Path
from typing import Any

from yuyan import settings

LOG_DAYS = 200
"""How long a log is kept; the law (网络安全法) asks for at least six months."""


def folder() -> Path:
    """Where Airflow's processes and tasks log."""
    return Path(os.environ.get("AIRFLOW__LOGGING__BASE_LOG_FOLDER", settings.home() / "logs"))


def logs(days: int = LOG_DAYS) -> dict[str, Any]:
    """Remove log files that nobody has written to for so many days, and folders that are empty then.

    Links are not followed. Returns `files` and `bytes` removed.

    >>> logs(200)
    {'files': 12, 'bytes': 48000}
    """
    before, files, size = time.time() - days * 86_400, 0, 0
    for parent, folders, names in os.walk(folder(), topdown=False):
        for name in names:
            path = Path(parent, name)
            if (status := path.lstat()).st_mtime < before:
                path.unlink()
                files, size = files + 1, size + status.st_size
        for name in folders:
            path = Path(parent, name)
            if not path.is_symlink() and path.stat().st_mtime < before and not any(path.iterdir()):
                path.rmdir()
    return {"files": files, "bytes": size}
