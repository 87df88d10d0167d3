"""From counts to a system of cells and sums: everything that a reader of the published tables can add up.

Within a population a cell at some coordinates is the total of the cells at these and more; a whole is its part and the rest;
the same persons at two dates differ by a few; a cluster is its disciplines. What a total has more than its parts (nobody
said which) is a cell as well.
"""

import polars as pl

from yuyan.disclosure.cells import PLACE, Builder, Cells, arrays
from yuyan.disclosure.counts import DIMENSIONS, OF_CLUSTER, Counted
from yuyan.disclosure.policy import Policy

DISCIPLINE = frozenset({"category", "discipline"})
"""The dimensions of a discipline: its code begins with that of its category."""


def system(counted: Counted, policy: Policy) -> Cells:
    """The cells of all counts and every sum between them, with those hidden that are hidden for their own sake."""
    build = Builder(policy)
    refs = counted.refs
    known = refs.filter(pl.col("value").is_not_null())
    first = known.unique(PLACE, keep="first", maintain_order=True)
    open_places = known.filter("is_open").select(*PLACE).unique().with_columns(pl.lit(True).alias("opened"))
    existing = known.filter("exists").select(*PLACE).unique().with_columns(pl.lit(True).alias("exists_"))
    cells = build.add(
        first.join(open_places, on=PLACE, how="left", nulls_equal=True, maintain_order="left")
        .join(existing, on=PLACE, how="left", nulls_equal=True, maintain_order="left")
        .select(
            *PLACE, "value", pl.col("opened").fill_null(False).alias("is_open"), "is_money", "of_firms",
            pl.col("exists_").fill_null(False).alias("exists"), "is_partial",
        )
    )  # fmt: skip
    refs = refs.join(
        cells.select(*PLACE, "cell", pl.col("value").alias("cell_value")),
        on=PLACE,
        how="left",
        nulls_equal=True,
    )
    refs = _twins(build, refs)
    full = _margins(build, cells)
    full = _rests(build, full)
    _additions(build, full)
    _points(build, full)
    _disciplines(build, full, counted.disciplines)
    _identities(build, refs, counted)
    _uniform_ratios(build, refs)
    build.uniform.append(refs.filter(pl.col("is_few") & (pl.col("value") != 0))["cell"])
    return arrays(build, refs, policy)


def _twins(build: Builder, refs: pl.DataFrame) -> pl.DataFrame:
    """A second figure for the same place (persons beside registrations) is a cell of its own, tied to the first."""
    other = (pl.col("value") - pl.col("cell_value")).abs() > 1e-6
    twins = refs.filter(other).unique([*PLACE, "value"], maintain_order=True)
    if not twins.height:
        return refs
    made = build.add(
        twins.select(
            *[pl.lit(None, dtype=pl.String).alias(d) for d in PLACE], "value", "is_open", "is_money", "of_firms",
            "exists", pl.lit(False).alias("is_partial"),
        )
    )  # fmt: skip
    twins = twins.with_columns(made["cell"].alias("twin"))
    is_more = pl.col("value") > pl.col("cell_value")
    build.equate_known(
        twins.select(
            pl.when(is_more).then("twin").otherwise("cell").alias("total"),
            pl.when(is_more).then("cell").otherwise("twin").alias("part"),
            (pl.col("value") - pl.col("cell_value")).abs().alias("rest"),
        )
    )
    named = twins.select(*PLACE, "value", "twin")
    refs = refs.join(named, on=[*PLACE, "value"], how="left", nulls_equal=True, maintain_order="left")
    return refs.with_columns(pl.coalesce("twin", "cell").alias("cell")).drop("twin")


def _dimension_sets(cells: pl.DataFrame) -> pl.DataFrame:
    """The cells with `set`: the names of the dimensions that they have, in order."""
    names = [pl.when(pl.col(d).is_not_null()).then(pl.lit(d + " ")).otherwise(pl.lit("")) for d in DIMENSIONS]
    return cells.with_columns(pl.concat_str(names).alias("set"))


