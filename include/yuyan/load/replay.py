"""Load landed batches once more, as a corrected mapping would have it."""

import hashlib
from collections.abc import Sequence
from datetime import date
from typing import Any

import psycopg

from yuyan import settings
from yuyan.collect import landing, mapping
from yuyan.collect.source import SourceError
from yuyan.domain import contracts, institutions
from yuyan.load import loader, versions


def remap(inst_code: str, run_id: str, as_of: date, entities: Sequence[str] | None = None) -> dict[str, Any]:
    """Load those landed batches of an institution again that would be mapped differently now, in their order.

    Each becomes a batch of its own, which notes the mapping it was loaded with: a second call does nothing, and a mapping
    that is taken back is loaded once more. Returns {inst_code, batches, rows_received, rows_stored}.
    A batch that is damaged or no longer in landing stops its entity alone, unless a full listing came after it, which has
    all of its records that live. Raises SourceError naming such batches when the others are loaded, KeyError for an unknown
    institution.

    >>> remap("10611", "replay-1", date(2026, 10, 16), entities=["student"])["batches"]
    1
    """
    institution = institutions.load()[inst_code]
    totals = {"inst_code": inst_code, "batches": 0, "rows_received": 0, "rows_stored": 0}
    with psycopg.connect(settings.warehouse_dsn("collect"), autocommit=True) as connection:
        landed = connection.execute(
            "select entity, landing_uri, (array_agg(mapping_version order by loaded_at desc))[1], count(*), "
            f"{versions.HELD} < (select max(f.loaded_at) from ops.batch f where f.mode = 'full' "
            "and f.src_inst_code = b.src_inst_code and f.entity = b.entity and f.landing_uri <> b.landing_uri) "
            "from ops.batch b "
            "where src_inst_code = %s and (%s::text[] is null or entity = any(%s)) "
            f"group by src_inst_code, entity, landing_uri order by {versions.HELD}, landing_uri",
            [inst_code, entities and list(entities), entities and list(entities)],
        ).fetchall()
        stopped: dict[str, str] = {}
        for entity, uri, loaded_with, times, is_listed_since in landed:
            contract = contracts.load()[entity]
            entity_map = institution.mapping(contract)
            version = mapping.version(entity_map)
            if loaded_with == version or entity in stopped:
                continue
            try:
                batch = landing.find(uri)
                correction = hashlib.sha256(f"{batch.batch_id}/{version}/{times}".encode()).hexdigest()[:20]
                loaded = loader.load(
                    connection, batch, contract, entity_map, run_id, as_of, correction=correction
                )
            except (FileNotFoundError, landing.DamagedBatch) as error:
                gone = f"落地批次 {uri} 已不存在，请全量重采该实体（yuyan replay recollect）。/ no longer in landing"
                if not is_listed_since:
                    what = gone if isinstance(error, FileNotFoundError) else error
                    stopped[entity] = f"{inst_code} {entity}：{what}"
                continue
            if not loaded.again:
                totals["batches"] += 1
                totals["rows_received"] += loaded.received
                totals["rows_stored"] += loaded.stored
    if stopped:
        raise SourceError("\n".join(stopped.values()))
    return totals
