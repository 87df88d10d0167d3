"""What is measured of list items beyond date and quantity, counted here from accepted records without SQL."""

from collections import Counter, defaultdict
from datetime import date

import polars as pl
import pytest

from yuyan import settings
from yuyan_demo.simulator import measures_coursework, measures_research
from yuyan_demo.simulator.truth_table import CITY

pytestmark = pytest.mark.database

Things = dict[tuple[int, str | None], list[bool]]
"""(cycle year, institution) -> what is asked of each thing."""


def _asked(frame: pl.DataFrame, year: str, what: pl.Expr) -> Things:
    found: Things = defaultdict(list)
    rows = frame.select(pl.col(year).cast(pl.Int64), "inst", what.alias("is_true")).drop_nulls("is_true")
    for cycle, inst, is_true in rows.iter_rows():
        found[cycle, inst].append(is_true)
    return found


def _projects(facts, item: str) -> pl.DataFrame:
    return facts["list_project"].filter(pl.col("list_item_id") == item)


def _made(facts, entity: str, item: str) -> pl.DataFrame:
    projects = _projects(facts, item).select("list_project_id", "cycle_year")
    return facts[entity].join(projects, on="list_project_id")


def _on_time(facts) -> pl.Expr:
    kept = (pl.col("closed_on") <= pl.col("due_close_on")).fill_null(False)
    return pl.when(pl.col("due_close_on") < facts.as_of).then(kept)


def _measures(facts) -> dict[tuple[str, str], Things]:
    """(item, measure) -> its things."""
    found = {}
    for item, measure, what in (
        ("X01", "ON-TIME", _on_time(facts)),
        ("X03", "DIGITAL", pl.col("is_digital")),
        ("X04", "ON-TIME", _on_time(facts)),
        ("X06", "FUNDED", pl.col("amount").is_not_null()),
        ("X07", "ON-TIME", _on_time(facts)),
        ("X08", "ENTERPRISE", pl.col("is_school_enterprise")),
        ("X08", "ON-TIME", _on_time(facts)),
        ("X11", "ENTERPRISE", pl.col("is_school_enterprise")),
        ("X12", "FUNDED", pl.col("amount").is_not_null()),
    ):
        found[item, measure] = _asked(_projects(facts, item), "cycle_year", what)
    for measure, flag in (
        ("CROSS", "is_cross_unit"),
        ("ENTERPRISE", "is_school_enterprise"),
        ("MULTI", "is_multi_inst"),
    ):
        found["X02", measure] = _asked(_made(facts, "team", "X02"), "cycle_year", pl.col(flag))
    cases = _made(facts, "teaching_resource", "X05").filter(pl.col("kind_code") == "20")
    done = (pl.col("completed_on") <= facts.as_of).fill_null(False)
    found["X05", "ENTERPRISE"] = _asked(cases, "cycle_year", pl.col("co_dev_uscc").is_not_null())
    found["X05", "COMPLETED"] = _asked(cases, "cycle_year", done)
    found["X09", "PROBLEM"] = _problems(facts)
    stands = pl.col("closed_on").is_null() | (pl.col("closed_on") > facts.as_of)
    branches = facts["party_branch"].filter(pl.col("supported_cycle").is_not_null())
    found["X10", "OPEN"] = _asked(branches, "supported_cycle", stands)
    city = facts["competition_entry"].filter(pl.col("competition_code") == "10")
    found["X14", "ENTERPRISE"] = _asked(city, "competition_year", pl.col("enterprise_uscc").is_not_null())
    found["X14", "AWARDED"] = _asked(city, "competition_year", pl.col("award_level").is_not_null())
    return found | _present(facts) | _core(facts)


def _problems(facts) -> Things:
    bad = facts["thesis_sampling"].filter(pl.col("verdict_code") == "2")["thesis_id"].implode()
    author = facts["thesis"].select(
        pl.col("thesis_id").alias("holder_id"), pl.col("student_id").str.slice(0, 5).alias("inst")
    )
    honours = facts["honour"].filter(
        (pl.col("honour_code") == "02")
        & (pl.col("level_code") == "23")
        & (pl.col("holder_kind") == "X")
        & (pl.col("granted_on") <= facts.as_of)
    )
    honours = honours.join(author, on="holder_id", how="left").with_columns(
        pl.col("granted_on").dt.year().alias("year")
    )
    return _asked(honours, "year", pl.col("holder_id").is_in(bad))


