"""What a record broken for a structural rule must look like, and which business rules it breaks besides.

By rule id, or by `QR.<entity>` for all structural rules of an entity. `~` marks a warning. A business rule that looks at a
field without asking whether it is sound belongs here, with the field's structural rules: the truth test names those missing.
"""

import polars as pl

from yuyan.simulator.defects_catalogue import GRANTS_BACHELOR
from yuyan.simulator.defects_values import CHANGED, STUDYING

WHERE: dict[str, pl.Expr] = {
    "QR.admission": pl.col("degree_level") == "2",
    "QR.commissioned_project": (pl.col("client_kind") == "10")
    & (pl.col("fund_source_code") == "10")
    & pl.col("pi_supervisor_id").is_not_null()
    & pl.col("cluster_code").is_not_null(),
    "QR.course": pl.col("is_core") == "true",
    "QR.course_revision": CHANGED,
    "QR.degree_point": GRANTS_BACHELOR,
    "QR.employer_survey": pl.col("degree_point_id").is_not_null(),
    "QR.employment": (pl.col("destination_code") == "10") & ~pl.col("region_code").str.starts_with("50"),
    "QR.employment.cluster_code.4": (pl.col("destination_code") == "10")
    & pl.col("cluster_code").is_not_null(),
    "QR.honour": pl.col("holder_kind") == "S",
    "QR.list_item": pl.col("due_on").is_not_null(),
    "QR.list_milestone": pl.col("done_on").is_not_null(),
    "QR.practice_project": pl.col("cluster_code").is_not_null() & pl.col("enterprise_uscc").is_not_null(),
    "QR.student": STUDYING,
    "QR.student_supervisor.to_on.2": (pl.col("role_code") == "20") & pl.col("to_on").is_not_null(),
    "QR.student_supervisor": pl.col("role_code") == "20",
    "QR.thesis_sampling": pl.col("authority_code") != "3",
    "QR.thesis_sampling_review": (pl.col("opinion_code") == "2") & (pl.col("round_no") == "1"),
}

