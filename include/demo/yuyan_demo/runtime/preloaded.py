"""The product's modules and what its files say, imported once in the process from which Airflow's tasks are forked.

Importing this module does it. A task would need a second for it; it still works by the files as they are when it begins: a
fork that finds one of them changed forgets all, and imports anew what it needs.
"""

import contextlib
import importlib
import os
import sys

from yuyan import settings

MODULES = (
    "yuyan.assess.run",
    "yuyan.changes.run",
    "yuyan.collect.database",
    "yuyan.collect.files",
    "yuyan.collect.rest_legacy",
    "yuyan.collect.rest_versioned",
    "yuyan.disclosure.run",
    "yuyan.early_warning.run",
    "yuyan.estimate.run",
    "yuyan.load.run",
    "yuyan.pages.documentation",
    "yuyan.pages.feedback",
    "yuyan.runs",
    "yuyan.transform",
    "yuyan.validate.docs",
    "yuyan.validate.reconcile",
    "yuyan.validate.run",
)
"""The stages' entry points and the connectors."""
READ = (settings.PROJECT / "include", settings.EXPECTATIONS, settings.DBT_PROJECT)
"""Folders of what is imported and read."""

Stamp = tuple[tuple[str, int, int], ...]


def stamp() -> Stamp:
    """Every file that is imported or read, with the time of its last change and its size."""
    found = []
    for folder in READ:
        for place, folders, names in os.walk(folder):
            folders[:] = [f for f in folders if f != "__pycache__"]
            for name in names:
                with contextlib.suppress(FileNotFoundError):  # an editor's file that is gone already
                    status = os.stat(path := os.path.join(place, name))
                    found.append((path, status.st_mtime_ns, status.st_size))
    return tuple(sorted(found))


def forget() -> None:
    """Leave nothing of the product imported: the next import reads the files."""
    for name in [n for n in sys.modules if n == "yuyan" or n.startswith("yuyan.")]:
        del sys.modules[name]


def preload() -> None:
    """Import the modules and read the files; from now on a fork forgets them where a file has changed.

    What cannot be imported or read is left to the task that needs it: its error says why.
    """
    before = stamp()
    try:
        for module in MODULES:
            importlib.import_module(module)
        for read in ("catalogue", "contracts", "indicators", "institutions"):
            importlib.import_module(f"yuyan.domain.{read}").load()
    except Exception:
        forget()
        return
    os.register_at_fork(after_in_child=lambda: forget() if stamp() != before else None)


preload()
