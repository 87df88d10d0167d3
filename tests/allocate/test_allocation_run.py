"""The stage on a simulated city: data to grants, guards, tables that nobody changes."""

import re
from shutil import copytree

import psycopg
import pytest
from psycopg.rows import dict_row

from support.copies import copy_of
from yuyan import settings
from yuyan.allocate import guards, inputs, run, scheme, sources
from yuyan.allocate import rows as rows_of_a_run
from yuyan.domain import stewards, yaml_file

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("quick")]


def rows(dsn: str, query: str, *given) -> list[dict]:
    with psycopg.connect(dsn, row_factory=dict_row) as connection:
        return connection.execute(query, given).fetchall()


@pytest.fixture(scope="module")
def allocated(pg_home, signed_city, quick_schemes):
    """URL of a city in which the default was allocated, and the run's number."""
    for dsn in copy_of(pg_home, signed_city):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("YUYAN_SCHEMES", str(quick_schemes))
            number = run.allocate(dsn, "default")["allocation_id"]
        yield dsn, number


def test_every_yuan_goes_to_an_institution_that_takes_part(allocated):
    dsn, number = allocated
    one = rows(dsn, "select * from allocation.run")[0]
    found = rows(dsn, "select * from allocation.result where allocation_id = %s", number)
    assert sum(r["grant_cny"] for r in found) == one["budget_cny"] == scheme.load("default").budget_cny
    assert len(found) == one["institution_count"] == 15
    assert {r["inst_code"] for r in one["excluded"]} == {"89650", "91012", "92036"}
    assert all(r["lower_cny"] <= r["grant_cny"] <= r["upper_cny"] for r in found)


def test_points_add_up_to_the_score_and_parts_to_the_budget(allocated):
    dsn, number = allocated
    found = rows(
        dsn,
        "select r.score, sum(s.points) filter (where component_kind = 'indicator') as indicators, "
        "sum(s.points) filter (where component_kind = 'pillar') as pillars, "
        "sum(s.own_weight) filter (where component_kind = 'indicator') as weights "
        "from allocation.result r join allocation.score s using (allocation_id, inst_code) "
        "where allocation_id = %s group by inst_code, r.score",
        number,
    )
    for r in found:
        assert r["indicators"] == pytest.approx(r["score"], abs=1e-4)
        assert r["pillars"] == pytest.approx(r["score"], abs=1e-4)
        assert r["weights"] == pytest.approx(1, abs=1e-4)
    parts = rows(dsn, "select sum(base_cny) as base, sum(unclamped_cny) as whole from allocation.result")[0]
    budget = scheme.load("default").budget_cny
    assert parts["base"] == pytest.approx(0.7 * budget, abs=0.1)
    assert parts["whole"] == pytest.approx(budget, abs=0.1)


def test_transfers_are_what_bounds_and_transition_moved(allocated):
    dsn, number = allocated
    moved = {
        (r["step_code"], r["receiver_code"]): r["amount"]
        for r in rows(
            dsn,
            "select step_code, receiver_code, sum(amount_cny) as amount from allocation.transfer "
            "where allocation_id = %s group by 1, 2",
            number,
        )
    }
    for r in rows(dsn, "select * from allocation.result where allocation_id = %s", number):
        rise = max(r["clamped_cny"] - r["unclamped_cny"], 0)
        assert moved.get(("BOUNDS", r["inst_code"]), 0) == pytest.approx(rise, abs=0.2)
        assert moved.get(("HOLD_HARMLESS", r["inst_code"]), 0) == pytest.approx(r["received_cny"], abs=0.2)


def test_the_same_scheme_twice_is_the_same_run_to_the_last_digit(allocated):
    dsn, number = allocated
    before = rows(dsn, "select * from allocation.run")
    assert run.allocate(dsn, "default") == {"allocation_id": number, "is_new": False}
    assert rows(dsn, "select * from allocation.run") == before
    with psycopg.connect(dsn) as connection:
        tables = [
            run.computed(connection, inputs.read(connection, scheme.load("default"))).tables for _ in range(2)
        ]
    assert tables[0] == tables[1]


