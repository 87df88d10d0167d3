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


def folder(prefix: str) -> tempfile.TemporaryDirectory:
    """A folder that goes when it is left.

    Not below pytest's own folder: every pytest that starts closes that to other users, and for root the server is one.
    """
    has_room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
    return tempfile.TemporaryDirectory(prefix=prefix, dir=MEMORY if has_room else None)
