"""What a day after the first brings: about 0.5 % of the records change.

New receipts, contracts, participations and events dated that day; corrections; deletions; a changed natural key; a change
that was made earlier than it appears; verdicts that arrive; and on day 2 what day 1 owed: corrections, late parents,
impossible jumps.
"""

from datetime import date, timedelta

import numpy as np
import polars as pl

from yuyan import settings
from yuyan_demo.simulator import day_two, defects_revisions, lists
from yuyan_demo.simulator.columns import hexadecimal, money, stream
from yuyan_demo.simulator.planting import (
    PLACES,
    merge,
    moment,
    rows_frame,
)
from yuyan_demo.simulator.products.assignment import COMMISSION, EXCHANGE, FILES, LEGACY, VERSIONED
from yuyan_demo.simulator.simulated_day import LATE, STALE, Day, Ledger


def advance(
    frames: dict[str, pl.DataFrame], ledger: Ledger, seed: int, number: int, pace: float = 1.0
) -> dict[str, pl.DataFrame]:
    """The frames of day `number` from those of the day before. Fills the ledger.

    `pace`: how many times as many records change as they do in a usual day.
    """
    today = Day(frames, number, stream(seed, 90, number), set(ledger.taken), pace)
    _money(today)
    _people(today)
    _graduates(today)
    _lists(today)
    _verdicts(today)
    _deletions(today)
    _keys_and_late_changes(today)
    if number == 2:
        _owed(today, ledger)
        day_two.level_changes(today, ledger)
        defects_revisions.plant(today, ledger)
        day_two.late_news(today, ledger)
    changes = today.stamped()
    return {
        entity: merge(frame, changes[entity]) if entity in changes else frame
        for entity, frame in frames.items()
    }


def _money(d: Day) -> None:
    running = pl.col("status_code") == "10"
    d.taken, kept = set(d.taken), set(d.taken)
    projects = d.some("commissioned_project", 0.006, 6, running & (pl.col("signed_on") < d.today))
    d.taken = kept
    like = d.frames["commissioned_receipt"].head(1).select("change_version", "updated_at", "is_deleted")
    receipts = projects.select(
        "src_inst_code",
        "src_record_id",
        *(pl.lit(like[c][0]).cast(like[c].dtype).alias(c) for c in like.columns),
        pl.format("{}-D{}-d{}", "src_inst_code", pl.col("project_id").str.slice(7), pl.lit(d.number)).alias(
            "receipt_id"
        ),
        "project_id",
        pl.lit(d.today).alias("received_on"),
        money(pl.col("contract_amount").cast(pl.Float64) / 1000).alias("amount"),
        pl.lit("false").alias("is_refund"),
    )
    d.new("commissioned_receipt", receipts)
    templates = d.some("commissioned_project", 0.003, 5, pl.col("client_country_code") == "CHN")
    digest = hexadecimal(d.rng.integers(0, 2**63, (len(templates), 4)).astype(np.uint64))
    number = pl.int_range(len(templates)).cast(pl.String)
    d.new(
        "commissioned_project",
        templates,
        pl.format("{}-HN{}-{}", "src_inst_code", pl.lit(d.number), number).alias("project_id"),
        digest.alias("contract_no_digest"),
        pl.lit(d.today).alias("signed_on"),
        pl.lit("10").alias("status_code"),
    )


