"""What stories share: the planter, the frames, what day 2 brings, other programmes than a record's own."""

import polars as pl

from yuyan_demo.simulator.identities import Change, Row
from yuyan_demo.simulator.planting import Planter

MASTER = pl.col("degree_level") == "2"


class Stories:
    """Stories about one part of the city; each public method is one.

    `later`: per entity the rows that day 2 brings because of them.
    """

    def __init__(self, p: Planter, frames: dict[str, pl.DataFrame], later: dict[str, list[Row]]) -> None:
        self.p, self.frames, self.later = p, frames, later
        self.programmes = Programmes(frames["programme"])


class Programmes:
    """Other programmes than a record's own."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._rows = frame.select(
            "programme_id", "degree_point_id", "src_inst_code", "duration_years"
        ).to_dicts()
        self._own = {r["programme_id"]: r for r in self._rows}

    def other(self, row: Row, abroad: bool = False) -> Row:
        """One of the same length and kind of degree at another degree point: of the institution, or of another one."""
        own = self._own[row["programme_id"]]
        return next(
            r
            for r in self._rows
            if (r["src_inst_code"] != row["src_inst_code"]) is abroad
            and r["degree_point_id"] != own["degree_point_id"]
            and r["duration_years"] == own["duration_years"]
            and r["degree_point_id"][6:9] == own["degree_point_id"][6:9]
        )


def alone(frame: pl.DataFrame) -> pl.Expr:
    """Records whose person has no other record of the entity."""
    return pl.col("cert_no").is_in(frame.filter(pl.col("cert_no").is_unique())["cert_no"].implode())


def same(row: Row, *names: str) -> Change:
    return {name: row[name] for name in names}
