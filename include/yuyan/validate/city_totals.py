"""The totals of a city with which a single record is compared (`SingleRow` in yuyan.domain.single_row)."""

import psycopg

from yuyan.domain import contracts
from yuyan.domain.catalogue import Catalogue
from yuyan.validate import statements


def fill(connection: psycopg.Connection, catalogue: Catalogue, entity: str) -> None:
    """Compute the totals of the entity's rules anew, from all newest versions; one pass per rule."""
    contract = contracts.load()[entity]
    for rule in catalogue.rules[entity]:
        if one := rule.single_row:
            connection.execute("delete from judging.city_total where rule_id = %s", [rule.rule_id])
            statements.run(
                connection,
                "city_totals",
                {"rule": rule.rule_id, "share": one.share, "least": one.least},
                entity=entity,
                size=one.of,
                year=one.year(contract),
            )
