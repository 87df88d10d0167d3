"""`python -m calibration [--seed N] [--simulations N] [--write]`; ends with 1 when a figure is outside its budget."""

import argparse
import sys
from pathlib import Path

from calibration import credibility, intervals, points, rules, warnings
from calibration.tables import Table

PAGE = Path(__file__).parents[1] / "docs" / "statistics.md"
BEGIN, END = "<!-- calibration: begin -->", "<!-- calibration: end -->"


def tables(seed: int, simulations: int) -> list[Table]:
    """Every table, in the order of the page."""
    return [
        intervals.counted(),
        intervals.sampled(seed, simulations),
        intervals.runs(seed, simulations * 5),
        rules.pooled(seed, simulations),
        points.table(seed, max(simulations // 5, 20)),
        warnings.statistical(seed, max(simulations // 10, 10)),
        warnings.risk(seed, max(simulations // 50, 5)),
        warnings.gaps(seed, simulations),
        rules.benchmark(seed, simulations),
        rules.levels(),
        intervals.courses(seed, simulations),
        intervals.employers(seed, simulations),
        intervals.projections(seed, simulations * 5),
        intervals.quality(seed, simulations),
        credibility.alarms(seed, simulations),
    ]


def main() -> int:
    """Print the tables and every breach of a budget; with --write into the page."""
    parser = argparse.ArgumentParser(prog="python -m calibration", description=__doc__)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/statistics.md")
    given = parser.parse_args()
    found = tables(given.seed, given.simulations)
    command = f"python -m calibration --seed {given.seed} --simulations {given.simulations}"
    text = "\n\n".join([f"Made by `{command}`.", *(t.markdown() for t in found)])
    print(text)
    if given.write:
        page = PAGE.read_text(encoding="utf-8")
        head, rest = page.split(BEGIN)
        PAGE.write_text(f"{head}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}", encoding="utf-8")
    breaches = [line for t in found for line in t.breaches()]
    for line in breaches:
        print(f"outside the budget: {line}", file=sys.stderr)
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
