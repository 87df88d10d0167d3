"""The deliverer's kit: builds and checks a delivery at the university. Python's standard library and `facts.json` only.

`yuyan deliver kit 10655` packs it, with the facts of the institution, into one file that Python runs (suppliers/pack.py).
"""
