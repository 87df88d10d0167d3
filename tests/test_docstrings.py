"""The call examples in the docstrings of the ground floor do what they say. Those of other rooms need a warehouse."""

import doctest
import importlib
import pkgutil

import pytest

from yuyan import domain

MODULES = [module.name for module in pkgutil.walk_packages(domain.__path__, "yuyan.domain.")]
PARSER = doctest.DocTestParser()


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, monkeypatch):
    module = importlib.import_module(name)
    names = {
        "Path": __import__("pathlib").Path,
        "indicators": importlib.import_module("yuyan.domain.indicators"),
    }
    found = doctest.DocTestFinder(exclude_empty=True).find(module, extraglobs=names)
    monkeypatch.chdir(domain.__path__[0] + "/../../..")
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    assert [test.name for test in found if runner.run(test).failed] == []


def test_every_module_of_entities_rules_and_indicators_has_one():
    shown = {
        name
        for name in MODULES
        for test in doctest.DocTestFinder().find(importlib.import_module(name))
        if test.examples
    }
    assert {
        f"yuyan.domain.{n}" for n in ("contracts", "catalogue", "indicators", "institutions", "life_cycles")
    } <= shown