def test_a_changed_method_that_does_not_say_so_is_noticed(allocated, monkeypatch):
    dsn, _ = allocated
    monkeypatch.setattr(rows_of_a_run, "_money", lambda value: round(float(value)))
    with pytest.raises(run.NotReproducible, match="METHOD"):
        run.allocate(dsn, "default")


@pytest.mark.parametrize(
    "statement",
    [
        "update allocation.result set grant_cny = 0",
        "delete from allocation.run",
        "truncate allocation.score",
        "update allocation.sign_off set actor = 'x'",
    ],
)
def test_what_was_published_cannot_be_changed(allocated, statement):
    with (
        psycopg.connect(allocated[0]) as connection,
        pytest.raises(psycopg.errors.RaiseException, match="只增不改"),
    ):
        connection.execute(statement)


def test_every_table_of_the_run_is_filled_and_every_column_has_a_run(allocated):
    dsn, number = allocated
    for table in run.TABLES:
        found = rows(
            dsn,
            f"select count(*) as n, count(*) filter (where allocation_id = %s) as own from allocation.{table}",
            number,
        )
        assert found[0]["n"] == found[0]["own"] > 0, table


def test_the_views_show_the_run_and_their_examples_find_something(allocated):
    dsn, number = allocated
    folder = settings.DBT_PROJECT / "models" / "marts" / "allocation"
    models = yaml_file.read(folder / "_allocation.yml")["models"]
    assert {m["name"] for m in models} == {p.stem for p in folder.glob("*.sql")}
    for model in models:
        (example,) = re.findall(r"示例：(select .*)$", model["description"].strip())
        found = rows(dsn, example)
        if model["name"] != "quota_scenario":  # the city has no scenario yet
            assert found, model["name"]
            shown = rows(
                dsn, f"select count(*) as n from marts.{model['name']} where allocation_id = %s", number
            )
            assert shown[0]["n"] > 0, model["name"]


def test_no_view_shows_a_persons_record(allocated):
    dsn, _ = allocated
    found = rows(dsn, "select column_name from information_schema.columns where table_schema = 'marts' and table_name = %s",
                 "allocation_influence")  # fmt: skip
    assert {"record_no", "record_count"} <= {r["column_name"] for r in found}
    assert "record_id" not in {r["column_name"] for r in found}


def test_records_of_an_indicator_add_up_to_its_published_value(signed_city):
    """Otherwise the guard would take out records that are not in the figure."""
    with psycopg.connect(signed_city) as connection:
        found = inputs.read(connection, scheme.load("default"))
        compared = 0
        for code in set(sources.RECORD_IDS) & set(found.published):
            period = next(iter(found.published[code].values()))["period_code"]
            records = sources.rows(
                connection, sources.records_query(code), {"period": period, "as_of": found.as_of}
            )
            for inst, row in found.published[code].items():
                own = [r for r in records if r["inst_code"] == inst]
                for name in ("numerator", "denominator"):
                    if row[name] is not None:
                        compared += 1
                        assert sum(r[name] for r in own) == pytest.approx(float(row[name]), abs=0.01), (
                            code,
                            inst,
                            name,
                        )
    assert compared > 80


def test_the_influence_of_a_record_is_what_taking_it_out_does(signed_city):
    with psycopg.connect(signed_city) as connection:
        found = inputs.read(connection, scheme.load("default"))
        listed = guards.influences(connection, found, 0.0005)
    assert listed
    assert all(abs(i.share) > 0.0005 for i in listed)
    assert [abs(i.share) for i in listed] == sorted((abs(i.share) for i in listed), reverse=True)
    one = next(i for i in listed if i.component_code == "H12" and i.record_kind == "numerator")
    row = found.published["H12"][one.inst_code]
    values = found.values.copy()
    u, k = found.codes.index(one.inst_code), list(found.scheme.indicators).index("H12")
    values[u, k] = (float(row["numerator"]) - 1) / (float(row["denominator"]) - 1)
    formula = found.formula
    expected = formula.grants(formula.scores(values))[u] - formula.grants(formula.scores(found.values))[u]
    assert one.grant_change == pytest.approx(expected, abs=0.01)
    assert one.grant_change < 0


