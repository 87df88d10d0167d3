"""Planted problems go the whole way over real sockets: they fail, are grouped, reach the report, get an override,
lose it, are corrected at the source and heal; the tables are looked at after every step.
"""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import fastexcel
import polars as pl
import psycopg
import pytest

from yuyan.decisions import overrides
from yuyan.decisions.problems import PROBLEMS
from yuyan.load.run import collect_institution
from yuyan.pages import feedback
from yuyan.validate.reconcile import reconcile
from yuyan.validate.run import validate
from yuyan_demo.runtime import postgres, sockets
from yuyan_demo.simulator import population, products
from yuyan_demo.simulator.products import state

pytestmark = [pytest.mark.end_to_end, pytest.mark.database]

INST, COMMISSION = "10617", "50000"
DAYS = [date(2026, 10, 15) + timedelta(days=n) for n in range(4)]
RULE = "QR.practice_participation.days.13"
"""A participation of more days than lie between its dates; a leaf, so that an override concerns these rows alone."""
ASKS, ALSO_THERE, DECIDES = "data-10617-1", "data-10617-2", "jw-data-1"


class City:
    """One university and the commission on simulated platforms whose records the test changes, and the line's stages."""

    def __init__(self, home: Path, dsn: str, admin: str) -> None:
        self.home, self.dsn, self.admin = home, dsn, admin
        self.day, self.runs = 0, 0
        self.frames = {
            entity: frame.filter(pl.col("src_inst_code").is_in([INST, COMMISSION]))
            for entity, frame in population.clean(population.SEED, 0.003).items()
        }

    def change(self, entity: str, records: list[str], **values: str) -> None:
        """Give records of the university new values, as a new version."""
        frame = self.frames[entity]
        chosen = pl.col("src_record_id").is_in(records) & (pl.col("src_inst_code") == INST)
        newest = max(f["change_version"].max() or 0 for f in self.frames.values())
        version = pl.when(chosen).then(newest + 1).otherwise("change_version")
        updated = (
            pl.when(chosen).then(pl.col("updated_at") + timedelta(days=self.day)).otherwise("updated_at")
        )
        new = {n: pl.when(chosen).then(pl.lit(v)).otherwise(n) for n, v in values.items()}
        self.frames[entity] = frame.with_columns(change_version=version, updated_at=updated, **new)

    def open_day(self) -> None:
        """The platforms move on to the next day with what their records now are."""
        self.day += 1
        folder = state.day_folder(self.home, self.day)
        folder.mkdir(parents=True)
        for entity, frame in self.frames.items():
            frame.write_parquet(folder / f"{entity}.parquet")
        products.prepare(self.home, self.day, self.admin)

    def run(self, collect: bool = True) -> str:
        """Collect, validate, reconcile and write the feedback; returns the run's id."""
        self.runs += 1
        run_id, as_of = f"run-{self.runs}", DAYS[self.day - 1]
        with psycopg.connect(self.dsn) as connection:
            connection.execute(
                "insert into ops.run (run_id, kind, as_of) values (%s, 'warehouse', %s)", [run_id, as_of]
            )
        for inst in (COMMISSION, INST) if collect else ():
            assert collect_institution(inst, run_id, as_of)["failed"] == []
        validate(run_id, as_of)
        reconcile(run_id)
        with psycopg.connect(self.dsn) as connection:
            feedback.build(connection, run_id, as_of, "模拟数据", [INST])
            connection.execute("update ops.run set state = 'success' where run_id = %s", [run_id])
        return run_id

    def ask(self, query: str, *values: Any) -> list[tuple]:
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(query, values).fetchall()

    def report(self) -> tuple[str, dict[str, str]]:
        """The university's page as text, and its workbook's sheets as text."""
        folder = self.home / "feedback"
        page = re.sub(r"<[^>]+>", " ", (folder / f"{INST}.html").read_text(encoding="utf-8"))
        book = fastexcel.read_excel(folder / f"{INST}.xlsx")
        return page, {n: str(book.load_sheet(n).to_polars().rows()) for n in book.sheet_names}