def _sets(cells: pl.DataFrame) -> dict[str, dict[frozenset[str], bool]]:
    """Population -> set of dimensions -> are its cells all there are (not of fixed coordinates only)?"""
    found: dict[str, dict[frozenset[str], bool]] = {}
    rows = (
        cells.group_by("population", "set", maintain_order=True)
        .agg((~pl.col("is_partial")).any().alias("whole"))
        .iter_rows()
    )
    for population, names, whole in rows:
        found.setdefault(population, {})[frozenset(names.split())] = whole
    return found


def _margins(build: Builder, cells: pl.DataFrame) -> pl.DataFrame:
    """The cells and those of every margin that two tables of a population have in common, which no table need publish."""
    cells = _dimension_sets(cells)
    of_clusters = {part.population for part in build.policy.disciplines.values()}
    for _ in range(3):  # margins of margins
        wanted: dict[tuple[frozenset[str], frozenset[str]], list[str]] = {}
        for population, sets in _sets(cells).items():
            whole = [s for s, is_whole in sets.items() if is_whole]
            meets = {a & b for a in sets for b in sets if a != b and (len(a) < 12)}
            if population in of_clusters:
                meets.add(DISCIPLINE)
            for meet in meets | {s for s, is_whole in sets.items() if not is_whole}:
                finer = sorted((s for s in whole if meet < s), key=len)
                if not sets.get(meet, False) and finer:
                    wanted.setdefault((meet, finer[0]), []).append(population)
        if not wanted:
            break
        made = []
        for (meet, finer), populations in sorted(
            wanted.items(), key=lambda w: (sorted(w[0][0]), sorted(w[0][1]))
        ):
            of = [d for d in DIMENSIONS if d in meet]
            rows = cells.filter(
                pl.col("population").is_in(populations)
                & (pl.col("set") == _written(finer))
                & ~pl.col("is_partial")
            )
            summed = rows.group_by("population", "period", *of, maintain_order=True).agg(
                pl.col("value").sum(),
                pl.col("is_money").first(),
                pl.col("of_firms").first(),
                pl.col("exists").any(),
            )
            summed = summed.with_columns(
                *[pl.lit(None, dtype=pl.String).alias(d) for d in DIMENSIONS if d not in meet],
                pl.lit(False).alias("is_open"), pl.lit(False).alias("is_partial"),
                pl.lit(_written(meet)).alias("set"),
            )  # fmt: skip
            there = cells.filter(pl.col("set") == _written(meet)).select("population", "period", *of)
            summed = summed.join(
                there, on=["population", "period", *of], how="anti", nulls_equal=True, maintain_order="left"
            )
            made.append(summed.select(*[c for c in cells.columns if c != "cell"]))
        new = build.add(pl.concat(made).drop("set"))
        is_wanted = pl.struct("population", "set").is_in(
            [{"population": p, "set": _written(meet)} for (meet, _), ps in wanted.items() for p in ps]
        )
        cells = cells.with_columns(pl.when(is_wanted).then(False).otherwise("is_partial").alias("is_partial"))
        cells = pl.concat([cells, _dimension_sets(new).select(cells.columns)])
    return cells


def _written(names: frozenset[str]) -> str:
    return "".join(d + " " for d in DIMENSIONS if d in names)