def _people(d: Day) -> None:
    studying = (pl.col("status_code") == "10") & (pl.col("entry_on") < "2026-01-01")
    d.change(
        "student",
        d.some("student", 0.004, 4),
        pl.format("19{}", pl.col("mobile").str.slice(2)).alias("mobile"),
    )
    changing = d.some("student", 0.0008, 4, studying)
    _event(d, changing, "24")
    dropped = d.some("student", 0.0002, 2, studying)
    d.change("student", dropped, pl.lit("90").alias("status_code"), pl.lit(d.today).alias("left_on"))
    _event(d, dropped, "31")
    supervision = d.frames["student_supervisor"].filter(
        pl.col("student_id").is_in(dropped["student_id"].implode())
        & pl.col("to_on").is_null()
        & ~pl.col("is_deleted")
    )
    d.taken.update(supervision["src_record_id"])
    d.change("student_supervisor", supervision, pl.lit(d.today).alias("to_on"))
    suspended = d.some("student", 0.0002, 2, studying)
    d.change("student", suspended, pl.lit("20").alias("status_code"))
    _event(d, suspended, "11")
    going = d.some(STALE, 0.008, 8, pl.col("to_on").is_null())
    longer = (pl.col("days").cast(pl.Int64) + 7).cast(pl.String).alias("days")
    d.change(STALE, going, longer, pl.lit("true").alias("verified"), pl.lit("2").alias("verifier_kind"))
    templates = d.some(STALE, 0.002, 5, pl.col("to_on").is_null())
    newcomers = d.some("student", 0.02, 40, studying).unique(
        "src_inst_code", keep="first", maintain_order=True
    )
    pairs = templates.join(
        newcomers.select("src_inst_code", pl.col("student_id").alias("who")), on="src_inst_code", how="inner"
    )
    there = d.frames[STALE].select("project_id", pl.col("student_id").alias("who"))
    pairs = pairs.unique(("project_id", "who"), keep="first", maintain_order=True).join(
        there, on=["project_id", "who"], how="anti"
    )
    d.new(
        STALE,
        pairs.drop("who"),
        pairs["who"].alias("student_id"),
        pl.format(
            "{}-JN{}-{}", "src_inst_code", pl.lit(d.number), pl.int_range(pl.len()).cast(pl.String)
        ).alias("participation_id"),
        pl.lit("31").alias("days"),
    )
    planned = d.some("admission", 0.006, 5, pl.col("special_plan_code") == "00")
    d.change("admission", planned, pl.lit("03").alias("special_plan_code"))
    assigned = d.some("student_supervisor", 0.004, 5, pl.col("to_on").is_not_null())
    ended = pl.col("to_on").str.to_date().dt.offset_by("1d").cast(pl.String).alias("to_on")
    d.change("student_supervisor", assigned, ended)
    absent = d.some("admission", 0, 3, (pl.col("registered") == "false") & (pl.col("exam_year") == "2026"))
    d.change("admission", absent, pl.lit("true").alias("registered"))


def _event(d: Day, students: pl.DataFrame, kind: str) -> None:
    meta = students.select("src_inst_code", "src_record_id", "change_version", "updated_at", "is_deleted")
    d.new(
        "student_status_event",
        meta.with_columns(
            pl.format(
                "{}-Y{}-{}-d{}",
                "src_inst_code",
                students["student_id"].str.slice(5),
                pl.lit(kind),
                pl.lit(d.number),
            ).alias("event_id"),
            students["student_id"],
            pl.lit(kind).alias("event_type"),
            pl.lit(d.today).alias("event_on"),
            pl.lit(None, pl.String).alias("reason_code"),
            pl.lit(None, pl.String).alias("to_programme_id"),
        ),
    )


def _graduates(d: Day) -> None:
    lately = pl.col("status_on") >= str(date.fromisoformat(d.today) - timedelta(days=90))
    waiting = (pl.col("destination_code") == "701") & (pl.col("grad_year") == "2026") & lately
    found = d.some("employment", 0.003, 6, waiting)
    firms = d.frames["enterprise"].filter(
        pl.col("region_code").str.starts_with("50")
        & (pl.col("org_kind") == "10")
        & ~pl.col("src_record_id").str.starts_with("x")
    )
    firm = firms[d.rng.integers(0, len(firms), len(found))]
    d.change(
        "employment",
        found,
        pl.lit("10").alias("destination_code"),
        firm["uscc"].alias("employer_uscc"),
        pl.lit("39").alias("employer_kind_code"),
        firm["industry_code"],
        firm["region_code"],
        pl.lit("13").alias("post_category_code"),
        pl.lit("true").alias("is_key_post"),
        pl.lit("2").alias("verify_state"),
    )
    corrected = d.some("employment", 0.006, 4, pl.col("verify_state").is_in(["0", "1"]))
    d.change("employment", corrected, pl.lit("2").alias("verify_state"))
    compared = d.some("thesis", 0.008, 5, pl.col("similarity_pct").is_not_null())
    d.change(
        "thesis",
        compared,
        pl.format("{}.5{}", pl.lit(1 + d.number % 8), pl.lit(d.number % 10)).alias("similarity_pct"),
    )
    claimed = d.some(
        "thesis", 0, 3, (pl.col("topic_source_code") == "14") & pl.col("frontline_evidence_code").is_null()
    )
    d.change("thesis", claimed, pl.lit("1").alias("frontline_evidence_code"))