def _present(facts) -> dict[tuple[str, str], Things]:
    """What is asked of the present state: licences, standards; and who reviewed practice outputs."""
    year = pl.lit(facts.as_of.year).alias("year")
    professional = measures_research.programmes(facts).filter(
        (pl.col("degree_type") == "2") & (pl.col("plan_effective_from") <= facts.as_of)
    )
    licences = _asked(professional.with_columns(year), "year", pl.col("licence_linked").fill_null(False))
    engineering = pl.col("discipline_code").is_between(pl.lit("0854"), pl.lit("0861"))
    points = facts["degree_point"].filter(
        engineering & (pl.col("degree_type") == "2") & pl.col("degree_level").is_in(["1", "2"])
    )
    units = points.select("inst").unique().with_columns(year)
    homes = facts["supervisor"].select(pl.col("src_inst_code").alias("inst")).unique().with_columns(year)
    documents = facts["policy_document"].filter(pl.col("issued_on") >= date(2026, 1, 1))
    filed = {
        kind: documents.filter(pl.col("kind_code") == kind)["inst_code"].implode() for kind in ("20", "30")
    }
    discipline = facts["degree_point"].select("degree_point_id", "discipline_code")
    reviews = (
        facts["thesis_review"]
        .group_by("thesis_id")
        .agg(
            (pl.col("reviewer_kind") == "30").any().alias("by_enterprise"),
            pl.col("reviewed_on").max().dt.year().alias("year"),
        )
    )
    outputs = (
        facts["thesis"]
        .filter(pl.col("output_kind") == "2")
        .with_columns(pl.coalesce("student_id", "degree_point_id").str.slice(0, 5).alias("inst"))
        .join(discipline, on="degree_point_id")
        .filter(engineering)
        .join(reviews, on="thesis_id")
    )
    return {
        ("R1", "LICENCE"): licences,
        ("R3", "STANDARD"): _asked(units, "year", pl.col("inst").is_in(filed["20"])),
        ("R3", "EXPERTS"): _asked(outputs, "year", pl.col("by_enterprise")),
        ("R7", "STANDARD"): _asked(homes, "year", pl.col("inst").is_in(filed["30"])),
    }


def _scored(marts) -> Things:
    """Degree points with every score that their discipline is judged by, as their own mart has them."""
    found: Things = defaultdict(list)
    rows = marts.execute(
        "select monitor_year, inst_code, fit_score is not null or not is_applied, contribution_score, "
        "distinctiveness_score from marts.degree_point_monitor"
    ).fetchall()
    for year, inst, is_fit, contribution, distinctiveness in rows:
        found[year, inst].append(is_fit and contribution is not None and distinctiveness is not None)
    return found


def _core(facts) -> dict[tuple[str, str], Things]:
    """Core courses of each academic year that were dropped, or are overdue for renewal."""
    done = measures_coursework.renewals(facts)
    courses = facts["course"].filter(pl.col("is_core") | pl.col("core_to").is_not_null())
    dropped: Things = defaultdict(list)
    overdue: Things = defaultdict(list)
    columns = (
        "course_id",
        "inst",
        pl.coalesce("core_from", "active_from"),
        pl.coalesce("core_to", "active_to"),
    )
    for start in facts.years(2023, 9, 1):
        year, closes = f"{start}-{start + 1}", min(date(start + 1, 8, 31), facts.as_of)
        for course, inst, since, until in courses.select(*columns).iter_rows():
            if since > closes or (until is not None and until < date(start, 9, 1)):
                continue
            past = [
                (term, kind)
                for term, kind, counts in done.get(course, [])
                if term[:9] <= year and counts <= year
            ]
            last, kind = max(past, default=(None, None))
            begins = since if last is None else _begin(last)
            due = date(begins.year + 5, begins.month, 1)
            dropped[start, inst].append(kind == "4")
            overdue[start, inst].append(kind != "4" and due <= facts.as_of)
    return {("R5", "ELIMINATED"): dropped, ("R5", "OVERDUE"): overdue}


def _begin(term: str) -> date:
    place, month = {"1": (0, 9), "2": (5, 2), "3": (5, 7)}[term[10]]
    return date(int(term[place : place + 4]), month, 1)


def test_measures_are_counted_per_cycle_and_institution(marts, facts):
    ours = {
        row[:4]: row[4:]
        for row in marts.execute(
            "select list_item_code, measure_code, cycle_code::int, unit_code, thing_count, true_count "
            "from marts.list_measure"
        ).fetchall()
    }
    theirs = {}
    for (item, measure), things in (_measures(facts) | {("R2", "SCORES"): _scored(marts)}).items():
        total, true = Counter(), Counter()
        for (year, inst), answers in things.items():
            if 2023 <= year <= facts.as_of.year:
                for unit in {inst, CITY} - {None}:
                    total[year, unit] += len(answers)
                    true[year, unit] += sum(answers)
        theirs |= {(item, measure, *unit): (count, true[unit]) for unit, count in total.items()}
    assert {k: v for k, v in ours.items() if v != theirs.get(k)} == {}
    assert set(ours) == set(theirs)
    defined = pl.read_csv(settings.SEEDS / "plan" / "list_measure_definition.csv", infer_schema_length=0)
    unseen = set(defined.select("item_code", "measure_code").rows()) - {key[:2] for key in ours}
    assert {item for item, _ in unseen} <= {"X05"}  # a city so small has no teaching case


