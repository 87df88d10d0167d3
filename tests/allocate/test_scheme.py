"""Scheme files: the shipped ones, and what a wrong one is told."""

import pytest
import yaml

from yuyan import settings
from yuyan.allocate import scheme
from yuyan.domain import yaml_file

GOOD = yaml_file.read(settings.PROJECT / "include" / "schemes" / "default.yml")


TWICE = {"H06": GOOD["pillars"]["quality"]["indicators"]["H06"] | {"weight": 1}}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An own folder of schemes; call it with a name and what to change in the default."""
    monkeypatch.setenv("YUYAN_SCHEMES", str(tmp_path))

    def write(name: str = "own", text: str | None = None, **changes) -> str:
        content = text or yaml.safe_dump(GOOD | changes, allow_unicode=True)
        (tmp_path / f"{name}.yml").write_text(content, encoding="utf-8")
        return name

    write.path = tmp_path
    return write


def test_the_shipped_schemes_are_a_default_and_two_alternatives():
    assert scheme.names() == ["contribution", "default", "steady"]
    loaded = [scheme.load(name) for name in scheme.names()]
    for one in loaded:
        assert sum(one.weights.values()) == pytest.approx(1)
        assert set(one.pillars) == {"quality", "reform", "contribution"}
        assert {e.affiliation for e in one.exclude} == {"30", "40", "50"}
        assert all(i.normalisation == "goalpost" for i in one.indicators.values())  # money is monotone
    assert len({one.digest for one in loaded}) == 3


def test_a_scheme_that_extends_another_has_the_rest_of_it():
    default, other = scheme.load("default"), scheme.load("contribution")
    assert other.pillars["contribution"].weight == 0.5
    assert other.pillars["contribution"].indicators == default.pillars["contribution"].indicators
    assert other.aggregation == "geometric"


def test_null_takes_an_indicator_out(folder):
    folder("default")
    quality = "{H15: null, H09: {weight: 0.50}}"
    folder("own", text=f"extends: default\npillars:\n  quality:\n    indicators: {quality}\n")
    assert set(scheme.load("own").pillars["quality"].indicators) == {"H06", "H09", "M02.1", "on_time"}


def test_the_protection_of_a_transition_tapers_and_ends():
    years = {
        y: scheme.load("default").model_copy(update={"transition_year": y}).protection for y in (1, 2, 3, 4)
    }
    assert years == {1: 1.0, 2: 0.66, 3: 0.33, 4: 0.0}


def test_another_budget_is_another_scheme():
    default = scheme.load("default")
    assert default.with_budget(None) is default
    assert default.with_budget(450_000_000).digest != default.digest
    with pytest.raises(scheme.SchemeError, match="正整数"):
        default.with_budget(0)


def changed(path: str, value) -> dict:
    """The part of the default at `path`, with one value changed."""
    first, *rest = path.split("/")
    content = yaml.safe_load(yaml.safe_dump(GOOD.get(first)))
    if not rest:
        return {first: value}
    at = content
    for key in rest[:-1]:
        at = at[key]
    at[rest[-1]] = value
    return {first: content}


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("pillars/quality/weight", 0.5, "方面（pillar）权重之和为 1.1，应为 1"),
        ("pillars/quality/indicators/H09/weight", 0.45, "指标权重之和为 1.1，应为 1"),
        ("pillars/quality/indicators/H09/goalposts", [1.0, 0.9], "direction 为 up 时后者必须较大"),
        ("pillars/quality/indicators/H09/direction", "down", "direction 为 down 时前者必须较大"),
        ("pillars/quality/indicators/H09/normalisation", "log", "goalpost"),
        ("pillars/reform/indicators", TWICE, "H06 出现在不止一个方面"),
        ("base/costs/discipline", {"08": 1.5}, "缺少 default"),
        ("bounds/floor", 1.5, "bounds.floor"),
        ("budget_cny", -1, "budget_cny"),
        ("robustness/draws", 999, "robustness.draws"),
        ("efficiency/outputs", ["degrees", "H11.value", "H12.numerator", "H10.value"], "至多用五个投入和产出"),
        ("exclude", [{"affiliation": "40", "institution": "91012", "reason_zh": "x"}], "二者取一"),
        ("surprise", 1, "surprise"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_with_file_and_place(folder, path, value, said):
    with pytest.raises(scheme.SchemeError, match=r"own\.yml") as error:
        scheme.load(folder(**changed(path, value)))
    assert said in str(error.value)


def test_schemes_that_extend_each_other_are_refused(folder):
    folder("a", text="extends: b\n")
    folder("b", text="extends: a\n")
    with pytest.raises(scheme.SchemeError, match="a → b → a 互相扩展"):
        scheme.load("a")


def test_a_key_that_stands_twice_is_refused(folder):
    folder(text="version: 1\nversion: 2\n")
    with pytest.raises(scheme.SchemeError, match="'version' 出现两次"):
        scheme.load("own")


def test_an_unknown_scheme_names_those_that_there_are(folder):
    folder("mine")
    with pytest.raises(scheme.SchemeError, match="没有方案 yours；现有：mine"):
        scheme.load("yours")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("inst_code,year,amount_cny\n10611,2025,1\n10611,2025,2\n", "每个单位只能有一行"),
        ("inst_code,year,amount_cny\n10611,2025,-1\n", "正整数"),
        ("inst_code,year,amount_cny\n10611,2024,5\n", "没有 2025 年的行"),
        ("code,year\n1,2\n", "不可用"),
    ],
)
def test_wrong_last_grants_are_refused(folder, text, said):
    (folder.path / "last_grants.csv").write_text(text, encoding="utf-8")
    with pytest.raises(scheme.SchemeError, match=said):
        scheme.last_grants(2025)


def test_the_last_grants_of_the_shipped_schemes_say_that_they_are_examples():
    text = (settings.PROJECT / "include" / "schemes" / "last_grants.csv").read_text(encoding="utf-8")
    assert all(line.endswith("示例金额，非真实拨款") for line in text.splitlines()[1:])
    assert sum(scheme.last_grants(2025).values()) * 1.02 == pytest.approx(scheme.load("default").budget_cny)
