"""The tables in which the judgement of one entity works. They live in its connection, but for three in `judging`.

    work = Work("student")
    work.scope  ->  "scope_student"

Every statement of sql/ names them by this object, so this is the whole list.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Work:
    """Names of the work tables of an entity, in the order in which they are filled."""

    entity: str

    @property
    def newest(self) -> str:
        """Newest version of every record that something arrived of: src_inst_code, src_record_id, raw_id, record_key,
        is_deleted. Filled at the beginning of a run, for all entities, and dropped when the entity is judged.
        """
        return f"judging.newest_{self.entity}"

    @property
    def scope(self) -> str:
        """Versions to judge: src_inst_code, src_record_id, raw_id, record_key, is_newest (false: a stand-in)."""
        return f"scope_{self.entity}"

    @property
    def taken(self) -> str:
        """raw_id of the versions in scope whose natural key another record holds."""
        return f"taken_{self.entity}"

    def latest(self, parent: str) -> str:
        """Newest versions of another entity that the rules look up: src_inst_code, src_record_id, the fields they name."""
        return f"latest_{parent}"

    @property
    def isolated(self) -> str:
        """Versions that are kept out of the judgement, since they break it: raw_id, error."""
        return "isolated"

    @property
    def judged(self) -> str:
        """The work table, see worktable.py: typed columns, verdicts v1 … vN, worst. Stays until the next judgement."""
        return f"judging.{self.entity}"

    @property
    def standing(self) -> str:
        """Verdicts of every live newest version, see standing.py. Stays from run to run."""
        return f"judging.standing_{self.entity}"

    @property
    def failing(self) -> str:
        """Every judged version that breaks a rule, once per rule: raw_id, rule_id, version (of the rule), is_newest,
        src_inst_code, src_record_id, record_key, batch_id, row_no, column_name, observed, severity, compared.
        """
        return "failing"

    @property
    def stood(self) -> str:
        """Failures of the records at stake that stood before: failure_id, src_inst_code, src_record_id, rule_id,
        since_run_id, resolution (NULL: stands on).
        """
        return "stood"

    @property
    def letting_pass(self) -> str:
        """Overrides with effect in this judgement (filled by decisions.overrides): override_id, rule_id, src_inst_code."""
        return "letting_pass"

    @property
    def blocked(self) -> str:
        """Judged versions that break a blocking rule which no override lets pass: raw_id, rule_ids."""
        return "blocked"

    @property
    def before(self) -> str:
        """What other records may look up in the accepted versions at stake, before they change."""
        return "before"

    @property
    def after(self) -> str:
        """The same after they have changed."""
        return "after"