def test_a_proposed_target_says_so_and_decides_the_state(marts):
    rows = marts.execute(
        "select distinct target_share, target_is_proposed, measure_state_code, share from marts.list_measure"
    ).fetchall()
    assert {(target is not None) == proposed for target, proposed, *_ in rows} == {True}
    for target, _, state, share in rows:
        assert state == ("NO-TARGET" if target is None else "MET" if share >= target - 1e-12 else "UNDER")
    assert {state for *_, state, _ in rows} == {"MET", "UNDER", "NO-TARGET"}


def test_every_category_is_there_and_r1_is_judged_by_its_dates(marts, facts):
    rows = marts.execute(
        "select list_item_code, cycle_code::int, category_code, project_count, closed_count, category_state_code, "
        "status_code from marts.list_category"
    ).fetchall()
    codes = pl.read_csv(settings.SEEDS / "reference" / "code.csv", infer_schema_length=0).filter(
        pl.col("code_set") == "list_project_category"
    )
    assert {row[2] for row in rows} == set(codes["code"])
    for item, cycle, category, count, closed, state, status in rows:
        years = {"R1": 2, "X06": 2}.get(item, 1)
        mine = _projects(facts, item).filter(
            (pl.col("category_code") == category) & pl.col("cycle_year").is_between(cycle - years + 1, cycle)
        )
        good = mine.filter((pl.col("closed_on") <= facts.as_of) & (pl.col("close_result_code") == "10"))
        assert (count, closed) == (len(mine), len(good)), (item, cycle, category)
        assert state == ("MISSING" if not count else "CLOSED" if closed else "STARTED")
        if item == "R1":  # before the end of 2026 nothing is late
            assert status == ("GREEN" if closed else "GREY")
        elif item == "X07" and cycle == 2026:  # all four kinds were due in July
            assert status == ("GREEN" if count else "RED")
        elif item not in ("R1", "X07"):
            assert status == "GREY"
    assert {row[5] for row in rows} == {"MISSING", "STARTED", "CLOSED"}
    assert "X07-4" in [row[2] for row in rows if row[0] == "X07" and row[5] == "MISSING"]


def test_documents_of_the_policies_are_all_there(marts, facts):
    ours = {
        row[:3]: row[3:]
        for row in marts.execute(
            "select list_item_code, cycle_code::int, document_code, issued_on, content_hash, days_late, document_state_code "
            "from marts.list_document where list_item_code like 'Z%'"
        ).fetchall()
    }
    city = facts["policy_document"].filter(
        (pl.col("kind_code") == "10")
        & pl.col("list_item_id").is_not_null()
        & (pl.col("issued_on") <= facts.as_of)
    )
    replaced = set(facts["policy_document"]["supersedes_doc_id"].drop_nulls())
    ends = {"Z1": (2026, 7, 31), "Z2": (2026, 5, 31), "Z4": (2026, 12, 31), "Z5": (2026, 12, 31)}
    ends |= dict.fromkeys(("Z6", "Z7", "Z8"), (2027, 6, 30))
    theirs = {}
    for item, due in [(i, date(*d)) for i, d in ends.items()] + [("Z3", date(2026, 12, 31))]:
        mine = city.filter(pl.col("list_item_id") == item)
        for row in mine.iter_rows(named=True):
            cycle = int(row["edition_year"]) if item == "Z3" else due.year
            late = max((row["issued_on"] - due).days, 0) if cycle == due.year else None
            state = "SUPERSEDED" if row["doc_id"] in replaced else "LATE" if late else "ISSUED"
            theirs[item, cycle, row["doc_id"]] = (row["issued_on"], row["file_digest"], late, state)
        if not [k for k in theirs if k[:2] == (item, due.year)]:
            late = max((facts.as_of - due).days, 0)
            theirs[item, due.year, "-"] = (None, None, late, "OVERDUE" if late else "NOT-DUE")
    assert ours == theirs
    assert {state for *_, state in ours.values()} >= {"ISSUED", "LATE", "SUPERSEDED", "NOT-DUE"}


def _large(count: int, whole: int | None = None) -> int | None:
    shown = count == 0 or count >= 5
    return count if shown and (whole is None or whole == 0 or whole >= 5) else None


