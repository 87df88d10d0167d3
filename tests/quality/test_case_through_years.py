"""Two weak degree points over simulated years, by the stage, the commands' functions and the tables: one is put right and
lifted, the other is cut. Years are rows of a small star; everything else is the product's own code.
"""

import json
from datetime import date, timedelta

import psycopg
import pytest
from typer.testing import CliRunner

from yuyan import settings
from yuyan.commands.cli import app
from yuyan.decisions import cases
from yuyan.decisions.cases import CASES, Decision
from yuyan.decisions.life_cycle import DecisionError
from yuyan.early_warning import parameters
from yuyan.early_warning import run as early_warning
from yuyan.estimate import peers, sources
from yuyan.estimate.registry import parse
from yuyan.warehouse.frames import read

pytestmark = pytest.mark.database

LIFTED, CUT = "10611-2-1-0802", "10635-2-1-0802"
JW, UNI = "jw-data-1", "data-10611-1"
RATE = parse("RATE(counts=H09d;floor=0.95;amber=0.30;red=0.95;years=3;minimum=10;strength=50)", "H09")
TABLES = """
create schema indicators; create schema star; create schema plan;
create table plan.warning_parameter (parameter_version text, rule_code text, parameter_code text, value numeric,
    effective_on date, signed_by text, note_zh text);
create table indicators.ind_value (variant_code text, grain text, unit_code text, period_code text, period_year int,
    period_end_on date, numerator float8, denominator float8, value float8, definition_version int default 1);
create table indicators.ind_status (variant_code text, grain text, unit_code text, period_code text,
    definition_version int default 1, is_in_force boolean default true);
create table star.dim_degree_point (degree_point_id text, inst_code text, degree_level text, degree_type text,
    status_code text default '10', is_current boolean default true);
create table star.fct_thesis_sampling (degree_point_id text, sampling_year int, verdict_code text,
    authority_code text default '2');
create table star.fct_thesis_sampling_review (degree_point_id text, sampling_year int, opinion_code text);
create table star.fct_thesis_review (degree_point_id text, reviewed_on date, review_kind text, round_no int,
    is_passed boolean);
create table star.fct_student_status_event (degree_point_id text, event_on date, event_type text, student_id text);
create table star.fct_enrolment_census (degree_point_id text, census_year int, census_on date, student_id text);
create table star.bridge_student_supervisor (student_id text, supervisor_id text, role_code text, from_on date, to_on date);
create table star.fct_supervisor_load (supervisor_id text, census_year int, student_count int);
create table star.fct_course_evaluation (course_id text, academic_year text, instrument_version text, satisfied_count int,
    response_count int);
create table star.bridge_course_degree_point (course_id text, degree_point_id text);
create table star.fct_admission (degree_point_id text, exam_year int, is_registered boolean);
create table star.fct_admission_plan (degree_point_id text, inst_code text, plan_year int, quota_count int, issued_on date,
    is_latest_revision boolean default true);
create table star.fct_evaluation_result (degree_point_id text, eval_kind_code text, result_code text, decided_on date);
create table star.fct_degree_point_event (degree_point_id text, inst_code text, event_type text, event_on date);
"""
THESES = 8
"""Of every point and year."""


