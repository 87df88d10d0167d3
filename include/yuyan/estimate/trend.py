"""Targets without a number ("keeps rising": H06, H15): is it falling, or is the fall within chance?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]

YEARS = 3
TOLERANCE = 0.002
"""A slope is not falling while its lower bound is above minus 0.2 percentage points a year [param]."""

CERTAIN = 0.975
"""A fall is RED from this probability on [param]."""


@dataclass(frozen=True)
class Trend:
    """Last year against the year before, and the slope of the last three years; arrays of shape (series,)."""

    change: Floats
    probability_decline: Floats
    """P(true change < 0)."""
    slope: Floats
    slope_lower: Floats
    """One-sided 90 % lower bound of the slope."""
    status: NDArray[np.str_]
    """GREEN, AMBER, RED; GREY where there is no value now or none the year before (N/A-BASELINE)."""


def rate_error(x: ArrayLike, n: ArrayLike) -> Floats:
    """Standard error of a rate, sd of the Jeffreys posterior Beta(x + 1/2, n - x + 1/2): not 0 where all were content.

    For weighted surveys give the effective size (sum w)^2 / sum w^2 as n and rate * n as x. NaN where n is 0. Answers of one
    course resemble each other, which this leaves out: multiply by the square root of the design effect where it is known.
    """
    x, n = np.asarray(x, dtype=float), np.asarray(n, dtype=float)
    return np.where(n > 0, stats.beta.std(x + 0.5, n - x + 0.5), np.nan)


def probability_decline(
    before: ArrayLike, now: ArrayLike, error_before: ArrayLike, error_now: ArrayLike
) -> Floats:
    """P(true change < 0) = Phi((before - now) / sqrt(e0^2 + e1^2)): the normal posterior of a difference of two means.

    Agresti (2013), Categorical Data Analysis (Wald form for a difference of proportions).
    """
    spread = np.hypot(np.asarray(error_before, dtype=float), np.asarray(error_now, dtype=float))
    return stats.norm.cdf((np.asarray(before, dtype=float) - np.asarray(now, dtype=float)) / spread)


def falling(values: ArrayLike, errors: ArrayLike) -> Floats:
    """P(true slope < 0) of series that fell in every year; 0 where one year did not, NaN where a year has no value.

    Shapes and the slope as in `trend`, over all years given; Phi(-slope * sqrt(S_xx)).
    """
    y, e = np.atleast_2d(np.asarray(values, dtype=float)), np.atleast_2d(np.asarray(errors, dtype=float))
    known = (~np.isnan(y) & (e > 0)).all(axis=1)
    weight = np.where(known[:, None], 1 / np.where(known[:, None], e, 1) ** 2, 1)
    t = np.arange(y.shape[1], dtype=float)
    from_mean = t - (weight @ t / weight.sum(axis=1))[:, None]
    sxx = (weight * from_mean**2).sum(axis=1)
    below = stats.norm.cdf(-(weight * from_mean * np.where(known[:, None], y, 0)).sum(axis=1) / np.sqrt(sxx))
    return np.where(known, np.where((np.diff(y, axis=1) < 0).all(axis=1), below, 0.0), np.nan)


def trend(
    values: ArrayLike,
    errors: ArrayLike,
    level: float = 0.90,
    tolerance: float = TOLERANCE,
    certain: float = CERTAIN,
) -> Trend:
    """Judge series of consecutive years, last axis = years, oldest first, NaN = no value; errors are standard errors.

    The slope is weighted least squares over the last three years with known variances (weights 1 / e^2, standard error
    1 / sqrt(S_xx)): Draper and Smith (1998), Applied Regression Analysis. Three points leave one degree of freedom, so
    sampling errors and not residuals say how sure the slope is; two values give the slope between them.
    GREEN: change >= 0 and the slope's lower bound above -tolerance. RED: change < 0 with P(decline) >= `certain`. Else
    AMBER.
    """
    y = np.atleast_2d(np.asarray(values, dtype=float))[:, -YEARS:]
    e = np.atleast_2d(np.asarray(errors, dtype=float))[:, -YEARS:]
    if y.shape[1] < 2:
        raise ValueError(
            "a trend needs the year before; give at least two years, NaN where there is no value"
        )
    used = ~np.isnan(y) & (e > 0)
    weight = np.where(used, 1 / np.where(used, e, 1) ** 2, 0)
    t = np.arange(y.shape[1], dtype=float)
    total = weight.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        from_mean = t - (weight @ t / total)[:, None]
        sxx = (weight * from_mean**2).sum(axis=1)
        sxx = np.where(used.sum(axis=1) >= 2, sxx, np.nan)
        slope = (weight * from_mean * np.where(used, y, 0)).sum(axis=1) / sxx
        lower = slope - stats.norm.ppf(level) / np.sqrt(sxx)
    change = np.where(used[:, -1] & used[:, -2], y[:, -1] - y[:, -2], np.nan)
    decline = np.where(np.isnan(change), np.nan, probability_decline(y[:, -2], y[:, -1], e[:, -2], e[:, -1]))
    status = np.select(
        [np.isnan(change), (change >= 0) & (lower > -tolerance), (change < 0) & (decline >= certain)],
        ["GREY", "GREEN", "RED"],
        "AMBER",
    )
    return Trend(change, decline, slope, lower, status)
