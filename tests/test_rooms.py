"""The rooms of the package stand in one order: a room imports what is below it and nothing beside or above it."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from yuyan import settings

PACKAGE = settings.PROJECT / "include" / "yuyan"

FLOORS = (
    {"files"},
    {"settings", "secrets"},
    {"domain"},
    {"warehouse", "collect", "decisions", "openlineage", "dbt_connections"},
    {"load", "validate", "transform", "estimate", "changes", "disclosure", "suppliers"},
    {"assess", "allocate", "early_warning", "check", "line_state", "verify"},
    {"pages", "manifest", "runs", "access"},
    {"commands"},
)
"""From the ground up. Rooms of one floor do not know each other; dags/ stand on the roof."""

FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def _imports(path: Path) -> set[str]:
    """The rooms that a file imports, wherever in the file it does so."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in found if name.startswith("yuyan.") and "." in name}


def _files() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem != "__init__")


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_every_room_has_a_floor():
    assert {_room(path) for path in _files()} == set(FLOOR_OF)


@pytest.mark.parametrize("path", _files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_downward_only(path):
    room = _room(path)
    upward = {
        other for other in _imports(path) - {room} if FLOOR_OF.get(other, len(FLOORS)) >= FLOOR_OF[room]
    }
    assert upward == set()


def test_the_product_does_not_know_the_demonstration():
    assert [path for path in _files() if "yuyan_demo" in path.read_text(encoding="utf-8")] == []


def test_no_modules_import_each_other_in_a_circle():
    """Whichever room or distribution they are in, and also where an import is for types only."""
    roots = (PACKAGE, settings.PROJECT / "include" / "demo" / "yuyan_demo")
    modules = {_module(path): path for root in roots for path in root.rglob("*.py")}
    graph = {name: _modules_imported(path, modules) - {name} for name, path in modules.items()}
    assert set(TopologicalSorter(graph).static_order()) == set(modules)  # a circle raises, and names itself


def _module(path: Path) -> str:
    top = next(parent for parent in path.parents if parent.name in ("yuyan", "yuyan_demo")).parent
    return ".".join(path.relative_to(top).with_suffix("").parts).removesuffix(".__init__")


def _modules_imported(path: Path, modules: dict[str, Path]) -> set[str]:
    """The modules of ours that a file imports; of `from package import name` the package, too, unless name is a module."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names & set(modules) or {node.module}
    return found & set(modules)