class City:
    """Forty points whose years are added one by one."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        connection.execute(TABLES)
        for p in parameters.load_file():
            self.parameters(p.version, p.effective_on, p.values)
        points = [
            LIFTED,
            CUT,
            *(f"{inst}-2-1-{n:04}" for inst in ("10611", "10635") for n in range(701, 720)),
        ]
        for point in points:
            connection.execute(
                "insert into star.dim_degree_point values (%s, %s, '2', '1', default, default)",
                [point, point[:5]],
            )
        self.points = points

    def parameters(self, version: str, effective_on: date, values: dict) -> None:
        for (rule, name), value in values.items():
            self.connection.execute(
                "insert into plan.warning_parameter values (%s, %s, %s, %s, %s, null, '')",
                [version, rule, name, value, effective_on],
            )

    def year(self, year: int, **failed: int) -> None:
        """A sampling year: so many theses of LIFTED and CUT fail, and one thesis of every twentieth other point."""
        for i, point in enumerate(self.points):
            bad = {LIFTED: failed["lifted"], CUT: failed["cut"]}.get(point, int((i + year) % 20 == 0))
            self.sampled(point, year, bad)

    def sampled(self, point: str, year: int, bad: int) -> None:
        self.connection.execute(
            "delete from star.fct_thesis_sampling where degree_point_id = %s and sampling_year = %s",
            [point, year],
        )
        self.connection.execute(
            "insert into star.fct_thesis_sampling (degree_point_id, sampling_year, verdict_code) "
            "select %s, %s, case when i <= %s then '2' else '1' end from generate_series(1, %s) i",
            [point, year, bad, THESES],
        )

    def run(self, day: date) -> dict:
        """What the line does on a day: indicators, the rates of the estimates, the stage."""
        run_id = f"warehouse-{day}"
        self.connection.execute(
            "insert into ops.run (run_id, kind, as_of, state) values (%s, 'warehouse', %s, 'success') "
            "on conflict do nothing",
            [run_id, day],
        )
        self.connection.execute("delete from indicators.ind_value; delete from indicators.ind_status")
        for grain, unit in (("degree_point", "degree_point_id"), ("institution", "left(degree_point_id, 5)")):
            self.connection.execute(
                "insert into indicators.ind_value select 'H09d', %s, "
                + unit
                + ", sampling_year::text, sampling_year, "
                "make_date(sampling_year, 12, 31), count(*) filter (where verdict_code = '1'), count(*), 0 "
                "from star.fct_thesis_sampling where sampling_year < %s and sampling_year >= %s "
                "group by 3, 4, 5",
                [grain, day.year, day.year - 6],
            )
        self.connection.execute(
            "insert into indicators.ind_status select variant_code, grain, unit_code, period_code from indicators.ind_value"
        )
        counts = read(
            self.connection,
            "select grain, unit_code, case grain when 'institution' then 'city' else '2' end as \"group\", period_year, "
            "numerator, denominator from indicators.ind_value",
        )
        with self.connection.transaction():
            sources.replace(self.connection, "rate_warning", peers.warnings(counts, "H09", RATE))
        return early_warning.warn(run_id, day)

    def one(self, query: str, *given) -> tuple:
        return self.connection.execute(query, given).fetchone()

    def case(self, point: str) -> cases.Case:
        return CASES.select(self.connection, "target_code = %s order by case_id desc", [point])[0]

    def level(self, point: str, rule: str = "W02") -> str:
        return self.one(
            "select level_code from accountability.warning_signal where target_code = %s and rule_code = %s "
            "and signal_code = 'ALL' and is_current",
            point, rule,
        )[0]  # fmt: skip

    def decide(self, point: str, action: str, day: date, **more) -> cases.Case:
        number = self.case(point).case_id
        decision = Decision("学位办主任", f"渝学位〔{day.year}〕{number}号", **more)
        return cases.decide(self.connection, number, action, JW, "属实", day, decision)

    def heard(self, point: str, action: str, day: date, **more) -> cases.Case:
        """Notify, have the institution state its view, decide."""
        number = self.case(point).case_id
        cases.notify(self.connection, number, action, JW, "拟定", day)
        cases.state(self.connection, number, f"data-{point[:5]}-1", "已采取措施", day)
        return self.decide(point, action, day, **more)


@pytest.fixture
def city(warehouse):
    with psycopg.connect(warehouse, autocommit=True) as connection:
        yield City(connection)


def october(year: int) -> date:
    return date(year, 10, 15)


def test_one_point_is_lifted_and_another_is_cut(city, monkeypatch):
    for year in (2023, 2024, 2025):
        city.year(year, lifted=0, cut=0)
    # 正常: sound
    first = city.run(october(2026))
    assert first["cases"] == 0, first
    assert {city.level(p) for p in (LIFTED, CUT)} == {"GREEN"}

    # 正常 -> 关注
    city.year(2026, lifted=4, cut=4)
    second = city.run(october(2027))
    assert second["open"] == 2
    for point in (LIFTED, CUT):
        case = city.case(point)
        assert (case.state, case.proposed_action, city.level(point)) == ("normal", "watch", "RED")
        assert city.decide(point, "watch", october(2027)).state == "watched"

    # 关注 -> 预警: two years running, a statutory trigger; the window is let lapse by one, and used by the other
    city.year(2027, lifted=5, cut=5)
    city.run(october(2028))
    assert city.level(LIFTED, "W01") == "STATUTORY"
    case = city.case(LIFTED)
    assert case.proposed_action == "warn"
    day = october(2028)
    with pytest.raises(DecisionError, match="对单位不利，须先告知并听取陈述"):
        city.decide(LIFTED, "warn", day)
    until = cases.notify(city.connection, case.case_id, "warn", JW, "拟定", day).statement_until
    with pytest.raises(DecisionError, match=f"陈述期至 {until}，尚未陈述"):
        city.decide(LIFTED, "warn", until)
    day = until + timedelta(days=1)
    assert city.run(day)["lapse"] == 1
    with pytest.raises(DecisionError, match="届满"):
        cases.state(city.connection, case.case_id, UNI, "太晚", day)
    assert city.decide(LIFTED, "warn", day).state == "warned"
    assert city.heard(CUT, "warn", day).state == "warned"
    assert [r["statement"] for p in (LIFTED, CUT) for r in cases.records(city.connection, city.case(p).case_id)
            if r["action"] == "warn"] == [None, "已采取措施"]  # fmt: skip

    # 预警 -> 限期整改, and a figure that was decided on is corrected
    city.year(2028, lifted=4, cut=5)
    city.run(october(2029))
    assert {city.case(p).proposed_action for p in (LIFTED, CUT)} == {"rectify"}
    for point in (LIFTED, CUT):
        assert city.heard(point, "rectify", october(2029)).rectify_by == october(2031)
    seen = city.one(
        "select figures from accountability.case_record r join accountability.case_file c using (case_id) "
        "where c.target_code = %s and action = 'rectify'",
        LIFTED,
    )[0]
    city.sampled(LIFTED, 2028, 3)
    assert city.run(october(2029) + timedelta(days=1))["correct"] == 1
    case = city.case(LIFTED)
    assert (case.state, case.corrected_on) == ("rectifying", october(2029) + timedelta(days=1))
    told = [r for r in cases.records(city.connection, case.case_id) if r["action"] == "correct"]
    assert "2028 年：11/24 更正为 12/24" in told[0]["reason"]
    frozen = next(f for f in seen if f["rule_code"] == "W02" and f["signal_code"] == "ALL")
    assert (frozen["numerator"], frozen["denominator"], frozen["period_year"]) == (11, 24, 2028)
    with pytest.raises(DecisionError, match="整改期至 2031-10-15，未满且单位没有提交整改报告"):
        city.decide(LIFTED, "recheck", october(2030))

    # a stricter threshold, previewed before it takes effect
    city.year(2029, lifted=0, cut=3)
    city.year(2030, lifted=0, cut=3)
    city.run(october(2031))
    levels = {p: city.level(p) for p in city.points}
    strict = parameters.load_file()[-1].values | {("W02", "amber"): 0.10}
    lines = (settings.SEEDS / "plan" / "warning_parameter.csv").read_text(encoding="utf-8").splitlines()
    lines += [f"W-2,{rule},{name},{value},2031-11-01,,试" for (rule, name), value in strict.items()]
    seed = city.connection.info.dbname + ".csv"
    path = settings.home() / seed
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    monkeypatch.setattr(parameters.load_file, "__defaults__", (path,))
    shown = early_warning.preview(settings.warehouse_dsn("decide"), "W-2")
    assert (shown["in_force"], shown["as_of"]) == ("W-1", october(2031))
    changed = {
        c["target_code"]: (c["before"], c["after"]) for c in shown["changes"] if c["rule_code"] == "W02"
    }
    assert set(changed.values()) == {("GREEN", "AMBER")}
    said = CliRunner().invoke(app, ["case", "preview", "W-2", "--json"])
    assert json.loads(said.output)["changes"] == shown["changes"], said.output
    table = CliRunner().invoke(app, ["case", "preview", "W-2"], env={"COLUMNS": "200"}).output
    assert all(point in table for point in changed), table
    unknown = CliRunner().invoke(app, ["case", "preview", "W-9"])
    assert unknown.exit_code == 1
    assert "没有参数版本 W-9" in unknown.output
    assert {p: city.level(p) for p in city.points} == levels, "a preview changes nothing"
    city.parameters("W-2", date(2031, 11, 1), strict)
    assert city.run(october(2031))["upcoming"]["W-2"] == len(shown["changes"])
    after = city.run(date(2031, 11, 2))
    assert after["parameters"] == "W-2"
    assert {p: (levels[p], city.level(p)) for p in city.points if city.level(p) != levels[p]} == changed
    assert all(city.case(p).proposed_action == "watch" for p in changed if p not in (LIFTED, CUT))

    # 限期整改 -> 复查: one is sound by now, the other is not
    city.year(2031, lifted=0, cut=3)
    day = october(2032)
    city.run(day)
    for point in (LIFTED, CUT):
        assert city.case(point).proposed_action == "recheck"
        assert city.decide(point, "recheck", day).state == "rechecking"
    city.run(day)
    assert (city.case(LIFTED).proposed_action, city.level(LIFTED)) == ("lift", "GREEN")
    assert city.case(CUT).proposed_action == "cut_quota"

    # -> 解除
    assert city.decide(LIFTED, "lift", day).state == "lifted"

    # -> 核减招生计划, which must show in the next plan
    for year, quota in ((2032, 20), (2033, 20)):
        city.connection.execute(
            "insert into star.fct_admission_plan values (%s, %s, %s, %s, %s)",
            [CUT, CUT[:5], year, quota, date(year, 3, 1)],
        )
    with pytest.raises(DecisionError, match="还须给出 --quota-cut、--effect-year"):
        city.heard(CUT, "cut_quota", day)
    assert city.decide(CUT, "cut_quota", day, quota_cut=5, effect_year=2033).state == "quota_cut"
    city.run(day)
    assert city.one("select state, finding_zh from accountability.case_effect") == (
        "waiting",
        "2033 年度招生计划尚未下达",
    )
    city.run(date(2033, 3, 2))
    assert city.one("select state, quota_before, quota_after from accountability.case_effect") == (
        "missed",
        20,
        20,
    )
    problem = "select state, src_inst_code from quality.problem where rule_id = 'QR.case.effect.11'"
    assert city.one(problem) == ("open", "10635")
    city.connection.execute("update star.fct_admission_plan set quota_count = 15 where plan_year = 2033")
    city.run(date(2033, 3, 3))
    assert city.one("select state, quota_after from accountability.case_effect") == ("done", 15)
    assert city.one(problem)[0] == "fixed"

    # what the years were worth
    tested = city.connection.execute(
        "select alarm_year, alarms, followed, problems, positive_predictive_value from accountability.warning_calibration "
        "where rule_code = 'W02' order by 1"
    ).fetchall()
    assert [row[0] for row in tested] == [2028, 2029, 2030, 2031, 2032][: len(tested)]
    assert tested[0][2] >= 1, "alarms of 2028 were followed by problem theses in 2029"

    # and the whole way of each, as the tables tell it
    way = city.connection.execute(
        "select c.target_code, array_agg(e.to_state order by e.event_id) from quality.life_cycle_event e "
        "join accountability.case_file c on c.case_id = e.subject_id and e.life_cycle = 'case' "
        "where e.from_state is distinct from e.to_state and c.target_code = any(%s) group by 1",
        [[LIFTED, CUT]],
    ).fetchall()
    shared = ["normal", "watched", "warned", "rectifying", "rechecking"]
    assert dict(way) == {LIFTED: [*shared, "lifted"], CUT: [*shared, "quota_cut"]}
    unsigned = city.one(
        "select count(*) from accountability.case_record where action = any(%s) and (role_name is null or document_no "
        "is null or parameter_version is null or jsonb_array_length(figures) = 0)",
        list(cases.DECISIONS),
    )
    assert unsigned == (0,)
