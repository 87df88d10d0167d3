"""The tables that the checks of credibility read, empty and without what they do not read."""

CREATE = """
create schema indicators; create schema star; create schema plan;
create table indicators.ind_value (variant_code text, definition_version int, grain text, unit_code text, period_code text,
    period_year int, is_complete boolean, numerator float8, denominator float8, value float8);
create table indicators.ind_unit (grain text, unit_code text);
create table plan.indicator (variant_code text, indicator_code text, source_entities text,
    definition_version int default 1, is_official boolean default true);
create table star.fct_enrolment_census (inst_code text, census_year int);
create table star.fct_admission (inst_code text, exam_year int, is_registered boolean, degree_level text,
    study_mode text, degree_type text, admission_mode text);
create table star.fct_student_status_event (inst_code text, event_type text, event_on date, degree_level text);
create table star.fct_employment (inst_code text, grad_year int, point_code text, destination_code text, verify_state text);
create table star.fct_thesis (inst_code text, opened_academic_year text, topic_source_code text);
create table star.fct_practice_participation (inst_code text, academic_year text, participation_days_count int);
create table star.fct_commissioned_project (inst_code text, signed_year int, contract_amount_cny numeric, signed_on date,
    contract_no_digest text, fund_source_code text, client_kind text);
create table star.fct_commissioned_receipt (inst_code text, received_year int, received_on date, amount_cny numeric,
    net_amount_cny numeric, fund_source_code text, client_kind text);
create table star.fct_degree_award (inst_code text, awarded_on date);
create table star.fct_thesis_sampling (inst_code text, sampling_year int, sampling_weight numeric, is_targeted boolean,
    verdict_code text);
create table star.fct_employer_survey (inst_code text, survey_year int, design_weight numeric);
create table star.fct_course_evaluation (inst_code text, academic_year text, response_count int, score_1_count int,
    score_2_count int, score_3_count int, score_4_count int, score_5_count int);
"""