def _rests(build: Builder, cells: pl.DataFrame) -> pl.DataFrame:
    """Whole = part + rest, wherever both are; the rest is a population too. None or all of a small whole is hidden."""
    policy, found = build.policy, cells
    for part, (whole, rest) in policy.parts.items():
        where = ["period", *DIMENSIONS]
        both = found.filter(pl.col("population") == part).join(
            found.filter(pl.col("population") == whole).select(
                *where, pl.col("cell").alias("total"), pl.col("value").alias("of")
            ),
            on=where,
            how="inner",
            nulls_equal=True,
            maintain_order="left",
        )
        both = both.filter(pl.col("of") >= pl.col("value"))
        there = found.filter(pl.col("population") == rest).select(
            *where, pl.col("cell").alias("there"), pl.col("value").alias("left")
        )
        both = both.join(there, on=where, how="left", nulls_equal=True, maintain_order="left")
        missing = both.filter(pl.col("there").is_null())
        made = build.add(
            missing.with_columns(
                pl.lit(rest).alias("population"),
                (pl.col("of") - pl.col("value")).alias("value"),
                pl.lit(False).alias("is_open"),
                pl.lit(False).alias("exists"),
            ).select(*[c for c in cells.columns if c not in ("cell", "set")])
        )
        made = made.with_columns(missing["set"].alias("set")).select(cells.columns)
        tied = pl.concat(
            [
                both.filter(pl.col("there").is_not_null()).select(
                    "total", "of", "cell", "value", "there", "left", "is_money", "of_firms"
                ),
                missing.with_columns(made["cell"].alias("there"), made["value"].alias("left")).select(
                    "total", "of", "cell", "value", "there", "left", "is_money", "of_firms"
                ),
            ]
        )
        group = pl.lit(part).alias("group")
        common = [pl.col("total"), pl.col("of").alias("total_value"), group, "is_money", "of_firms"]
        build.equate(
            pl.concat(
                [
                    tied.select(*common, pl.col("cell").alias("part"), pl.col("value").alias("part_value")),
                    tied.select(*common, pl.col("there").alias("part"), pl.col("left").alias("part_value")),
                ]
            )
        )
        tied_small = tied.filter((pl.col("of") > 0) & (pl.col("of") < policy.uniform_minimum))
        build.uniform += [
            tied_small.filter(pl.col("value") == 0)["cell"],
            tied_small.filter(pl.col("left") == 0)["there"],
        ]
        found = pl.concat([found, made])
    return found


def _additions(build: Builder, cells: pl.DataFrame) -> None:
    """A cell is the total of the cells at its coordinates and one step more of them."""
    wanted: dict[tuple[frozenset[str], frozenset[str]], list[str]] = {}
    for population, sets in _sets(cells).items():
        for coarse in sets:
            for fine in sets:
                between = any(coarse < s < fine and whole for s, whole in sets.items())
                if coarse < fine and not between:
                    wanted.setdefault((coarse, fine), []).append(population)
    by_set = {names: of for (names,), of in cells.partition_by("set", as_dict=True).items()}
    for (coarse, fine), populations in sorted(
        wanted.items(), key=lambda w: (sorted(w[0][0]), sorted(w[0][1]))
    ):
        where = ["population", "period", *[d for d in DIMENSIONS if d in coarse]]
        total, part = (
            by_set[_written(names)].filter(pl.col("population").is_in(populations))
            for names in (coarse, fine)
        )
        total = total.select(
            *where,
            pl.col("cell").alias("total"),
            pl.col("value").alias("total_value"),
            "is_money",
            "of_firms",
        )
        part = part.select(*where, pl.col("cell").alias("part"), pl.col("value").alias("part_value"))
        members = total.join(part, on=where, how="inner", nulls_equal=True, maintain_order="left_right")
        build.equate(members.with_columns(pl.lit(_written(fine)).alias("group")))


def _points(build: Builder, cells: pl.DataFrame) -> None:
    """The same persons at two dates: the greater figure is the lesser one and what they differ by."""
    for earlier, later in build.policy.points.items():
        one, two = "@" + earlier, "@" + later
        where = ["name", "period", *DIMENSIONS]
        a = cells.filter(pl.col("population").str.ends_with(one)).with_columns(
            pl.col("population").str.strip_suffix(one).alias("name")
        )
        b = cells.filter(pl.col("population").str.ends_with(two)).with_columns(
            pl.col("population").str.strip_suffix(two).alias("name")
        )
        both = a.join(
            b.select(*where, pl.col("cell").alias("b"), pl.col("value").alias("vb")),
            on=where,
            how="inner",
            nulls_equal=True,
        )
        is_more = pl.col("vb") >= pl.col("value")
        build.equate(
            both.sort("cell").select(
                pl.when(is_more).then("b").otherwise("cell").alias("total"),
                pl.when(is_more).then("vb").otherwise("value").alias("total_value"),
                pl.when(is_more).then("cell").otherwise("b").alias("part"),
                pl.when(is_more).then("value").otherwise("vb").alias("part_value"),
                "is_money",
                "of_firms",
                pl.lit(f"{earlier}-{later}").alias("group"),
            )
        )


