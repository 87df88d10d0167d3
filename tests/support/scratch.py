"""Where clusters of tests live: in memory where there is room, and never on the disk for longer than a test run.

A fresh warehouse has 900 files. Making and removing them costs 0.6 s of processor time on ext4 and 0.04 s in memory
(docs/performance.md), and hundreds of tests want one.
"""

import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 8 * 10**9
"""Bytes that must be free there: the log of the end-to-end city's cluster alone may take half of them (max_wal_size)."""
MEMORY_LEFT = 4 * 10**9
"""Bytes of memory that the machine must have beside them: a folder of that kind may be larger than what is left."""


def folder(prefix: str) -> tempfile.TemporaryDirectory:
    """A folder that goes when it is left.

    Not below pytest's own folder: every pytest that starts closes that to other users, and for root the server is one.
    """
    has_room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM and _available() > ROOM + MEMORY_LEFT
    return tempfile.TemporaryDirectory(prefix=prefix, dir=MEMORY if has_room else None)


def _available() -> int:
    """Bytes of memory that the kernel can still give out; 0 where it does not say."""
    lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), 0)
