"""Four institutions and three indicators: the example that docs/allocation.md computes by hand."""

from decimal import Decimal

import numpy as np

from yuyan.allocate.formula import Formula
from yuyan.allocate.scores import Indicators

VALUES = np.array([[0.98, 0.30, 2], [0.95, 0.50, 5], [1.00, 0.40, 8], [0.92, 0.60, 0]])
FORMULA = Formula(
    indicators=Indicators(
        codes=("pass rate", "retention", "complaints"),
        weights=np.array([0.5, 0.3, 0.2]),
        worst=np.array([0.90, 0.20, 10]),
        best=np.array([1.00, 0.60, 0]),
        normalisation=("goalpost",) * 3,
    ),
    aggregation="arithmetic",
    size=np.array([100.0, 200, 300, 400]),
    last=np.array([1_000_000.0, 2_000_000, 2_800_000, 4_100_000]),
    budget=10_000_000,
    base_share=0.6,
    alpha=1.0,
    beta=1.0,
    spread=10.0,
    floor=Decimal("0.03"),
    cap=Decimal("0.06"),
    protection=0.66,
)
SCORES = [63.5, 57.5, 69.0, 60.0]
UNCLAMPED = [995_407.94, 1_634_008.96, 3_856_026.03, 3_514_557.07]
CLAMPED = [1_060_000, 1_940_000, 2_968_000, 4_032_000]
RECEIVED = [0, 39_600, 0, 44_880]
PAID = [22_231.58, 0, 62_248.42, 0]
FINAL = [1_037_768, 1_979_600, 2_905_752, 4_076_880]
