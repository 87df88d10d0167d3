#!/usr/bin/env bash
# statsmodels 0.15.0: proportion_confint(0, n, method="jeffreys") has a lower end above 0, and for n of n an upper end below 1, so
# that no event in n is reported as evidence against a rate of 0. The literature on this interval (Brown, Cai and DasGupta 2001,
# Interval Estimation for a Binomial Proportion) sets the ends to 0 and 1 there; the module's other methods include them.
# Seen: jeffreys 0/10 [4.8e-05, 0.217], 10/10 [0.783, 0.99995]; wilson and beta include 0 and 1. Fails when jeffreys does, too.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check statsmodels==0.15.0 scipy==1.17.1
venv/bin/python - <<'P'
from statsmodels.stats.proportion import proportion_confint

ends = {m: (proportion_confint(0, 10, method=m), proportion_confint(10, 10, method=m)) for m in ("jeffreys", "wilson", "beta")}
for method, (none, all_) in ends.items():
    print(f"{method}: 0/10 [{none[0]:.2g}, {none[1]:.3f}], 10/10 [{all_[0]:.3f}, {all_[1]:.7g}]")
assert ends["jeffreys"][0][0] > 1e-6 and ends["jeffreys"][1][1] < 1 - 1e-6
assert all(abs(ends[m][0][0]) < 1e-12 and abs(ends[m][1][1] - 1) < 1e-12 for m in ("wilson", "beta"))
P
