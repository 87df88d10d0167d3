"""The conformance test of the platforms' API: what a vendor runs. Python's standard library and the API's document only.

`yuyan conformance run` runs it; `yuyan conformance export` packs it into one file that any Python runs (suppliers/pack.py).
"""
