"""What one worker runs at a stretch, and which of it comes first."""

ONE_CITY = (
    "indicators",
    "marts",
    "allocate",
    "pages/test_allocation_looked_at",
    "pages/test_degree_points_looked_at",
)
"""What reads the built city: one worker builds it once."""

SHARED = ("end_to_end", "dbt", "pages")
"""Rooms whose tests share what takes long to make: each goes to one worker."""

ON_ITS_OWN = ("end_to_end/test_problems_through",)
"""Files of such a room that use nothing of it."""

LONGEST = (
    "end_to_end",
    "city",
    "runtime/test_runtime_production",
    "pages",
    "validate/test_judging",
    "quality/test_overrides_in_validation",
    "dbt",
    "simulator/test_truth",
    "end_to_end/test_problems_through",
)
"""Units from the longest on (docs/performance.md): workers begin with them and fill up with the rest, so that both end
together."""


def unit(nodeid: str) -> str:
    """What one worker runs: `marts/test_x` of `tests/marts/test_x.py::test_y`, the room `marts`, or several rooms."""
    file = nodeid.split("::")[0].removeprefix("tests/").removesuffix(".py")
    room = file.split("/")[0]
    if file in ONE_CITY or room in ONE_CITY:
        return "city"
    return room if room in SHARED and file not in ON_ITS_OWN else file
