"""Intervals, shrinkage, warnings, paths, projections, trend tests: pure functions of arrays, and the stage applying them."""