@pytest.fixture
def town(tmp_path, pg_home, warehouse, monkeypatch) -> Iterator[City]:
    """The platforms' server over a work folder, and the environment that the stages read."""
    monkeypatch.setenv("YUYAN_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    town = City(tmp_path, warehouse, postgres.dsn(pg_home))
    port = sockets.free()
    command = [
        sys.executable,
        "-m",
        "yuyan_demo.simulator",
        "serve",
        "--home",
        str(tmp_path),
        "--port",
        str(port),
    ]
    server: list[subprocess.Popen] = []

    def serve() -> None:
        server.append(subprocess.Popen(command, env=os.environ))
        for name, value in products.connection_env(tmp_path, port).items():
            monkeypatch.setenv(name, value)
        while server[0].poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.1)

    town.serve = serve
    yield town
    for process in server:
        process.terminate()
        process.wait()


def test_problems_from_planting_to_healing(town):
    people = town.frames["student"].filter(pl.col("src_inst_code") == INST)
    programme, students = people.group_by("programme_id").len().sort("len", "programme_id").row(-1)
    parent = town.frames["programme"].filter(pl.col("programme_id") == programme)["src_record_id"].to_list()
    whole = dict(town.frames["programme"].filter(pl.col("programme_id") == programme).select(
        "src_record_id", "duration_years").iter_rows())  # fmt: skip
    elsewhere = people.filter(pl.col("programme_id") != programme)["student_id"]  # they keep their programme
    took_part = town.frames["practice_participation"].filter(
        (pl.col("src_inst_code") == INST)
        & pl.col("to_on").is_not_null()
        & pl.col("student_id").is_in(elsewhere.implode())
    )
    days = dict(took_part.sort("src_record_id").select("src_record_id", "days").head(4).iter_rows())
    wrong, late = list(days)[:3], list(days)[3]

    # --- the first day: a programme of nine years, three participations of 900 days -----------------------------------
    town.change("programme", parent, duration_years="9.0")
    town.change("practice_participation", wrong, days="900")
    town.open_day()
    town.serve()
    first = town.run()

    failing = town.ask(
        "select src_record_id, observed_value, since_run_id from quality.row_failure "
        "where rule_id = %s and src_inst_code = %s and resolved_run_id is null order by 1", RULE, INST)  # fmt: skip
    assert failing == [(record, "900", first) for record in sorted(wrong)]
    (kept_out,) = town.ask(
        "select count(*) from quality.quarantine where entity = 'student' and state = 'open' and src_inst_code = %s",
        INST,
    )[0]
    assert kept_out >= students > 3
    causes = town.ask(
        "select kind, failed_rows, cause_rule_ids from quality.cause where cause_entity = 'programme' and cause_key = %s "
        "and resolved_run_id is null", programme)  # fmt: skip
    assert len(causes) == 1  # one remedy, however many records wait for it
    kind, waiting, broken = causes[0]
    assert (kind, broken) == ("parent_quarantined", ["QR.programme.duration_years.11"])
    assert waiting >= students
    ((number, status),) = town.ask(
        "select problem_id, state from quality.problem where rule_id = %s and src_inst_code = %s", RULE, INST
    )
    assert status == "open"
    page, book = town.report()
    assert "模拟数据" in page
    for text in (*wrong, RULE):
        assert text in book["逐行问题"]
    assert RULE in page
    assert programme in page

    # --- an override for these three rows, asked for by one steward and approved by another ---------------------------
    end = DAYS[0] + timedelta(days=30)
    with psycopg.connect(town.dsn, autocommit=True) as connection:
        asked = overrides.request(connection, number, ASKS, 3, "基地按学时折算天数，正在核对", end, DAYS[0])
        assert PROBLEMS.get(connection, number).state == "override_requested"
        with pytest.raises(ValueError, match=ALSO_THERE):  # the rule asks for the commission
            overrides.decide(connection, number, ALSO_THERE, True, "同意", DAYS[0])
        overrides.decide(connection, number, DECIDES, True, "折算有文件依据", DAYS[0])
    second = town.run(collect=False)

    accepted = "select count(*) from accepted.practice_participation where src_record_id = any(%s)"
    assert town.ask(accepted, wrong) == [(3,)]
    assert town.ask(
        "select count(*) from quality.release where reason = 'override' and released_run_id = %s", second
    ) == [(3,)]
    assert town.ask(
        "select distinct override_id from quality.row_failure where rule_id = %s and resolved_run_id is null",
        RULE,
    ) == [(asked.override_id,)]
    assert town.ask(
        "select verdict, failed, overridden from quality.current_result where rule_id = %s and src_inst_code = %s",
        RULE, INST) == [("overridden", 3, 3)]  # fmt: skip
    assert town.ask("select state from quality.problem where problem_id = %s", number) == [("overridden",)]
    page, _ = town.report()
    assert str(end) in page

    # --- the second day: a fourth row fails; more than was granted, so nothing passes any more -------------------------
    town.change("practice_participation", [late], days="901")
    town.open_day()
    third = town.run()

    assert town.ask(
        "select state, lapse_reason, lapsed_run_id from quality.override where override_id = %s",
        asked.override_id,
    ) == [("lapsed", "exceeded", third)]
    assert town.ask("select state, failed from quality.problem where problem_id = %s", number) == [
        ("open", 4)
    ]
    held = town.ask(
        "select src_record_id from quality.quarantine where entity = 'practice_participation' and state = 'open' "
        "and src_record_id = any(%s) order by 1", [*wrong, late])  # fmt: skip
    assert held == [(record,) for record in sorted([*wrong, late])]
    assert town.ask(accepted, wrong) == [(0,)]
    assert town.ask(accepted, [late]) == [(1,)]  # its last good version stays
    assert town.ask(
        "select new, still, resolved from quality.result where run_id = %s and rule_id = %s and src_inst_code = %s",
        third, RULE, INST) == [(1, 3, 0)]  # fmt: skip

    # --- the third day: the source corrects everything; the children of the programme heal ----------------------------
    for record, value in days.items():
        town.change("practice_participation", [record], days=value)
    for record, value in whole.items():
        town.change("programme", [record], duration_years=value)
    town.open_day()
    fourth = town.run()

    assert town.ask(
        "select count(*) from quality.row_failure where src_inst_code = %s and resolved_run_id is null "
        "and rule_id in (%s, 'QR.programme.duration_years.11')", INST, RULE) == [(0,)]  # fmt: skip
    assert town.ask(accepted, [*wrong, late]) == [(4,)]
    ways = dict(town.ask(
        "select resolution, count(*) from quality.row_failure where src_inst_code = %s and resolved_run_id = %s group by 1",
        INST, fourth))  # fmt: skip
    assert ways["corrected"] >= 5  # four participations and the programme
    assert ways["healed"] >= waiting
    assert town.ask(
        "select count(*) from quality.release where entity = 'student' and reason = 'healed' and released_run_id = %s",
        fourth) == [(kept_out,)]  # fmt: skip
    assert town.ask(
        "select count(*) from quality.cause where cause_entity = 'programme' and cause_key = %s and resolved_run_id = %s",
        programme, fourth) == [(1,)]  # fmt: skip
    assert town.ask("select state, failed from quality.problem where problem_id = %s", number) == [
        ("fixed", 0)
    ]
    _, book = town.report()
    assert all(record in book["已了结"] for record in wrong)
    assert not any(record in book["逐行问题"] for record in wrong)

    # --- what an auditor reads afterwards ------------------------------------------------------------------------------
    steps = town.ask(
        "select actor, action, from_state, to_state from quality.problem_event where problem_id = %s order by event_id",
        number)  # fmt: skip
    assert steps == [
        ("yuyan", "found", None, "open"),
        (ASKS, "request", "open", "override_requested"),
        (DECIDES, "approve", "override_requested", "overridden"),
        ("yuyan", "lapsed", "overridden", "open"),
        ("yuyan", "settled", "open", "fixed"),
    ]
    assert town.ask("select count(*) from quality.problem_event where reason = '' or as_of is null") == [(0,)]
    assert town.ask("select count(*) from ops.reconciliation where not is_balanced") == [(0,)]