def test_without_its_most_favourable_numbers_nobody_gets_more(signed_city):
    with psycopg.connect(signed_city) as connection:
        found = inputs.read(connection, scheme.load("default"))
    formula = found.formula
    names, grants = guards.without_favourites(found, formula, 3)
    assert all(len(n) <= 3 for n in names)
    assert max(map(len, names)) == 3
    assert (grants <= formula.grants(formula.scores(found.values)) + 0.01).all()


def test_unsigned_data_are_refused_with_what_to_do(city):
    with psycopg.connect(city) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("truncate allocation.sign_off cascade")
    with pytest.raises(guards.NotAllowed) as error:
        run.allocate(city, "default")
    assert "没有签认，或签认之后数据已改变" in str(error.value)
    assert "yuyan allocate sign --scheme default" in str(error.value)
    assert rows(city, "select * from allocation.run") == []


def test_data_that_changed_after_the_signature_are_unsigned(city):
    with psycopg.connect(city) as connection:
        connection.execute(
            "update marts.indicator_value set value = value + 0.001 where variant_code = 'H12' and unit_code = '10611' "
            "and grain = 'institution'"
        )
    with pytest.raises(guards.NotAllowed, match="签认之后数据已改变"):
        run.allocate(city, "default")


def test_a_signature_can_be_withdrawn(city):
    with psycopg.connect(city) as connection:
        found = inputs.read(connection, scheme.load("default"))
        guards.sign(connection, found, stewards.find("jw-data-2"), "发现漏报", "withdrawn")
        with pytest.raises(guards.NotAllowed, match="没有有效的签认可撤回"):
            guards.sign(connection, found, stewards.find("jw-data-2"), "发现漏报", "withdrawn")
    with pytest.raises(guards.NotAllowed, match="没有签认"):
        run.allocate(city, "default")


def test_a_university_cannot_sign(city):
    with psycopg.connect(city) as connection:
        found = inputs.read(connection, scheme.load("default"))
        with pytest.raises(guards.NotAllowed, match="data-10611-1 不是市教委账号"):
            guards.sign(connection, found, stewards.find("data-10611-1"), "自认")


def test_no_confidence_blocks_allocation_and_signature_with_a_clear_sentence(city):
    with psycopg.connect(city) as connection:
        connection.execute(
            "update marts.indicator_value set confidence_grade = 'NCID', confidence_entity_code = 'thesis', "
            "confidence_dimension_code = 'D03' where variant_code = 'H12' and unit_code = '10617' and grain = 'institution'"
        )
    with pytest.raises(guards.NotAllowed) as error:
        run.allocate(city, "default")
    assert "10617 重庆邮电大学 的 H12" in str(error.value)
    assert "（thesis、D03）" in str(error.value)
    assert "不可信的数据不得作为拨款依据" in str(error.value)
    with psycopg.connect(city) as connection, pytest.raises(guards.NotAllowed, match="NCID"):
        guards.sign(
            connection, inputs.read(connection, scheme.load("default")), stewards.find("jw-data-1"), "x"
        )


def test_no_confidence_in_an_institution_that_takes_no_part_blocks_nobody(city):
    with psycopg.connect(city) as connection:
        connection.execute(
            "update marts.indicator_value set confidence_grade = 'NCID' where unit_code = '91012' and grain = 'institution'"
        )
    assert run.allocate(city, "default")["is_new"]


UNKNOWN = (
    "pillars: {quality: {indicators: {H15: null, H99: {weight: 0.15, direction: up, goalposts: [0, 1]}}}}"
)
TURNED = "pillars: {quality: {indicators: {H15: {direction: down, goalposts: [1, 0]}}}}"