def _disciplines(build: Builder, cells: pl.DataFrame, disciplines: pl.DataFrame) -> None:
    """A population that is another one's in some disciplines is the sum of theirs; a cluster is, too."""
    for name, part in build.policy.disciplines.items():
        of = cells.filter((pl.col("population") == part.population) & ~pl.col("is_partial"))
        chosen = disciplines.filter("in_scope") if part.in_scope else disciplines
        wanted = [(name + OF_CLUSTER, chosen.drop_nulls("cluster"), ["cluster"])]
        if name != part.population:
            chosen = chosen.filter("is_matched") if part.is_matched else chosen
            wanted.append((name, chosen.unique("discipline", maintain_order=True), []))
        for population, those, by in wanted:
            figures = cells.filter(pl.col("population") == population)
            for (written,), rows in figures.group_by("set", maintain_order=True):
                shared = [d for d in written.split() if d not in by]
                parts = of.filter(pl.col("set") == _written(DISCIPLINE | set(shared)))
                members = (
                    rows.select(
                        "period", *shared, *by, "is_money", "of_firms",
                        pl.col("cell").alias("total"), pl.col("value").alias("total_value"),
                    )
                    .join(
                        parts.select(
                            "period", *shared, "discipline",
                            pl.col("cell").alias("part"), pl.col("value").alias("part_value"),
                        ),
                        on=["period", *shared], maintain_order="left_right",
                    )
                    .join(those.select("discipline", *by), on=["discipline", *by], how="semi")
                )  # fmt: skip
                build.equate(members.with_columns(pl.lit("disciplines").alias("group")))


def _identities(build: Builder, refs: pl.DataFrame, counted: Counted) -> None:
    """Sums of a table's own columns that are equal: both are the total of a cell that nobody publishes, or of one column."""
    for table, left, right in counted.sums:
        rows = {c: refs.filter((pl.col("table") == table) & (pl.col("column") == c)) for c in (*left, *right)}
        whole = None
        for column in left:
            one = rows[column].select("row", pl.col("cell"), pl.col("value").alias("v"))
            whole = one if whole is None else whole.join(one, on="row", how="inner", suffix=f"_{column}")
        assert whole is not None
        if len(left) == 1:
            total = whole.select("row", pl.col("cell").alias("total"), pl.col("v").alias("total_value"))
        else:
            values = [c for c in whole.columns if c.startswith("v")]
            whole = whole.sort("row").with_columns(pl.sum_horizontal(values).alias("value"))
            nothing = [pl.lit(None, dtype=pl.String).alias(d) for d in PLACE]
            flags = [pl.lit(False).alias(f) for f in ("is_open", "is_money", "of_firms")]
            made = build.add(
                whole.select(
                    *nothing, "value", *flags, pl.lit(False).alias("exists"), pl.lit(False).alias("is_partial"),
                )
            )  # fmt: skip
            total = whole.select("row", pl.col("value").alias("total_value")).with_columns(
                made["cell"].alias("total")
            )
        for side in (left, right):
            if side == left and len(left) == 1:
                continue
            parts = pl.concat(
                [
                    rows[c].select("row", pl.col("cell").alias("part"), pl.col("value").alias("part_value"))
                    for c in side
                ]
            )
            members = total.join(parts, on="row", how="inner", maintain_order="left")
            build.equate(
                members.with_columns(
                    pl.lit(False).alias("is_money"),
                    pl.lit(False).alias("of_firms"),
                    pl.lit(" ".join(side)).alias("group"),
                )
            )


def _uniform_ratios(build: Builder, refs: pl.DataFrame) -> None:
    """Of an indicator's row that is a part of a small whole: none or all of it is hidden as well."""
    rows = refs.filter((pl.col("table") == "indicator_value") & ~pl.col("is_money"))
    part = rows.filter(pl.col("column") == "numerator").select("row", "cell", "value")
    whole = rows.filter(pl.col("column") == "denominator").select("row", pl.col("value").alias("of"))
    both = part.join(whole, on="row").filter(
        (pl.col("of") > 0) & (pl.col("of") < build.policy.uniform_minimum)
    )
    build.uniform.append(both.filter((pl.col("value") == 0) | (pl.col("value") == pl.col("of")))["cell"])
