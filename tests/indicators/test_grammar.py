"""An indicator file that does not follow the grammar is refused with its file, line and remedy."""

import re

import pytest

from yuyan import settings
from yuyan.domain import conditions, indicators, yaml_file
from yuyan.domain.indicators import dbt_files
from yuyan.pages import documentation

SOUND = """\
clause: 句
section: 一
fact: fct_employment
period: {basis: EP2, column: grad_year, first_year: 2016}
grains: [level_type]
kind: ratio
unit: '%'
scale: 100
direction: up
sources: [employment]
measures:
  graduates: count
  employed: count where is_employed
variants:
  T01:
    name: 名
    name_en: Name
    official: true
    role: official
    numerator: 分子
    value: employed / graduates
examples:
  - name: 例
    as_of: 2026-12-31
    rows:
      fct_employment: |
        grad_year,inst_code
        2025,10611
    expect: |
      variant_code,grain,unit_code,period_code,numerator,denominator
      T01,city,500000,2025,0,1
"""


@pytest.fixture
def read(tmp_path):
    """Read one file with this text."""

    def read_file(text: str) -> indicators.Indicator:
        (tmp_path / "T01.yml").write_text(text, encoding="utf-8")
        return indicators.read(tmp_path)["T01"]

    return read_file


def test_a_sound_file_is_read(read):
    (variant,) = read(SOUND).variants
    assert variant.grains == ("city", "institution", "level_type")
    assert variant.row["grains"] == "city;institution;level_type"


@pytest.mark.parametrize(
    ("before", "after", "line", "said"),
    [
        ("count where is_employed", "count where is_emploed", 15, "is_emploed is no column of fct_employment; did you mean"),
        ("count where is_employed", "avg(overall_score)", 13, "is no measure"),
        ("count where is_employed", "count where region_code like '50%'", 13, "is no condition at 'like'"),
        ("count where is_employed", "count where coalesce(is_employed, false)", 13, "is no condition at '('"),
        ("count where is_employed", "count where status_on > left_on", 13, "is no condition at 'left_on'"),
        ("count where is_employed", "count where grad_year + 1 = 2026", 13, "is no condition at '+'"),
        ("count where is_employed", "count where grad_year = {no_such}", 13, "no_such is no parameter"),
        ("count where is_employed", "count where is_employed;", 13, "is no condition at ';'"),
        ("count where is_employed", "sum grad_yaer", 15, "did you mean grad_year?"),
        ("fact: fct_employment", "fact: fct_employmet", 15, "fct_employmet is no star table; did you mean fct_employment?"),
        ("grains: [level_type]", "grains: [level]", 15, "level is no grain"),
        ("grains: [level_type]", "grains: [cluster]", 15, "grain cluster needs `cluster:`"),
        ("grains: [level_type]", "grains: [cluster]\ncluster: by discipline", 16, "a row of two clusters would count twice"),
        ("basis: EP2", "basis: EP9", 15, "EP9 is no period basis"),
        ("value: employed / graduates", "value: employed / all", 21, "all is no measure of this file"),
        ("value: employed / graduates", "value: employed - graduates", 21, "is no numerator or denominator"),
        ("value: employed / graduates", "value: employed / graduates@yesterday", 21, "yesterday is no shift"),
        ("value: employed / graduates", "value: employed", 21, "does not fit kind ratio"),
        ("value: employed / graduates", "value: employed / 1", 12, "measure graduates is in no value"),
        ("  graduates: count\n", "  graduates: distinct person_key\n", 21, "counts one side by another key"),
        ("    official: true\n", "", 14, "needs exactly one `official: true`"),
        ("    name: 名\n", "", 15, "T01 has no name"),
        ("direction: up", "directon: up", 9, "did you mean direction?"),
        ("  T01:", "  H01:", 15, "is no variant of T01"),
        ("        grad_year,inst_code", "        grad_year,instcode", 23, "instcode is no column of fct_employment"),
        ("    as_of: 2026-12-31\n", "", 23, "an example has no as_of"),
        (SOUND[SOUND.index("examples:") :], "", 1, "has no examples; write the block `examples:`"),
        ("section: 一", "clause: 句", 2, "clause is used twice"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_line_and_what_to_do(read, before, after, line, said):
    assert before in SOUND
    with pytest.raises(indicators.IndicatorError) as refused:
        read(SOUND.replace(before, after, 1))
    assert said in str(refused.value)
    assert re.search(rf"T01\.yml:{line}: ", str(refused.value)), refused.value


def test_what_is_written_from_the_files_ends_with_the_message_of_the_bad_one(read, monkeypatch, capsys):
    def bad() -> None:
        read(SOUND[: SOUND.index("examples:")])

    monkeypatch.setattr(dbt_files, "files", bad)
    assert documentation.main() == 1
    assert re.fullmatch(
        r".*T01\.yml:1: has no examples; write the block `examples:`\n", capsys.readouterr().err
    )


@pytest.mark.parametrize(
    "text",
    [
        "is_employed",
        "not is_employed and grad_year >= 2020",
        "(verify_state in ('2', '3') or verify_state is not null) and status_on <= as_of",
        "instrument_version = {evaluation_instrument}",
    ],
)
def test_a_condition_is_written_as_it_is_read(text):
    assert conditions.parse(text).text(lambda name: f"{{{name}}}", "as_of") == text


@pytest.mark.parametrize(
    "text", ["", "and", "a b", "a = b", "a = 'x", "a in ()", "a; drop table x", "a = 1 --", "(a"]
)
def test_what_is_no_condition_is_refused(text):
    with pytest.raises(conditions.ConditionError, match="make anything else a column of the fact"):
        conditions.parse(text)


def test_what_dbt_reads_is_what_the_files_say():
    """A model whose fact no indicator counts any more must go."""
    folder = settings.DBT_PROJECT / "models" / "indicators"
    compiled = {p for p in dbt_files.files() if p.parent == folder and p.suffix == ".sql"}
    assert set(folder.glob("ind_counted*.sql")) == compiled


def test_no_variant_is_named_outside_the_files():
    """Neither Python nor a mart nor a shared model knows a variant; what concerns one is a key of its file.

    Left out is `allocate/`, where a scheme weighs variants by name and the guard against single records lists five of them.
    """
    codes = "|".join(sorted((re.escape(v.code) for v in indicators.variants()), key=len, reverse=True))
    named = re.compile(rf"['\"](?:{codes})['\"]")
    project = settings.DBT_PROJECT
    files = [
        *(p for p in (settings.PROJECT / "include" / "yuyan").rglob("*.py") if p.parent.name != "allocate"),
        *(project / "models" / "marts").glob("*.sql"),
        *(project / "models" / "star").glob("*.sql"),
        *(project / "macros").glob("*.sql"),
        *(
            p
            for p in (project / "models" / "indicators").glob("*.sql")
            if not p.name.startswith("ind_counted")
        ),
    ]
    assert len(files) > len(yaml_file.read(project / "published" / "marts.yml")["tables"])
    assert [f"{p.name}: {m}" for p in files for m in named.findall(p.read_text(encoding="utf-8"))] == []
