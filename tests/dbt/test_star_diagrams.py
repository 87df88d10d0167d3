"""The diagrams of the star show every table with its key, and every key that a test resolves."""

import re

from yuyan.domain import yaml_file
from yuyan.pages import erd


def models() -> list[dict]:
    return [m for p in erd.STAR.glob("*.yml") for m in yaml_file.read(p)["models"]]


def test_every_table_is_drawn_with_its_key():
    drawn = dict(re.findall(r"^    (\w+) \{\n(.*?)^    \}", erd.page(""), re.M | re.S))
    found = {m["name"]: m for m in models()}
    aside = {name for name, m in found.items() if not erd.targets(m)} - set(drawn)
    assert aside <= {"dim_date", "dim_academic_year", "dim_list_item", "fct_list_milestone"}
    for name, body in drawn.items():
        keys = re.findall(r"(\w+) PK$", body, re.M)
        assert keys == erd.key(found[name]), name


def test_every_resolved_key_is_a_line():
    lines = set(re.findall(r'^    (\w+) \}o--(?:\|\||o\|) (\w+) : "(\w+)"$', erd.page(""), re.M))
    wanted = {
        (m["name"], target.split(".")[0], column)
        for m in models()
        for column, target in erd.targets(m).items()
    }
    assert lines == wanted != set()
