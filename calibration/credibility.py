"""False alarms of the checks of credibility: sound units by the laws that the checks assume, at the sizes that occur."""

import numpy as np

from calibration.tables import Table
from yuyan.assess import checks

UNITS = 33


def alarms(seed: int, simulations: int) -> Table:
    """Share of sound units that each kind of check alarms for."""
    table = Table(
        "Checks of credibility: sound units with an alarm",
        ["check", "size of a unit", "false alarms", "detection"],
        {"false alarms": lambda figure: figure <= 0.01},
        note="33 units a city, eight years. Detection: a rate 15 points off, a count halved, 20 points of shares moved, "
        "half the values on one digit. An alarm is a question to be explained and never a status.",
    )
    for n in (30, 200, 2000):
        rng = np.random.default_rng([seed, n])
        found: dict[str, list[list[float]]] = {}
        for _ in range(max(simulations // 10, 20)):
            for name, sound, broken in _city(rng, n):
                found.setdefault(name, []).append([sound, broken])
        for name, shares in found.items():
            table.rows.append([name, n, *(float(v) for v in np.mean(shares, axis=0))])
    table.rows.sort(key=lambda row: str(row[0]))
    return table


def _city(rng: np.random.Generator, n: int) -> list[tuple[str, float, float]]:
    """Check, share of sound units with an alarm, share of the units broken on purpose; sizes vary around n."""
    size = np.maximum(rng.lognormal(np.log(n), 0.4, (UNITS, 1)).astype(int), 10) * np.ones((1, 8), dtype=int)
    centre = np.clip(rng.normal(0.4, 0.05, (UNITS, 1)), 0.05, 0.95)
    hits = rng.binomial(size, centre)
    off = hits.copy()
    off[:, -1] = rng.binomial(size[:, -1], np.clip(centre[:, 0] - 0.15, 0.01, 1))
    rate = [
        _share(checks.yearly_change(x / size, size, relative=False, noise="binomial", floor=0.1, least=0))
        for x in (hits, off)
    ]
    counts = rng.poisson(size)
    half = counts.copy()
    half[:, -1] = rng.poisson(size[:, -1] / 2)
    count = [
        _share(checks.yearly_change(x, None, relative=True, noise="poisson", floor=0.2, least=10))
        for x in (counts, half)
    ]
    funnel = []
    for is_off in (False, True):
        x = rng.binomial(size[:, -1], 0.4)
        if is_off:
            x[0] = rng.binomial(size[0, -1], 0.25)
        alarm = checks.peer_funnel(x, size[:, -1], kind="binomial", floor=0.05, minimum_n=10).is_alarm
        funnel.append(float(alarm[0]) if is_off else float(alarm.mean()))
    shares = [0.5, 0.3, 0.15, 0.05]
    one, two = (rng.multinomial(size[:, 0], shares) for _ in range(2))
    moved = rng.multinomial(size[:, 0], [0.3, 0.3, 0.15, 0.25])
    shift = [_share(checks.share_shift(one, other, floor=0.1, minimum_n=30)) for other in (two, moved)]
    heap = [
        _share(checks.heaping(rng.binomial(size[:, 0], p), size[:, 0], expected=0.2, floor=0.1, minimum_n=30))
        for p in (0.2, 0.5)
    ]
    named = {"yearly change of a rate": rate, "yearly change of a count": count, "peers (funnel)": funnel,
             "shift of shares": shift, "heaping": heap}  # fmt: skip
    return [(name, *pair) for name, pair in named.items()]


def _share(found: checks.Checked) -> float:
    return float(np.mean(found.is_alarm))
