"""The marts on supervisors equal what is counted here, without SQL, in the simulated population's accepted records."""

from datetime import date

import polars as pl
import pytest

from yuyan_demo.simulator import measures_supervision as books
from yuyan_demo.simulator.truth_table import CITY

pytestmark = pytest.mark.database


def per_unit(frame: pl.DataFrame, *values: pl.Expr) -> dict[str, tuple]:
    """Unit (institution or city) -> values."""
    found = {unit: tuple(row) for unit, *row in frame.group_by("inst").agg(values).iter_rows()}
    return found | {CITY: frame.select(values).row(0)}


def test_supervisor_team(marts, facts):
    rows = {
        (year, unit): tuple(figures)
        for year, unit, *figures in marts.execute(
            "select team_year, unit_code, active_count, assessed_count, trained_count, at_enterprise_count, failed_count, "
            "conduct_case_count, "
            "pool_stock_count, pool_shared_count, team_count, multi_institution_team_count, guiding_count, "
            "load_max, load_p90, doctoral_load_p90, peer_load_p90, is_load_above_peers from marts.supervisor_team"
        ).fetchall()
    }
    units = [CITY, *facts["institution"]["inst_code"]]
    assert set(rows) == {(y, u) for y in range(2022, facts.as_of.year + 1) for u in units}
    entries = books.pool_entries(facts)
    peers = facts["institution"].select(
        pl.col("inst_code").alias("inst"), pl.col("peer_group_code").alias("peer")
    )
    kinds = facts["supervisor"].select("supervisor_id", "supervisor_kind")
    flagged, hidden = 0, 0
    for year, last in books.year_ends(facts, 2022):
        active = books.guiding(facts, year, last).join(kinds, on="supervisor_id", how="left")
        ideology = books.of_events(facts, last, "20", year)
        hours = (
            books.of_events(facts, last, "10", year - 1, year)
            .group_by("supervisor_id")
            .agg(pl.col("hours").sum())
        )
        away = pl.concat([books.of_events(facts, last, kind, year) for kind in ("40", "50")])
        groups = {
            "assessed": ideology,
            "failed": ideology.filter(pl.col("result_code") == "4"),
            "trained": hours.filter(pl.col("hours") >= 16),
            "away": away,
        }
        cases = facts["misconduct_case"].filter(
            (pl.col("subject_kind") == "T")
            & (pl.col("decided_on").dt.year() == year)
            & (pl.col("decided_on") <= last)
        )
        cases = cases.with_columns(pl.col("degree_point_id").str.slice(0, 5).alias("inst"))
        conduct = per_unit(cases, pl.len())
        care = per_unit(
            active,
            pl.len(),
            *(
                pl.col("supervisor_id").is_in(f["supervisor_id"].unique().implode()).sum().alias(n)
                for n, f in groups.items()
            ),
        )
        stock = entries.filter(
            (pl.col("entered_on") <= last) & (pl.col("exited_on").is_null() | (pl.col("exited_on") > last))
        )
        shared = pl.col("person").filter(pl.col("places") > 1).n_unique()
        pool = per_unit(stock, pl.col("person").n_unique(), shared.alias("shared")) if year >= 2024 else {}
        manned = facts["team_member"].filter(books.open_on(last))["team_id"].unique()
        teams = facts["team"].filter(
            (pl.col("approved_on") <= last) & pl.col("team_id").is_in(manned.implode())
        )
        team = per_unit(teams, pl.len(), pl.col("is_multi_inst").sum().alias("multi"))
        census = date(year, 9, 30)
        load = (
            books.loads(facts, census) if census <= facts.as_of else books.loads(facts, facts.as_of).clear()
        )
        doctoral = pl.col("doctoral").filter(pl.col("doctoral") > 0)
        guided = per_unit(
            load,
            pl.len(),
            pl.col("students").max(),
            pl.col("students").quantile(0.9, "linear").alias("p90"),
            doctoral.quantile(0.9, "linear").alias("doctoral_p90"),
        )
        with_peers = (
            load.join(peers, on="inst").group_by("peer").agg(pl.col("students").quantile(0.9, "linear"))
        )
        of_peers = dict(with_peers.iter_rows())
        group_of = dict(peers.iter_rows())
        for unit in units:
            (decided,) = conduct.get(unit, (0,))
            seen, guides = care.get(unit, (0,) * 5), guided.get(unit, (0, None, None, None))
            count, assessed, failed, trained, at_enterprise = seen
            peer = of_peers.get(group_of.get(unit))
            above = None not in (guides[2], peer) and guides[2] > peer * 1.25
            shown = failed if failed == 0 or failed >= 5 else None
            flagged, hidden = flagged + above, hidden + (shown is None)
            theirs = (
                *(
                    count,
                    assessed,
                    trained,
                    at_enterprise,
                    shown,
                    decided if decided == 0 or decided >= 5 else None,
                ),
                *pool.get(unit, (0, 0)),
                *team.get(unit, (0, 0)),
                *guides,
                peer,
                above,
            )
            assert rows[year, unit] == pytest.approx(theirs), (year, unit)
    assert flagged
    assert hidden
