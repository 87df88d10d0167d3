"""The vendor's names of the legacy product."""

from collections import Counter

from yuyan import settings
from yuyan.domain import contracts, yaml_file
from yuyan_demo.simulator.products import assignment, legacy


def test_every_university_entity_and_supplied_field_has_a_name():
    named = {entity: set(fields) for entity, fields in legacy.tables().values()}
    assert named == {
        c.entity: {f.name for f in c.supplied} for c in contracts.load().values() if c.owner == "university"
    }


def test_names_are_unique_within_a_table_and_regular():
    for table, (_, fields) in legacy.tables().items():
        names = [*fields.values(), "JLID", "GXSJ", legacy.PHONE]
        assert Counter(names).most_common(1)[0][1] == 1, table
        assert all(n.isascii() and n.isupper() and n.isalnum() for n in names), table


def test_the_line_believes_in_the_same_products():
    files = [yaml_file.read(p) for p in settings.INSTITUTIONS.glob("*.yml")]
    believed = {f["inst_code"]: f["product"] for f in files}
    assert believed == {inst: product for product, insts in assignment.ASSIGNMENT.items() for inst in insts}
