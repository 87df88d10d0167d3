"""Which records are behind a row of a fact, as read from the SQL of the star."""

import pytest

from yuyan.changes import facts, lineage
from yuyan.domain import contracts


def sources(manifest: dict, node: str) -> set[str]:
    """The entities that a model is made of, by dbt's own graph."""
    found = set()
    for parent in manifest["nodes"].get(node, {}).get("depends_on", {}).get("nodes", []):
        if parent.startswith("source.yuyan.accepted."):
            found.add(parent.rsplit(".", 1)[1].removesuffix("_versions"))
        elif parent.startswith("model."):
            found |= sources(manifest, parent)
    return found


FACTS = [*facts.counted(), facts.bridge()]


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
def test_the_entities_behind_a_fact_are_those_of_dbts_graph(manifest, fact):
    assert set(lineage.entities(fact.name)) == sources(manifest, f"model.yuyan.{fact.name}") != set()


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
def test_every_entity_is_linked_by_columns_that_both_have(fact):
    links = lineage.links(fact.name)
    assert {link.entity for link in links} == set(lineage.entities(fact.name))
    for link in links:
        assert link.entity != link.through
        whose = contracts.load()[link.through or link.entity]
        names = {"src_inst_code", *(f.name for f in whose.columns)}
        assert {own for own, _ in link.columns} <= set(fact.columns)
        assert {to for _, to in link.columns} <= names


def test_a_row_belongs_to_its_own_record_first_and_to_others_by_key_reference_or_through_another():
    links = lineage.links("fct_practice_year")
    by_entity = {link.entity: link for link in links}
    assert by_entity["student"].columns == (("student_id", "student_id"),)
    assert by_entity["practice_project"].through == "practice_participation"
    assert by_entity["practice_project"].reference == (("project_id", "project_id"),)
    assert lineage.links("fct_employment")[0] == lineage.Link(
        "employment", (("student_id", "student_id"), ("status_on", "status_on"))
    )
    assert lineage.links("fct_commissioned_project")[1].columns == (("pi_supervisor_id", "supervisor_id"),)
    assert not {link.entity: link for link in lineage.links("fct_cluster_overlap")}["degree_award"].is_certain
