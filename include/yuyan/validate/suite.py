"""Great Expectations on what stands: one expectation per rule, one suite per entity, everything counted in the database.

The library's column-map expectations cost several metrics and milliseconds each; with some 800 rules that would be most of
a run. `ExpectRuleToHold` shares one table metric among all rules of a suite: two grouped scans give every rule's eligible,
failed and unverifiable rows per institution. No row is ever fetched.
"""

import os

os.environ["GX_ANALYTICS_ENABLED"] = "false"  # before the import: nothing leaves the machine

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, ClassVar

import great_expectations as gx
import sqlalchemy as sa
from great_expectations.compatibility import pydantic
from great_expectations.core import (
    ExpectationSuiteValidationResult,
    ExpectationValidationResult,
)
from great_expectations.core.batch_definition import BatchDefinition
from great_expectations.data_context import EphemeralDataContext
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)
from great_expectations.execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.expectation_configuration import (
    ExpectationConfiguration,
    parse_result_format,
)
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
from great_expectations.render import (
    LegacyDiagnosticRendererType,
    LegacyRendererType,
    RenderedStringTemplateContent,
)
from great_expectations.render.renderer.renderer import renderer
from great_expectations.validator.metric_configuration import MetricConfiguration
from great_expectations.validator.v1_validator import Validator
from great_expectations.validator.validator import ValidationDependencies

from yuyan import settings
from yuyan.domain.catalogue import Rule

SEVERITY = {"REJECT": "critical", "ERROR": "critical", "WARN": "warning", "INFO": "info"}