def test_internationalisation_is_counted_and_hides_small_cells(marts, facts):
    columns = (
        "degree_study_count, degree_study_departed_count, joint_training_count, practice_abroad_count, programme_count, "
        "overseas_mentor_count, international_student_count, international_left_count, international_completed_count"
    )
    ours = {
        row[:2]: row[2:]
        for row in marts.execute(
            f"select exchange_year, unit_code, {columns} from marts.internationalisation"
        ).fetchall()
    }
    books = _abroad(facts)
    assert len(ours) == len(facts["institution"]) * 11 + 11
    for (year, unit), shown in ours.items():
        degree, departed, joint, practice, programmes, mentors, students, left, completed = (
            books[name].get((year, unit), 0) for name in books
        )
        assert shown == (
            _large(degree), _large(departed, degree), _large(joint), _large(practice), programmes, _large(mentors),
            _large(students), _large(left), _large(completed, left),
        ), (year, unit)  # fmt: skip
    assert any(v is None for row in ours.values() for v in row)
    bases = marts.execute(
        "select overseas_base_count from marts.internationalisation where exchange_year = 2026 and unit_code = %s",
        (CITY,),
    ).fetchone()
    running = facts["platform_base"].filter(
        (pl.col("country_code") != "CHN")
        & (pl.col("opened_on") <= facts.as_of)
        & pl.col("status_code").is_in(["20", "30"])
    )
    assert bases == (len(running),)
    assert len(running) > 0
    enrolled = dict(
        marts.execute(
            "select unit_code, programme_enrolled_count from marts.internationalisation "
            "where programme_enrolled_count is not null"
        ).fetchall()
    )
    valid = facts["sino_foreign_programme"].filter(
        pl.col("valid_to").is_null() | (pl.col("valid_to") >= facts.as_of)
    )
    assert enrolled[CITY] == valid["enrolled_cnt"].sum() > 0


def _abroad(facts) -> dict[str, Counter]:
    """Figure -> (year, unit) -> count, in the order of the columns asked for."""
    sent = facts["overseas_study"].with_columns(
        pl.coalesce(pl.col("student_id").str.slice(0, 5), "inst_code").alias("inst"),
        pl.col("selected_on").dt.year().alias("year"),
        (pl.col("departed_on") <= facts.as_of).fill_null(False).alias("gone"),
    )
    degrees = sent.filter(pl.col("purpose_code").is_in(["1", "2"]))
    overseas = (pl.col("supervisor_kind") == "4") & (pl.col("status_code") != "90")
    mentors = (
        facts["supervisor"]
        .filter(overseas)
        .with_columns(pl.col("supervisor_id").str.slice(0, 5).alias("inst"))
    )
    awarded = facts["degree_award"].select("student_id").unique()
    foreign = facts["student"].filter(
        (pl.col("nationality_code") != "CHN") & pl.col("degree_level").is_in(["1", "2"])
    ).with_columns(pl.col("student_id").str.slice(0, 5).alias("inst"))  # fmt: skip
    left = foreign.filter(pl.col("left_on") <= facts.as_of).with_columns(
        pl.col("left_on").dt.year().alias("year")
    )
    valid, posts, students = [], [], []
    for year in range(2016, facts.as_of.year + 1):
        last, census = min(date(year, 12, 31), facts.as_of), date(year, 9, 30)
        programmes = facts["sino_foreign_programme"].filter(
            (pl.col("approved_on") <= last) & (pl.col("valid_to").is_null() | (pl.col("valid_to") >= last))
        )
        valid.append(
            programmes.select(pl.lit(year).alias("year"), "inst", pl.col("programme_ext_id").alias("person"))
        )
        here = mentors.filter(pl.col("first_appointed_on") <= last)
        posts.append(here.select(pl.lit(year).alias("year"), "inst", "person"))
        studying = foreign.filter(
            (pl.col("entry_on") <= census)
            & (pl.col("left_on").is_null() | (pl.col("left_on") > census))
            & (pl.col("status_code") != "30")
        )
        students.append(studying.select(pl.lit(year).alias("year"), "inst", "person"))
    return {
        "degree": _distinct(degrees),
        "departed": _distinct(degrees.filter("gone")),
        "joint": _distinct(sent.filter(pl.col("purpose_code") == "3")),
        "practice": _distinct(sent.filter(pl.col("purpose_code") == "4")),
        "programmes": _distinct(pl.concat(valid)),
        "mentors": _distinct(pl.concat(posts)),
        "students": _distinct(pl.concat(students)),
        "left": _distinct(left, "student_id"),
        "completed": _distinct(left.join(awarded, on="student_id", how="semi"), "student_id"),
    }


def _distinct(frame: pl.DataFrame, key: str = "person") -> Counter:
    found: Counter = Counter()
    for year, inst, _ in frame.select("year", "inst", key).unique().iter_rows():
        found[year, inst] += 1
    for year, _ in frame.select("year", key).unique().iter_rows():
        found[year, CITY] += 1
    return found
