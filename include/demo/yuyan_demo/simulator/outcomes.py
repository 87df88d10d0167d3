"""Where graduates went, who was honoured, and what employers think."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from yuyan_demo.simulator import catalogue as cat
from yuyan_demo.simulator import people
from yuyan_demo.simulator.columns import (
    Groups,
    counts,
    dates,
    day,
    days,
    decimals,
    flags,
    integers,
    join,
    null_unless,
    padded,
    pick,
    running,
    stream,
    text,
    weighted,
    year_of,
)
from yuyan_demo.simulator.theses import Theses

EMPLOYERS = ("10", "11", "12", "271")
DESTINATIONS = ("10", "11", "12", "271", "46", "502", "512", "751", "76", "801", "701", "721", "85")
SHARES = (0.42, 0.22, 0.07, 0.02, 0.004, 0.006, 0.02, 0.01, 0.01, 0.10, 0.07, 0.02, 0.03)
SEARCHING = DESTINATIONS.index("701")


def outstanding(seed: int, s: people.Students, th: Theses) -> tuple[np.ndarray, np.ndarray]:
    """Which graduates are 优秀毕业生 (mask over registrations) and which theses are 优秀学位论文 (mask over theses)."""
    rng = stream(seed, 51)
    graduated = s.fate == people.GRADUATED
    best = graduated & (rng.random(len(s)) < 0.06)
    thesis = graduated[th.student] & (rng.random(len(th.student)) < 0.02)
    return best, thesis


def honours(
    seed: int, s: people.Students, ids: pl.Series, th: Theses, t_ids: pl.Series, sampled: pl.DataFrame
) -> pl.DataFrame:
    """Honours of students (S), of theses (X) in which no sampling found problems, and of a few supervisors (T)."""
    rng = stream(seed, 52)
    best, thesis = outstanding(seed, s, th)
    problems = sampled.filter(pl.col("verdict_code") == "2")["thesis_id"]
    thesis &= ~th.ids.is_in(problems.implode()).to_numpy()
    student, paper = np.flatnonzero(best), np.flatnonzero(thesis)
    teacher = rng.choice(len(t_ids), max(4, len(t_ids) // 200), replace=False)
    holder = pl.concat([ids.gather(student), th.ids.gather(paper), t_ids.gather(teacher)])
    kind = np.repeat([0, 1, 2], [len(student), len(paper), len(teacher)])
    granted = np.concatenate(
        [
            s.left[student] - 15,
            s.left[th.student[paper]] - 5,
            day(2017, 9, 10) + rng.integers(0, 3000, len(teacher)),
        ]
    )
    n = len(holder)
    src = holder.str.slice(0, 5)
    level = np.where(kind == 1, weighted(rng, (0.2, 0.8), n), weighted(rng, (0.1, 0.9), n))
    return pl.DataFrame(
        {
            "src_inst_code": src,
            "honour_id": join(src, "-N", padded(np.arange(n), 7)),
            "holder_kind": pick(("S", "X", "T"), kind),
            "holder_id": holder,
            "honour_code": pick(("01", "02", "09"), kind),
            "level_code": pick(("23", "60"), level),
            "granted_on": dates(granted),
            "doc_no": join(
                "校研〔", integers(year_of(granted)), "〕", integers(running(year_of(granted))), "号"
            ),
        }
    )


@dataclass
class Graduates:
    """Graduates since 2016 as arrays; `who` is an index into the registrations, `company` one into the enterprises."""

    who: np.ndarray
    year: np.ndarray
    destination: np.ndarray
    company: np.ndarray
    local: np.ndarray
    best: np.ndarray
    early: np.ndarray

    def take(self, index: np.ndarray) -> "Graduates":
        """The graduates at an index."""
        return Graduates(**{k: v[index] for k, v in vars(self).items()})


def employment(
    seed: int,
    s: people.Students,
    ids: pl.Series,
    th: Theses,
    catalogue: cat.Catalogue,
    enterprises: pl.DataFrame,
) -> pl.DataFrame:
    """Two snapshots of every graduate: 08-31 and 12-31 of the year of leaving, as far as the day has come.

    About 38 % of the employed work in Chongqing, slowly rising; two thirds join a cluster that fits their discipline.
    """
    rng = stream(seed, 53)
    who = np.flatnonzero(np.isin(s.fate, (people.GRADUATED, people.COMPLETED)) & (s.left >= day(2016, 1, 1)))
    n = len(who)
    year = year_of(s.left[who])
    destination = weighted(rng, SHARES, n)
    destination[(s.level[who] == 1) & (DESTINATIONS.index("801") == destination)] = 0
    best, thesis = outstanding(seed, s, th)
    best[th.student[thesis]] = True
    local = rng.random(n) < 0.345 + 0.004 * (year - 2016)
    company = _companies(rng, s.point[who], local, best[who], catalogue, enterprises)
    graduates = Graduates(who, year, destination, company, local, best[who], early=rng.random(n) < 0.12)
    snapshots = []
    for month, dom in ((8, 31), (12, 31)):
        on = days(year, month, dom)
        reached = np.flatnonzero((on <= people.AS_OF) & (s.left[who] <= on))
        frame = _snapshot(rng, graduates.take(reached), on[reached], month == 8, ids, enterprises)
        snapshots.append(
            frame.with_columns(pick(catalogue.inst_codes, s.inst[who[reached]]).alias("src_inst_code"))
        )
    return pl.concat(snapshots)


def _companies(
    rng: np.random.Generator,
    point: np.ndarray,
    local: np.ndarray,
    best: np.ndarray,
    catalogue: cat.Catalogue,
    enterprises: pl.DataFrame,
) -> np.ndarray:
    """An employer per graduate: in Chongqing or not, and two times in three of a cluster that fits the discipline."""
    clusters = sorted(set(enterprises["cluster_code"].drop_nulls()))
    mapped = cat.cluster_map().filter(pl.col("cluster_code").is_in(clusters)).with_columns(
        pl.col("cluster_code").replace_strict(clusters, range(1, len(clusters) + 1), return_dtype=pl.Int64).alias("c")
    )  # fmt: skip
    disciplines = sorted({p.discipline for p in catalogue.points})
    number = {d: i for i, d in enumerate(disciplines)}
    known = mapped.filter(pl.col("discipline_code").is_in(disciplines))
    by_discipline = Groups(np.array([number[d] for d in known["discipline_code"]]), len(disciplines))
    of_point = np.array([number[p.discipline] for p in catalogue.points])
    drawn = by_discipline.draw(rng, of_point[point])
    fitting = np.where(drawn >= 0, known["c"].to_numpy()[np.maximum(drawn, 0)], 0)
    fits = rng.random(len(point)) < np.where(best, 0.85, 0.66)
    any_cluster = rng.integers(0, len(clusters) + 1, len(point)) * (rng.random(len(point)) < 0.6)
    cluster = np.where(fits, fitting, any_cluster)
    code = {c: i for i, c in enumerate(clusters, 1)}
    company_cluster = np.array([code.get(c, 0) for c in enterprises["cluster_code"]])
    company_local = enterprises["region_code"].str.starts_with("50").to_numpy().astype(np.int64)
    groups = Groups(company_cluster * 2 + company_local, 2 * len(clusters) + 2)
    chosen = groups.draw(rng, cluster * 2 + local)
    return np.where(chosen >= 0, chosen, rng.integers(0, len(enterprises), len(point)))


def _snapshot(
    rng: np.random.Generator,
    g: Graduates,
    on: np.ndarray,
    august: bool,
    ids: pl.Series,
    enterprises: pl.DataFrame,
) -> pl.DataFrame:
    """Destinations at one day; in August some are still searching and less is verified."""
    n = len(g.who)
    at = np.where(g.early & august, SEARCHING, g.destination)
    employed = at < SEARCHING - 1
    employer = np.isin(at, [DESTINATIONS.index(d) for d in EMPLOYERS])
    other = pick(("500106", "510000", "500101"), np.where(g.local, 2 * rng.integers(0, 2, n), 1))
    region = enterprises["region_code"].gather(g.company)
    place = pl.select(pl.when(pl.Series(employer)).then(region).otherwise(other)).to_series()
    organisation = enterprises["org_kind"].cast(pl.Int64).to_numpy()[g.company] // 10 - 1
    kind = pick(("31", "39", "20", "23", "10", "10", "99", "99"), 2 * organisation + (rng.random(n) < 0.55))
    post = pick(("13", "11", "24", "19", "30"), weighted(rng, (0.5, 0.1, 0.15, 0.1, 0.15), n))
    verified = (0.02, 0.09, 0.6, 0.28, 0.01) if august else (0.005, 0.03, 0.45, 0.51, 0.005)
    key = rng.random(n) < np.where(g.best, 0.92, 0.3)
    in_cluster = employer & (rng.random(n) < 0.5)
    return pl.DataFrame(
        {
            "student_id": ids.gather(g.who),
            "grad_year": integers(g.year),
            "status_on": dates(on),
            "destination_code": pick(DESTINATIONS, at),
            "employer_uscc": null_unless(enterprises["uscc"].gather(g.company), employer),
            "employer_kind_code": null_unless(kind, employer),
            "industry_code": null_unless(enterprises["industry_code"].gather(g.company), employer),
            "region_code": null_unless(place, employed),
            "post_category_code": null_unless(post, employer),
            "is_key_post": null_unless(flags(key), employer),
            "cluster_code": null_unless(enterprises["cluster_code"].gather(g.company), in_cluster),
            "verify_state": pick(("0", "1", "2", "3", "9"), weighted(rng, verified, n)),
        }
    )


def employer_survey(
    seed: int, scale: float, catalogue: cat.Catalogue, enterprises: pl.DataFrame
) -> pl.DataFrame:
    """Yearly answers of employers by institution; 4 or 5 of 5 points in about 87 % of them, slowly rising."""
    rng = stream(seed, 54)
    years = np.arange(2016, 2027)
    sizes = np.array([cat.SIZES[c] for c in catalogue.inst_codes])
    number = np.maximum(4, counts(rng, np.outer(sizes, np.full(len(years), 9000 * scale))))
    inst, year = (np.repeat(np.indices(number.shape)[k].ravel(), number.ravel()) for k in (0, 1))
    year = years[year]
    n = len(inst)
    content = rng.random(n) < 0.862 + 0.003 * (year - 2016)
    score = np.where(content, 4 + (rng.random(n) < 0.4), 3 - weighted(rng, (0.7, 0.2, 0.1), n))
    company = rng.integers(0, len(enterprises), n)
    weight = (0.6 + 0.8 * rng.random((len(sizes), len(years))))[inst, year - 2016]
    points = Groups(
        np.array([catalogue.inst_codes.index(p.inst) for p in catalogue.points]), len(sizes)
    ).draw(rng, inst)
    return pl.DataFrame(
        {
            "src_inst_code": text("50000", n),
            "response_id": join("50000-F", integers(year), padded(running(year), 6)),
            "survey_year": integers(year),
            "instrument_version": text("2016", n),
            "employer_uscc": enterprises["uscc"].gather(company),
            "inst_code": pick(catalogue.inst_codes, inst),
            "degree_point_id": null_unless(
                pick([p.id for p in catalogue.points], points), rng.random(n) < 0.6
            ),
            "overall_score": integers(score),
            "design_weight": decimals(weight, 4),
            "collected_on": dates(days(year, 6, 1) + rng.integers(0, 100, n)),
        }
    )