def _lists(d: Day) -> None:
    """Milestones get on; one is done, one that was done is verified, one of a yearly item is put off."""
    entity, open_ = "list_milestone", pl.col("done_on").is_null()
    ours = pl.col("doc_version") == lists.REPORTED_VERSION
    progress = pl.col("progress_pct").cast(pl.Float64)
    today = pl.lit(d.today)
    loop = ("list_item_id", "doc_version", "cycle_label")
    first = (
        d.frames[entity]
        .filter(ours & open_)
        .filter(pl.col("stage_code") == pl.col("stage_code").min().over(loop))
    )
    is_next = pl.col("milestone_id").is_in(first["milestone_id"].implode()) & (pl.col("stage_code") == "20")
    done = d.some(entity, 0, 1, ours & open_ & is_next & (pl.col("due_on") < d.today))
    d.change(
        entity,
        done,
        today.alias("done_on"),
        today.alias("reported_on"),
        pl.lit("100.00").alias("progress_pct"),
        pl.format("https://jw.example.cn/zj/{}", "milestone_id").alias("evidence_uri"),
    )
    waiting = ours & ~open_ & pl.col("verified_on").is_null() & pl.col("verified_by").is_null()
    d.change(
        entity,
        d.some(entity, 0, 1, waiting & pl.col("evidence_uri").is_not_null() & (pl.col("done_on") < d.today)),
        pl.lit("市教委督查室").alias("verified_by"),
        today.alias("verified_on"),
    )
    yearly = pl.col("list_item_id").str.starts_with("X") & (pl.col("due_on") > d.today)
    put_off = d.some(entity, 0, 1, ours & open_ & yearly & (pl.col("due_on") < "2026-12-01"))
    later = pl.col("due_on").str.to_date() + pl.duration(days=20)
    d.change(entity, put_off, later.cast(pl.String).alias("due_on"), today.alias("reported_on"))
    moving = d.some(entity, 0, 5, open_ & (progress < 90))
    d.change(
        entity,
        moving,
        pl.format("{}.00", (progress + 1).cast(pl.Int64)).alias("progress_pct"),
    )


