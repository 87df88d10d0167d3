"""How often published intervals hold the truth, and alarms cry wolf, at the sizes that occur; not part of the tests.

`python -m calibration --seed 2026` prints the tables and the verdict of the budget; `--write` puts the tables into
docs/statistics.md. Every figure is a simulation with known truth or, where counts are few, the exact sum over them.
"""
