"""The marts as a BI tool and an analyst meet them: metadata, comments, indexes and every example query."""

import re

import pytest
import sqlalchemy

from support import built_city
from support.examples import MODELS, PAGE, described, of_marts
from yuyan.domain import yaml_file
from yuyan.pages import published

pytestmark = pytest.mark.database

PRIVATE = re.compile(r"person|student_id|expert|supervisor|thesis_id|title|digest|uscc|uri|doc_no")


@pytest.fixture(scope="module")
def inspector(simulated_city_dsn) -> sqlalchemy.Inspector:
    """What Superset asks a database about itself."""
    engine = sqlalchemy.create_engine(simulated_city_dsn.replace("postgresql://", "postgresql+psycopg://"))
    yield sqlalchemy.inspect(engine)
    engine.dispose()


@pytest.mark.parametrize("name", of_marts())
def test_an_example_query_runs_and_finds_something(name, marts):
    assert marts.execute(of_marts()[name]).fetchall()


def test_every_mart_has_an_example_in_the_page():
    queries = "\n".join(re.findall(r"```sql\n(.*?)```", PAGE, re.S))
    assert set(re.findall(r"marts\.(\w+)", queries)) == set(described())


def test_the_page_lists_every_mart_with_its_key():
    rows = dict(re.findall(r"^\| `marts\.(\w+)` \| [^|]+ \| `([^`]+)` \|$", PAGE, re.M))
    keys = {
        name: ", ".join(next(c["columns"] for c in m["constraints"] if c["type"] == "primary_key"))
        for name, m in described().items()
    }
    assert rows == keys


def test_a_metadata_crawl_finds_tables_columns_types_and_comments(inspector):
    tables = published.declared_tables()
    views = set(inspector.get_view_names(schema="marts"))
    assert set(inspector.get_table_names(schema="marts")) | views == set(tables)
    for table, columns in tables.items():
        assert inspector.get_table_comment(table, schema="marts")["text"].strip(), table
        found = inspector.get_columns(table, schema="marts")
        assert [c["name"] for c in found] == list(columns), table
        for column in found:
            assert column["comment"], (table, column["name"])
            assert not isinstance(column["type"], sqlalchemy.types.NullType), (table, column["name"])
        keyed = inspector.get_pk_constraint(table, schema="marts")["constrained_columns"]
        assert bool(keyed) == (table not in views), table


def test_every_mart_says_that_its_sources_are_simulated_and_how_large_the_city_is(inspector, marts):
    for table in described():
        assert marts.execute(f"select distinct is_simulated, city_scale from marts.{table}").fetchall() == [
            (True, built_city.SCALE)
        ], table
        comment = inspector.get_table_comment(table, schema="marts")["text"]
        assert comment.startswith("【模拟数据 / SIMULATED，规模为真实城市的 1/100】"), table
    schema = marts.execute("select obj_description('marts'::regnamespace)").fetchone()[0]
    assert schema.startswith("【模拟数据 / SIMULATED")
    star = marts.execute("select obj_description('star.dim_course'::regclass)").fetchone()[0]
    assert "SIMULATED" not in star


def test_quantities_of_the_plan_are_compared_at_the_size_of_the_city(marts):
    counts = marts.execute(
        "select indicator_code, target_value / plan_target_value from marts.target_scorecard "
        "where plan_target_value > 0"
    ).fetchall()
    scaled = {code for code, ratio in counts if ratio == pytest.approx(built_city.SCALE)}
    assert scaled == {"H01", "H03", "H07"}
    assert {code for code, ratio in counts if ratio == 1} == {code for code, _ in counts} - scaled
    lists = marts.execute(
        "select distinct list_item_code, quantity_min / plan_quantity_min from marts.list_progress "
        "where plan_quantity_min > 0"
    ).fetchall()
    assert {code for code, ratio in lists if ratio == 1} == {"R1", "R5", "X14", "Z3"}
    assert {ratio for code, ratio in lists if code not in ("R1", "R5", "X14", "Z3")} == {built_city.SCALE}
    goal = marts.execute(
        "select target_value from marts.target_scorecard where indicator_code = 'H03'"
    ).fetchone()
    assert goal == (1600.0,)


def test_every_mart_of_a_subject_has_a_time_column_and_an_index_by_institution_or_cluster(inspector):
    subjects = set(described()) - {
        "indicator_value", "target_scorecard", "course_renewal_city", "warning_calibration",
    }  # fmt: skip
    assert len(subjects) >= 8
    for table in subjects:
        dates = [
            c
            for c in inspector.get_columns(table, schema="marts")
            if isinstance(c["type"], sqlalchemy.types.Date)
        ]
        assert dates, table
        first = {i["column_names"][0] for i in inspector.get_indexes(table, schema="marts")}
        assert first & {"inst_code", "cluster_code", "list_kind_code"}, table


def test_labels_stand_beside_codes_and_are_filled(inspector, marts):
    """Every `_zh` and `_en` column has its code beside it and is never empty."""
    checked = 0
    for table in set(described()) - {"indicator_value", "indicator_change", "target_scorecard"}:
        names = [c["name"] for c in inspector.get_columns(table, schema="marts")]
        for name in (n for n in names if n.endswith(("_zh", "_en"))):
            stem = name[:-3]
            assert {stem, f"{stem}_code", stem.replace("_name", "_code")} & set(names), (table, name)
            missing = marts.execute(f"select count(*) from marts.{table} where {name} is null").fetchone()
            assert missing == (0,), (table, name)
            checked += 1
    assert checked > 30


def test_no_mart_holds_a_person_or_free_text(inspector):
    columns = [
        f"{table}.{c['name']}"
        for table in described()
        for c in inspector.get_columns(table, schema="marts")
        if PRIVATE.search(c["name"])
    ]
    assert columns == []


def test_exposures_name_every_mart_and_are_in_chinese():
    exposures = yaml_file.read(MODELS / "exposures.yml")["exposures"]
    used = {re.fullmatch(r"ref\('(\w+)'\)", r).group(1) for e in exposures for r in e["depends_on"]}
    assert used == set(described())
    assert all(re.search(r"[一-鿿]", e["label"] + e["description"]) for e in exposures)
    assert {"bi_tool", "mayors_scorecard"} <= {e["name"] for e in exposures}