ALSO: dict[str, tuple[str, ...]] = {
    "QR.achievement.lead_inst_code.3": ("~lead_inst_code.16",),
    "QR.achievement.lead_inst_code.5": ("~lead_inst_code.16",),
    "QR.admission.degree_level.4": (
        "degree_level.12",
        "admission_mode.16",
    ),
    "QR.admission.degree_point_id.3": (
        "degree_level.12",
        "programme_id.15",
        "~degree_point_id.21",
    ),
    "QR.admission.degree_point_id.5": (
        "degree_level.12",
        "programme_id.15",
        "~degree_point_id.21",
    ),
    "QR.admission.degree_type.4": ("degree_level.12",),
    "QR.admission.study_mode.4": ("~degree_point_id.21",),
    "QR.cluster_reference.edition.3": ("edition.11",),
    "QR.commissioned_project.client_country_code.3": ("client_country_code.18",),
    "QR.commissioned_project.client_kind.4": (
        "~client_kind.19",
        "~fund_source_code.17",
    ),
    "QR.commissioned_project.cluster_code.4": ("~cluster_code.23",),
    "QR.commissioned_project.inst_code.3": ("~pi_supervisor_id.20",),
    "QR.commissioned_project.inst_code.7": ("~pi_supervisor_id.20",),
    "QR.course.core_from.2": ("core_from.12",),
    "QR.course_offering.course_id.3": ("revision_id.15",),
    "QR.course_offering.course_id.5": ("revision_id.15",),
    "QR.course_revision.changed_content_ratio.2": ("changed_content_ratio.11",),
    "QR.degree_award.basis_code.4": ("basis_code.19",),
    "QR.degree_award.degree_code.4": ("degree_code.14",),
    "QR.degree_award.degree_level.1": ("degree_code.14",),
    "QR.degree_award.degree_level.4": (
        "degree_code.14",
        "degree_point_id.12",
    ),
    "QR.degree_award.degree_point_id.3": (
        "degree_point_id.12",
        "degree_point_id.18",
    ),
    "QR.degree_award.degree_point_id.5": (
        "degree_point_id.12",
        "degree_point_id.18",
    ),
    "QR.degree_award.degree_type.4": ("degree_point_id.12",),
    "QR.degree_award.discipline_code.4": ("degree_point_id.12",),
    "QR.degree_award.key.6": (
        "student_id.15",
        "thesis_id.20",
    ),
    "QR.degree_award.student_id.3": ("thesis_id.13",),
    "QR.degree_award.student_id.5": ("thesis_id.13",),
    "QR.degree_point.degree_level.4": ("degree_point_id.11",),
    "QR.degree_point.degree_point_id.3": ("degree_point_id.11",),
    "QR.degree_point.degree_type.4": (
        "degree_point_id.11",
        "discipline_code.14",
    ),
    "QR.degree_point.discipline_code.4": (
        "degree_point_id.11",
        "discipline_code.17",
    ),
    "QR.degree_point.inst_code.3": ("degree_point_id.11",),
    "QR.degree_point.inst_code.5": ("degree_point_id.11",),
    "QR.degree_point.inst_code.7": ("degree_point_id.11",),
    "QR.degree_point.joint_partner_uscc.3": (
        "joint_partner_uscc.20",
        "~joint_partner_uscc.21",
    ),
    "QR.degree_point_event.urgent_list_id.3": ("~urgent_list_id.17",),
    "QR.degree_point_event.urgent_list_id.5": ("~urgent_list_id.17",),
    "QR.discipline_cluster_map.discipline_code.4": ("programme_code.13",),
    "QR.discipline_cluster_map.programme_code.3": ("programme_code.13",),
    "QR.employer_survey.degree_point_id.3": ("degree_point_id.15",),
    "QR.employer_survey.degree_point_id.5": ("degree_point_id.15",),
    "QR.employer_survey.inst_code.3": ("degree_point_id.15",),
    "QR.employer_survey.inst_code.5": ("degree_point_id.15",),
    "QR.employment.cluster_code.4": ("~cluster_code.21",),
    "QR.employment.employer_kind_code.4": ("~employer_kind_code.22",),
    "QR.employment.industry_code.4": ("~industry_code.20",),
    "QR.employment.region_code.3": ("region_code.15",),
    "QR.enterprise.org_kind.4": ("~org_kind.15",),
    "QR.enterprise.region_code.3": ("region_code.12",),
    "QR.enterprise.uscc.3": ("uscc.11",),
    "QR.honour.holder_id.3": (
        "holder_id.11",
        "~holder_id.15",
    ),
    "QR.honour.holder_kind.4": ("honour_code.13",),
    "QR.institution.affiliation_code.4": ("inst_code.14",),
    "QR.institution.uscc.3": ("uscc.11",),
    "QR.list_item.due_on.2": ("~due_on.16",),
    "QR.list_item.list_kind.4": ("list_kind.12",),
    "QR.list_milestone.verified_on.2": ("~verified_by.17",),
    "QR.org_unit.parent_unit_code.3": ("parent_unit_code.11",),
    "QR.overseas_study.departed_on.2": ("returned_on.12",),
    "QR.practice_participation.student_id.3": ("~student_id.17",),
    "QR.practice_participation.student_id.5": ("~student_id.17",),
    "QR.practice_project.cluster_code.4": ("~cluster_code.17",),
    "QR.programme.degree_point_id.3": ("programme_code.12",),
    "QR.programme.degree_point_id.5": ("programme_code.12",),
    "QR.programme.programme_code.3": ("programme_code.12",),
    "QR.programme.unit_code.3": ("unit_code.17",),
    "QR.student.degree_level.4": ("degree_level.15",),
    "QR.student.degree_point_id.3": (
        "degree_level.15",
        "degree_point_id.38",
        "programme_id.21",
    ),
    "QR.student.degree_point_id.5": (
        "degree_level.15",
        "degree_point_id.38",
        "programme_id.21",
    ),
    "QR.student.degree_type.4": ("degree_level.15",),
    "QR.student.inst_code.3": ("degree_point_id.38",),
    "QR.student.inst_code.5": ("degree_point_id.38",),
    "QR.student.inst_code.7": ("degree_point_id.38",),
    "QR.student.nationality_code.3": ("~nationality_code.24",),
    "QR.student_supervisor.to_on.2": ("~to_on.14",),
    "QR.talent_demand.cluster_code.4": ("~discipline_code.15",),
    "QR.talent_demand.degree_level.4": ("~degree_level.16",),
    "QR.talent_demand.discipline_code.4": ("~discipline_code.15",),
    "QR.thesis.degree_point_id.3": ("~degree_point_id.16",),
    "QR.thesis.degree_point_id.5": ("~degree_point_id.16",),
    "QR.thesis.supervisor_id.3": ("~supervisor_id.17",),
    "QR.thesis.supervisor_id.5": ("~supervisor_id.17",),
    "QR.thesis_sampling.degree_point_id.3": ("degree_point_id.20",),
    "QR.thesis_sampling.degree_point_id.5": ("degree_point_id.20",),
    "QR.thesis_sampling.supervisor_id.3": ("~supervisor_id.21",),
    "QR.thesis_sampling.supervisor_id.5": ("~supervisor_id.21",),
    "QR.thesis_sampling.thesis_id.3": ("thesis_id.17",),
    "QR.thesis_sampling.thesis_id.5": ("thesis_id.17",),
    "QR.thesis_sampling_review.reason_codes.3": ("~reason_codes.18",),
    "QR.urgent_discipline_list.discipline_code.4": ("discipline_code.15",),
}