def _verdicts(d: Day) -> None:
    """A quarter of the open samplings is decided by three experts each; one thesis, no honoured one, has problems.

    After some days none is open any more.
    """
    pending = d.frames["thesis_sampling"].filter(pl.col("verdict_code") == "0").height
    open_ones = (pl.col("verdict_code") == "0") & ~pl.col("src_record_id").str.starts_with("x")
    decided = d.some("thesis_sampling", 0, max(2, pending // 4), open_ones)
    honoured = d.frames["honour"].filter(pl.col("honour_code") == "02")["holder_id"]
    sound = decided.filter(~pl.col("thesis_id").is_in(honoured.implode()))
    has_problems = pl.col("sampling_id").is_in(sound["sampling_id"].head(1).implode())
    d.change(
        "thesis_sampling",
        decided,
        pl.when(has_problems).then(pl.lit("2")).otherwise(pl.lit("1")).alias("verdict_code"),
        pl.lit(d.today).alias("verdict_on"),
    )
    templates = d.frames["thesis_sampling_review"].filter(
        (pl.col("opinion_code") == "2") & ~pl.col("src_record_id").str.starts_with("x")
    )
    templates = templates.unique("cert_no", keep="first", maintain_order=True)
    seats = decided.select("sampling_id", pl.int_range(pl.len()).alias("nth")).join(
        pl.DataFrame({"seat": [1, 2, 3]}), how="cross"
    )
    first = d.rng.integers(0, len(templates), len(decided))
    rows = templates[(first[seats["nth"].to_numpy()] + seats["seat"].to_numpy()) % len(templates)]
    failed = seats.select(has_problems & (pl.col("seat") < 3)).to_series()
    d.new(
        "thesis_sampling_review",
        rows,
        ("50000-V" + seats["sampling_id"].str.slice(7) + "-" + seats["seat"].cast(pl.String)).alias(
            "review_id"
        ),
        seats["sampling_id"],
        pl.lit("1").alias("round_no"),
        pl.Series("opinion_code", np.where(failed, "4", "2")),
        pl.select(pl.when(failed).then(pl.lit("1;2"))).to_series().alias("reason_codes"),
        pl.lit(str(date.fromisoformat(d.today) - timedelta(days=4))).alias("reviewed_on"),
    )


def _deletions(d: Day) -> None:
    """Leaf records disappear at every product; a legacy platform says nothing about it.

    Never the last ones of an entity: a source that empties to zero is refused, and that is another story.
    """
    not_last = pl.len() > 3
    for product in (VERSIONED, LEGACY, EXCHANGE, FILES):
        inst = PLACES[product][d.number % len(PLACES[product])]
        for entity in (STALE, "overseas_study", "student_supervisor"):
            where = (pl.col("role_code") == "20") & not_last if entity == "student_supervisor" else not_last
            d.change(entity, d.some(entity, 0.0001, 1, where, inst), pl.lit(True).alias("is_deleted"))
    d.change(
        "employer_survey",
        d.some("employer_survey", 0.0005, 2, None, COMMISSION),
        pl.lit(True).alias("is_deleted"),
    )


def _keys_and_late_changes(d: Day) -> None:
    moved = pl.col("from_on").str.to_date().dt.offset_by("1d").cast(pl.String)
    open_end = (pl.col("role_code") == "10") & pl.col("to_on").is_null()
    for product in (VERSIONED, LEGACY, EXCHANGE, FILES):
        inst = PLACES[product][(d.number + 1) % len(PLACES[product])]
        d.change(
            "student_supervisor", d.some("student_supervisor", 0, 2, open_end, inst), moved.alias("from_on")
        )
        rows = d.some("commissioned_project", 0, 1, _long_unchanged() & (pl.col("status_code") == "10"), inst)
        earlier = moment(d.number) - timedelta(days=2, hours=12)
        stamp = pl.lit(earlier).cast(pl.Datetime("us")).alias("updated_at")
        d.change(
            "commissioned_project",
            rows,
            pl.lit("20").alias("status_code"),
            stamp,
            pl.lit(LATE, pl.Int64).alias("change_version"),
        )


def _long_unchanged() -> pl.Expr:
    return pl.col("updated_at") < pl.lit(settings.FIRST_AS_OF - timedelta(days=10)).cast(pl.Datetime("us"))


def _owed(d: Day, ledger: Ledger) -> None:
    for entity, rows in ledger.later.items():
        d.change(entity, rows_frame(d.frames[entity], rows))


def prepare_stale(frames: dict[str, pl.DataFrame], ledger: Ledger, seed: int) -> dict[str, pl.DataFrame]:
    """Choose the records whose old version will come again on day 2, and give day 1's version a time within the overlap."""
    d = Day(frames, 1, stream(seed, 91), ledger.taken)
    chosen = pl.concat(
        [
            d.some(STALE, 0, 1, pl.col("to_on").is_not_null(), PLACES[product][0])
            for product in (LEGACY, EXCHANGE)
        ]
    )
    newer, older = (
        pl.lit(moment(1) - timedelta(hours=h)).cast(pl.Datetime("us")).alias("updated_at") for h in (4, 16)
    )
    ledger.stale = chosen.with_columns(older, pl.lit("1").alias("days"), pl.lit("false").alias("verified"))
    return {**frames, STALE: merge(frames[STALE], chosen.with_columns(newer))}
