"""Records that need no program of their own: made from an entity's sample as its `simulate:` says."""

import zlib

import numpy as np
import polars as pl

from yuyan.domain import contracts
from yuyan.domain.contracts import Contract, Field, Reference
from yuyan_demo.simulator.columns import stream
from yuyan_demo.simulator.planting import records_where
from yuyan_demo.simulator.products.assignment import ASSIGNMENT, COMMISSION

Frames = dict[str, pl.DataFrame]


def frames(seed: int, made: Frames) -> Frames:
    """src_inst_code and the supplied fields of every entity that has no program and says `simulate:`.

    `made`: the entities that are there already. An entity's parents come before it, made or from samples.
    """
    found: Frames = {}
    for entity, contract in contracts.load().items():
        if entity not in made and contract.simulate:
            found[entity] = _records(contract, made | found, _stream(seed, entity))
    return found


def with_new_fields(seed: int, entity: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame of a program that does not know all fields: the others get the sample's value, or those of `simulate:`."""
    contract = contracts.load()[entity]
    new = [f for f in contract.supplied if f.name not in frame.columns]
    rng = _stream(seed, entity)
    return frame.with_columns(_column(contract, f, len(frame), rng) for f in new)


def _stream(seed: int, entity: str) -> np.random.Generator:
    return stream(seed, 70, zlib.crc32(entity.encode()))


def _records(contract: Contract, made: Frames, rng: np.random.Generator) -> pl.DataFrame:
    """`rows` records of every source, each under parents of its own source (or the commission's)."""
    universities = [i for insts in ASSIGNMENT.values() for i in insts if i != COMMISSION]
    sources = [COMMISSION] if contract.owner == "commission" else universities
    parts = [_of_source(contract, source, made, rng) for source in sources]
    return pl.concat(parts)


def _of_source(contract: Contract, source: str, made: Frames, rng: np.random.Generator) -> pl.DataFrame:
    rows = contract.simulate.rows
    columns = {f.name: _column(contract, f, rows, rng) for f in contract.supplied}
    frame = pl.DataFrame({"src_inst_code": [source] * rows}).with_columns(**columns)
    if "inst_code" in columns:
        frame = frame.with_columns(pl.lit(source).alias("inst_code"))
    number = pl.int_range(pl.len()).cast(pl.String)
    for f in contract.supplied:
        if f.privacy == "pseudonymise":
            frame = frame.with_columns(
                pl.format("{}-{}-{}", pl.lit(contract.entity), "src_inst_code", number).alias(f.name)
            )
    referring = {name for ref in contract.references for name in ref.fields}
    own = [name for name in contract.key if name not in referring and contract[name].type == "string"]
    if own:
        frame = frame.with_columns(pl.format("{}-{}", "src_inst_code", number).alias(own[0]))
    for ref in contract.references:
        frame = _under_parents(contract, ref, frame, made)
    return frame


def _under_parents(contract: Contract, ref: Reference, frame: pl.DataFrame, made: Frames) -> pl.DataFrame:
    """Each record refers to the next parent of its source for which `of` holds, those of the commission included.

    Where there are fewer parents than records, the records beyond them are left out, so that each has its own.
    """
    if ref.fields == ("inst_code",):
        return frame
    parents = made[ref.entity].sort("src_inst_code", *ref.to_fields)
    where = records_where(made, ref.entity, contract.simulate.of.get(ref.entity), key=ref.to_fields)
    parents = parents if where is None else parents.filter(where)
    source = frame["src_inst_code"][0] if len(frame) else ""
    parents = parents.filter(pl.col("src_inst_code").is_in([source, COMMISSION])).head(len(frame))
    values = parents.select(
        pl.col(to).alias(name) for name, to in zip(ref.fields, ref.to_fields, strict=True)
    )
    return frame.head(len(values)).with_columns(values.get_columns())


def _column(contract: Contract, f: Field, rows: int, rng: np.random.Generator) -> pl.Series:
    shares = contract.simulate.values.get(f.name) if contract.simulate else None
    if not shares:
        return pl.Series(f.name, [contract.sample.get(f.name)] * rows, pl.String)
    total = sum(shares.values())
    drawn = rng.choice(len(shares), rows, p=[share / total for share in shares.values()])
    return pl.Series(f.name, [list(shares)[i] for i in drawn], pl.String)
