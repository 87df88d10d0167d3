"""A fresh warehouse with the helper that fills and judges it."""

from collections.abc import Iterator

import pytest
from small_world import Raw

from yuyan.domain import catalogue


@pytest.fixture
def raw(warehouse) -> Iterator[Raw]:
    """A warehouse with nothing in it."""
    helper = Raw(warehouse)
    yield helper
    helper.connection.close()


@pytest.fixture
def change_rule(monkeypatch):
    """Call with a rule and what becomes of it (nothing: it is as in the file again): what validate then uses."""
    original = catalogue.load()

    def change(rule_id: str, **update) -> None:
        entity = rule_id.split(".")[1]
        rules = tuple(
            r.model_copy(update=update) if r.rule_id == rule_id else r for r in original.rules[entity]
        )
        changed = catalogue.Catalogue(original.rules | {entity: rules}, original.order, original.lookups)
        monkeypatch.setattr(catalogue, "load", lambda: changed)

    return change
