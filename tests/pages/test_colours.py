"""The page for the reader in the commission: its examples are written by a command, of one run."""

import re

from yuyan.pages import colours
from yuyan_demo.simulator import population


def test_the_examples_of_the_page_are_those_that_the_command_writes():
    page = colours.PAGE.read_text(encoding="utf-8")
    block = page.split(colours.BEGIN)[1].split(colours.END)[0]
    found = re.findall(r"^(\d)\. \*\*(.+?)：", block, re.M)
    assert found == [(str(n), example.colour) for n, example in enumerate(colours.EXAMPLES, start=1)]
    day, scale = re.search(r"统计日期 (\d{4}-\d\d-\d\d)，规模 ([\d.]+)。", block).groups()
    assert "运行 `make run`；" in page
    assert float(scale) == round(population.SCALE, 5)
    assert day == "2026-10-15"


def test_what_is_said_follows_the_words_of_the_command():
    block = colours.PAGE.read_text(encoding="utf-8").split(colours.BEGIN)[1]
    for example in colours.EXAMPLES:
        said = re.split(r"\{[^}]+\}", example.text)
        pattern = ".+?".join(map(re.escape, said))
        assert re.search(pattern, block), example.colour
