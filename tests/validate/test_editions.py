"""Codes and institutions hold on the day of the fact: former catalogues, merged institutions."""

from datetime import date

import pytest
from small_world import SOUND, STUDENT

from yuyan.domain import editions

pytestmark = pytest.mark.database


def test_a_degree_carries_a_code_of_the_catalogue_in_force_when_it_was_awarded(raw):
    """Awarded in 2019 in 0852 or 1305, which the catalogue of 2022 does not have: accepted; on other days refused."""
    raw.put_sound(e for e in SOUND if e not in ("degree_award", "thesis_sampling", "thesis_sampling_review"))
    given = {
        "present": ("2019-06-28", "0812", True),
        "engineering": ("2019-06-28", "0852", True),
        "design": ("2019-06-28", "1305", True),
        "design-too-early": ("2009-06-28", "1305", False),
        "arts-of-1997": ("2009-06-28", "0504", True),
        "arts-of-1997-too-late": ("2024-06-28", "0504", False),
        "no-code-of-any-catalogue": ("2019-06-28", "0899", False),
    }
    raw.put(
        *(
            raw.version("degree_award", name, award_id=name, awarded_on=day, discipline_code=code)
            for name, (day, code, _) in given.items()
        )
    )
    raw.judge("r1", ["degree_award"])
    rule = "QR.degree_award.discipline_code.4"
    refused = {record for (_, record), rules in raw.failures().items() if rule in rules}
    assert refused == {name for name, (*_, is_lawful) in given.items() if not is_lawful}


def test_a_degree_point_carries_a_code_that_was_in_force_at_some_time_since_it_was_authorised(raw):
    raw.put_sound(("institution", "org_unit"))
    given = {
        "0852": ("2", "1998-06-18", True),
        "1305": ("1", "1998-06-18", True),  # the code is of 2011; points were renumbered then
        "0834": ("1", "2012-01-01", True),
        "1351": ("2", "2025-01-01", False),  # nothing is authorised under it any more
        "0899": ("1", "1998-06-18", False),
    }
    raw.put(
        *(
            raw.version(
                "degree_point",
                code,
                degree_point_id=f"10611-2-{kind}-{code}",
                degree_type=kind,
                discipline_code=code,
                authorised_on=day,
            )
            for code, (kind, day, _) in given.items()
        )
    )
    raw.judge("r1", ["institution", "org_unit", "degree_point"])
    assert raw.accepted("degree_point") == sorted(c for c, (*_, is_lawful) in given.items() if is_lawful)


def test_students_of_a_merged_institution_keep_their_numbers(raw, monkeypatch):
    """19999 carries 10611 on: it reports the students of 10611 under their numbers, and no other institution's."""
    raw.put(*raw.institutions("10611", "10635", "19999"))
    raw.put(
        raw.version("org_unit", "o1", source="19999", inst_code="19999"),
        raw.version(
            "degree_point", "d1", source="19999", inst_code="19999", degree_point_id="19999-2-1-0802"
        ),
        raw.version("programme", "p1", source="19999", degree_point_id="19999-2-1-0802"),
        *(
            raw.version(
                "student",
                number,
                source="19999",
                inst_code="19999",
                degree_point_id="19999-2-1-0802",
                student_id=number,
                cert_no=number,
                entry_on="2023-09-01" if number == "10611X2" else "2021-09-01",
            )
            for number in ("10611X1", "10611X2", "19999X1", "10635X1")
        ),
        raw.version("student_status_event", "e1", source="19999", student_id="10611X1"),
    )
    monkeypatch.setattr(editions, "successors", lambda: {"10611": "19999"})
    monkeypatch.setattr(editions, "succeeded_on", lambda: {"10611": date(2022, 12, 31)})
    raw.judge("r1", (*STUDENT, "student_status_event"))
    for refused in ("10635X1", "10611X2"):  # another institution's, and one who entered after the merger
        assert "QR.student.student_id.39" in raw.failures()["student", refused]
    assert raw.accepted("student", "student_id") == ["10611X1", "19999X1"]
    assert ("student_status_event", "e1") not in raw.failures()
