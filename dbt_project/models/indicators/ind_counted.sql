-- 由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(materialized='view') }}
select * from {{ ref('ind_counted_academic_warning') }}
union all
select * from {{ ref('ind_counted_accountability_case_year') }}
union all
select * from {{ ref('ind_counted_achievement_year') }}
union all
select * from {{ ref('ind_counted_admission') }}
union all
select * from {{ ref('ind_counted_annual_plan_year') }}
union all
select * from {{ ref('ind_counted_cluster_overlap') }}
union all
select * from {{ ref('ind_counted_commissioned_project') }}
union all
select * from {{ ref('ind_counted_commissioned_receipt') }}
union all
select * from {{ ref('ind_counted_compliance_census') }}
union all
select * from {{ ref('ind_counted_core_course_point') }}
union all
select * from {{ ref('ind_counted_course_enrolment') }}
union all
select * from {{ ref('ind_counted_course_evaluation') }}
union all
select * from {{ ref('ind_counted_course_offering') }}
union all
select * from {{ ref('ind_counted_degree_award') }}
union all
select * from {{ ref('ind_counted_degree_point_application') }}
union all
select * from {{ ref('ind_counted_degree_point_year') }}
union all
select * from {{ ref('ind_counted_demand_cluster_year') }}
union all
select * from {{ ref('ind_counted_digital_capability') }}
union all
select * from {{ ref('ind_counted_employer_survey') }}
union all
select * from {{ ref('ind_counted_employment') }}
union all
select * from {{ ref('ind_counted_enrolment_census') }}
union all
select * from {{ ref('ind_counted_fund_ledger') }}
union all
select * from {{ ref('ind_counted_list_item_year') }}
union all
select * from {{ ref('ind_counted_match_point') }}
union all
select * from {{ ref('ind_counted_mentor_pool_year') }}
union all
select * from {{ ref('ind_counted_org_unit_year') }}
union all
select * from {{ ref('ind_counted_overseas_study') }}
union all
select * from {{ ref('ind_counted_overseas_supervisor_year') }}
union all
select * from {{ ref('ind_counted_pairing_year') }}
union all
select * from {{ ref('ind_counted_party_branch_year') }}
union all
select * from {{ ref('ind_counted_platform_activity') }}
union all
select * from {{ ref('ind_counted_platform_base_year') }}
union all
select * from {{ ref('ind_counted_platform_partner_year') }}
union all
select * from {{ ref('ind_counted_platform_year') }}
union all
select * from {{ ref('ind_counted_point_trigger') }}
union all
select * from {{ ref('ind_counted_policy_document') }}
union all
select * from {{ ref('ind_counted_practice_year') }}
union all
select * from {{ ref('ind_counted_programme_year') }}
union all
select * from {{ ref('ind_counted_quality_report_year') }}
union all
select * from {{ ref('ind_counted_research_training_year') }}
union all
select * from {{ ref('ind_counted_resource_year') }}
union all
select * from {{ ref('ind_counted_sino_foreign_year') }}
union all
select * from {{ ref('ind_counted_student_lifecycle') }}
union all
select * from {{ ref('ind_counted_supervisor_appointment') }}
union all
select * from {{ ref('ind_counted_supervisor_conduct_year') }}
union all
select * from {{ ref('ind_counted_supervisor_load') }}
union all
select * from {{ ref('ind_counted_supervisor_year') }}
union all
select * from {{ ref('ind_counted_teaching_resource') }}
union all
select * from {{ ref('ind_counted_team_year') }}
union all
select * from {{ ref('ind_counted_thesis') }}
union all
select * from {{ ref('ind_counted_thesis_sampling') }}
union all
select * from {{ ref('ind_counted_training_cost') }}
union all
select * from {{ ref('ind_counted_urgent_point_year') }}
union all
select * from {{ ref('ind_counted_warning_recall') }}
