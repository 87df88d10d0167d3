"""The first days of a tiny city, which most tests of this folder look at."""

import copy

from yuyan_demo.simulator import population

SMALL, SEED = 0.004, 20261015


def days() -> list[population.Population]:
    """Three days, each with a ledger of its own."""
    made = [population.build(SEED, SMALL, 1)]
    while len(made) < 3:
        made.append(population.following(copy.deepcopy(made[-1])))
    return made
