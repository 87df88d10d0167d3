#!/usr/bin/env bash
# statsmodels 0.15.0: multipletests with Benjamini-Hochberg or -Yekutieli and one unit that could not be tested (p is NaN) returns NaN as
# the q-value of every unit, and still rejects some of them: a table of q-values beside verdicts loses all the one and keeps the other.
# Holm and Bonferroni keep the others (counting the unknown one as a test). Leave units without a test out before correcting.
# Seen: fdr_bh q = nan nan nan nan, rejected True False False False; bonferroni 0.004 nan 0.16 1. Fails when the q-values of the others are there.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check statsmodels==0.15.0 numpy==2.4.6 scipy==1.17.1
venv/bin/python - <<'P'
import numpy as np
from statsmodels.stats.multitest import multipletests

p = [0.001, np.nan, 0.04, 0.8]
for method in ("fdr_bh", "fdr_by", "bonferroni"):
    rejected, q = multipletests(p, method=method)[:2]
    print(method, "q", q, "rejected", rejected)
    if method.startswith("fdr"):
        assert np.isnan(q).all()
        assert rejected.any()
    else:
        assert np.allclose(q, [0.004, np.nan, 0.16, 1.0], equal_nan=True)
P