def own_scheme(tmp_path, monkeypatch, text: str) -> None:
    folder = tmp_path / "schemes"
    copytree(settings.schemes_dir(), folder)
    (folder / "own.yml").write_text("extends: default\nversion: 1\n" + text, encoding="utf-8")
    monkeypatch.setenv("YUYAN_SCHEMES", str(folder))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (UNKNOWN, "H99：指标登记表和星型模型度量中都没有"),
        (TURNED, "H15：登记的方向是 up，方案写 down"),
        ("pillars: {contribution: {indicators: {H10: {per: H03}}}}", "H03：per 须是度量"),
        ("pillars: {quality: {indicators: {on_time: {use: shrunk}}}}", "on_time：度量只有 use: value"),
    ],
)  # fmt: skip
def test_names_that_the_registry_does_not_know_are_refused(city, tmp_path, monkeypatch, text, said):
    own_scheme(tmp_path, monkeypatch, text)
    with pytest.raises(scheme.SchemeError, match=said):
        run.allocate(city, "own")


def test_any_variant_of_the_registry_that_institutions_have_can_be_named(signed_city):
    """Those with a value in a complete period; a scheme of one indicator each."""
    with psycopg.connect(signed_city) as connection:
        known = [r for r in sources.rows(connection, sources.REGISTRY) if r["has_institutions"]]
        variants = [r["variant_code"] for r in known]
        found = sources.rows(connection, sources.VALUES, {"variants": variants})
        taking_part = inputs.read(connection, scheme.load("default")).codes
        base = scheme.load("default").content
        tried = 0
        for row in known:
            if not any(r["variant_code"] == row["variant_code"] and r["value"] is not None for r in found):
                continue
            up = row["direction"] != "down"
            one = {"weight": 1, "direction": "up" if up else "down", "goalposts": [0, 1] if up else [1, 0]}
            pillar = {"name_zh": "一项", "weight": 1, "indicators": {row["variant_code"]: one}}
            lone = scheme.Scheme.model_validate(base | {"pillars": {"only": pillar}})
            own = {r["inst_code"]: r["value"] for r in found if r["variant_code"] == row["variant_code"]}
            if any(own.get(code) is None for code in taking_part):
                with pytest.raises(inputs.InputError, match="没有任何一个指标的值"):
                    inputs.read(connection, lone)
            else:
                assert inputs.read(connection, lone).values.shape == (15, 1)
            tried += 1
    assert tried > 35


def test_a_missing_value_can_be_refused(city, tmp_path, monkeypatch):
    own_scheme(tmp_path, monkeypatch, "missing: refuse\n")
    with pytest.raises(inputs.InputError, match="没有值；补报，或把方案的 missing 改为 share"):
        run.allocate(city, "own")


def test_schemes_differ_where_their_weights_do(city):
    numbers = [run.allocate(city, name)["allocation_id"] for name in scheme.names()]
    assert len(set(numbers)) == 3
    found = rows(city, "select allocation_id, inst_code, grant_cny from allocation.result order by 1, 2")
    grants = {n: [r["grant_cny"] for r in found if r["allocation_id"] == n] for n in numbers}
    assert len({tuple(g) for g in grants.values()}) == 3
    assert {sum(g) for g in grants.values()} == {scheme.load("default").budget_cny}


def test_efficiency_is_told_and_multiplies_nothing(allocated):
    dsn, number = allocated
    found = rows(
        dsn, "select * from allocation.efficiency where allocation_id = %s order by inst_code", number
    )
    assert len(found) == 15
    scored = [r for r in found if r["score"] is not None]
    assert len(scored) >= 12
    assert all(0 < r["lcl95"] <= r["corrected"] <= r["ucl95"] <= 1 for r in scored)
    assert all(r["note_zh"] for r in found if r["group_count"] < 15)