class VerdictCounts(TableMetricProvider):
    """Verdict number -> institution -> [eligible, failed, unverifiable], of all verdicts that stand."""

    metric_name = "judging.verdict_counts"
    value_keys = ("verdicts",)

    @metric_value(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(
        cls,
        execution_engine: SqlAlchemyExecutionEngine,
        metric_domain_kwargs: dict,
        metric_value_kwargs: dict,
        metrics: dict[str, Any],
        runtime_configuration: dict,
    ) -> dict[int, dict[str, list[int]]]:
        table = execution_engine.get_domain_records(domain_kwargs=metric_domain_kwargs)
        numbers = range(1, metric_value_kwargs["verdicts"] + 1)
        eligible = ", ".join(f"count(v{i})" for i in numbers)
        worse = ", ".join(
            f"count(*) filter (where v{i} = '0'), count(*) filter (where v{i} = '1')" for i in numbers
        )

        def counted(columns: str, where: str) -> Iterator[Any]:
            query = sa.select(sa.text(f"src_inst_code, {columns}")).select_from(table).where(sa.text(where))
            return execution_engine.execute_query(query.group_by(sa.text("src_inst_code"))).fetchall()

        counts = {i: {} for i in numbers}
        for institution, *row in counted(eligible, "true"):
            for i in numbers:
                counts[i][institution] = [row[i - 1], 0, 0]
        for institution, *row in counted(worse, "worst < '2'"):
            for i in numbers:
                counts[i][institution][1:] = row[2 * i - 2 : 2 * i]
        return counts


@cache
def _verdict_counts(batch_id: str, verdicts: int) -> MetricConfiguration:
    return MetricConfiguration(VerdictCounts.metric_name, {"batch_id": batch_id}, {"verdicts": verdicts})


class ExpectRuleToHold(BatchExpectation):
    """No eligible record breaks the rule; unverifiable rows are counted and do not fail it."""

    rule_id: str
    column: str
    message: str
    verdict: int
    verdicts: int

    metric_dependencies: ClassVar[tuple[str, ...]] = (VerdictCounts.metric_name,)
    success_keys: ClassVar[tuple[str, ...]] = ("verdict", "verdicts")

    _configured: ExpectationConfiguration | None = pydantic.PrivateAttr(default=None)

    @property
    def configuration(self) -> ExpectationConfiguration:
        """Built once: an expectation of ours never changes, and the library asks for this two dozen times a run."""
        if self._configured is None:
            self._configured = super().configuration
        return self._configured

    def get_validation_dependencies(
        self, execution_engine=None, runtime_configuration=None
    ) -> ValidationDependencies:
        """The metric that all expectations of a suite share; the library would describe it anew twice for each."""
        asked = (runtime_configuration or {}).get("result_format", self.result_format)
        metric = _verdict_counts(self.batch_id, self.verdicts)
        return ValidationDependencies({metric.metric_name: metric}, parse_result_format(asked))

    def _validate(self, metrics: dict, runtime_configuration=None, execution_engine=None) -> dict[str, Any]:
        by_institution = metrics["judging.verdict_counts"][self.verdict]
        eligible, failed, unverifiable = (sum(row[i] for row in by_institution.values()) for i in range(3))
        return {
            "success": failed == 0,
            "result": {
                "element_count": eligible,
                "unexpected_count": failed,
                "unexpected_percent": 100 * failed / eligible if eligible else 0.0,
                "observed_value": f"适用 {eligible}，不合格 {failed}，无法判断 {unverifiable}",
                # one text, since the library copies every result several times
                "details": {"unverifiable": unverifiable, "by_institution": json.dumps(by_institution)},
            },
        }

    @classmethod
    @renderer(renderer_type=LegacyRendererType.PRESCRIPTIVE)
    def _prescriptive_renderer(cls, configuration=None, result=None, runtime_configuration=None):
        kwargs = (configuration or result.expectation_config).kwargs
        return [
            RenderedStringTemplateContent(
                content_block_type="string_template",
                string_template={
                    "template": "$message（$rule_id）",
                    "params": {k: kwargs[k] for k in ("message", "rule_id")},
                },
            )
        ]

    @classmethod
    @renderer(renderer_type=LegacyDiagnosticRendererType.UNEXPECTED_STATEMENT)
    def _diagnostic_unexpected_statement_renderer(
        cls, configuration=None, result=None, runtime_configuration=None
    ):
        return []  # the observed value says it


@contextmanager
def batches() -> Iterator[BatchDefinition]:
    """The batch that suites run on: the view `judging.judged`, made to show what stands of one entity after the other.

    One asset for all, since the library writes its whole configuration anew for every asset it is given.
    """
    url = sa.make_url(settings.warehouse_dsn("validate")).set(drivername="postgresql+psycopg2")
    options = " ".join(filter(None, [url.query.get("options"), "-csearch_path=judging"]))
    source = context({}).data_sources.add_postgres(
        "warehouse",
        connection_string=url.update_query_dict({"options": options}).render_as_string(hide_password=False),
    )
    try:
        asset = source.add_table_asset("judged", table_name="judged")
        yield asset.add_batch_definition_whole_table("live records")
    finally:
        for engine in (source.get_engine(), source.get_execution_engine().engine):
            engine.dispose()


def run(batch: BatchDefinition, entity: str, rules: tuple[Rule, ...]) -> ExpectationSuiteValidationResult:
    """Validate `judging.judged` with the entity's suite. Raises RuntimeError when a rule could not be evaluated."""
    validator = Validator(batch_definition=batch, result_format="SUMMARY")
    result = validator.validate_expectation_suite(_suite(entity, rules))
    for one in result.results:
        if one.exception_info.get("raised_exception", True):
            raise RuntimeError(
                f"{entity}: Great Expectations could not evaluate {one.expectation_config.kwargs['rule_id']}: "
                f"{one.exception_info}; check the rule in expectations/{entity}.yml and the table judging.standing_{entity}"
            )
    return result


def _suite(entity: str, rules: tuple[Rule, ...]) -> gx.ExpectationSuite:
    return gx.ExpectationSuite(
        name=entity,
        expectations=[
            ExpectRuleToHold(
                rule_id=rule.rule_id,
                column=rule.column,
                message=rule.message,
                verdict=i,
                verdicts=len(rules),
                severity=SEVERITY[rule.severity],
            )
            for i, rule in enumerate(rules, start=1)
        ],
    )


def counts(one: ExpectationValidationResult) -> dict[str, list[int]]:
    """Institution -> [eligible, failed, unverifiable] of one rule, as the suite reported it."""
    return json.loads(one.result["details"]["by_institution"])


def context(sites: dict) -> EphemeralDataContext:
    """A context that keeps nothing, reports nothing and shows no progress bars."""
    config = DataContextConfig(
        stores=InMemoryStoreBackendDefaults(init_temp_docs_sites=False).stores,
        expectations_store_name="expectations_store",
        validation_results_store_name="validation_results_store",
        checkpoint_store_name="checkpoint_store",
        data_docs_sites=sites,
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
    )
    return gx.get_context(mode="ephemeral", project_config=config)
