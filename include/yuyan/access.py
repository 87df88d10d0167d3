"""Who may do what in Airflow: operators everything, stewards decide about overrides and accountability cases and no more.

Airflow's simple auth manager lets its role `user` run, pause and delete every DAG and read every log. LeastRights allows
stewards what is listed in STEWARD, on the DAGs `override_<code>` and `accountability_<code>` of their own institution alone
(the commission's: of every one), whichever auth manager knows the people: AuthManager has the simple one's accounts and is
what `[core] auth_manager` names here; with an identity provider see docs/how-to/logins-and-rights.md.
"""

import os
from typing import Any

from airflow.api_fastapi.auth.managers.base_auth_manager import BaseAuthManager
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagAccessEntity
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.common.types import MenuItem

from yuyan import settings
from yuyan.domain import stewards

ACCOUNTS = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"
STEWARD_DAGS = ("override", "accountability")
"""Of each there is one per institution, since a right in Airflow is one to a DAG with all of its runs."""
STEWARD = {
    ("GET", None),
    ("GET", DagAccessEntity.RUN),
    ("GET", DagAccessEntity.TASK),
    ("GET", DagAccessEntity.TASK_INSTANCE),
    ("GET", DagAccessEntity.TASK_LOGS),
    ("GET", DagAccessEntity.VERSION),
    ("GET", DagAccessEntity.HITL_DETAIL),
    ("POST", DagAccessEntity.RUN),  # ask for an override, begin a step of a case
    ("PUT", DagAccessEntity.HITL_DETAIL),  # state, decide
}
"""(method, what of the DAG) -> allowed to a steward. Whatever is not here is refused."""
STEWARD_VIEWS = {AccessView.WEBSITE}
STEWARD_MENU = {MenuItem.REQUIRED_ACTIONS, MenuItem.DAGS}


class LeastRights:
    """The rights, to be put before the auth manager that knows the accounts."""

    def is_operator(self, user: Any) -> bool:
        """May this account everything?"""
        raise NotImplementedError

    def is_authorized_dag(
        self, *, method: str, user: Any, access_entity: Any = None, details: Any = None
    ) -> bool:
        """Lists are asked for without a DAG; Airflow then leaves out what is not allowed one by one."""
        if self.is_operator(user):
            return True
        dag_id = details.id if details else None
        is_list = method == "GET" and dag_id is None
        return (method, access_entity) in STEWARD and (is_list or self._is_theirs(dag_id, user))

    def _is_theirs(self, dag_id: str | None, user: Any) -> bool:
        kind, _, inst_code = (dag_id or "").partition("_")
        steward = stewards.load().get(user.get_name())
        return kind in STEWARD_DAGS and inst_code != "" and steward is not None and steward.acts_on(inst_code)

    def is_authorized_hitl_task(self, *, assigned_users: set[str], user: Any) -> bool:
        """Stewards are known by their names; an identity provider's accounts have numbers as ids."""
        return user.get_name() in assigned_users

    def is_authorized_view(self, *, access_view: AccessView, user: Any) -> bool:
        return self.is_operator(user) or access_view in STEWARD_VIEWS

    def _operators_only(self, *, user: Any, **_: Any) -> bool:
        return self.is_operator(user)

    def filter_authorized_menu_items(self, menu_items: list[MenuItem], *, user: Any) -> list[MenuItem]:
        return [item for item in menu_items if self.is_operator(user) or item in STEWARD_MENU]

    # lists are left to these one by one, whatever quicker way the auth manager below has
    get_authorized_dag_ids = BaseAuthManager.get_authorized_dag_ids
    filter_authorized_dag_ids = BaseAuthManager.filter_authorized_dag_ids
    get_authorized_connections = BaseAuthManager.get_authorized_connections
    get_authorized_pools = BaseAuthManager.get_authorized_pools
    get_authorized_variables = BaseAuthManager.get_authorized_variables
    batch_is_authorized_dag = BaseAuthManager.batch_is_authorized_dag
    batch_is_authorized_connection = BaseAuthManager.batch_is_authorized_connection
    batch_is_authorized_pool = BaseAuthManager.batch_is_authorized_pool
    batch_is_authorized_variable = BaseAuthManager.batch_is_authorized_variable
    is_authorized_configuration = _operators_only
    is_authorized_connection = _operators_only
    is_authorized_variable = _operators_only
    is_authorized_pool = _operators_only
    is_authorized_asset = _operators_only
    is_authorized_asset_alias = _operators_only
    is_authorized_custom_view = _operators_only


class AuthManager(LeastRights, SimpleAuthManager):
    """The login of the simple auth manager with accounts of ours; operators have its role `admin`."""

    def init(self) -> None:
        """The accounts are the operators' and those of include/stewards.yml, unless the environment names others."""
        own = [f"{settings.AIRFLOW_USER}:admin", *(f"{name}:user" for name in stewards.load())]
        os.environ.setdefault(ACCOUNTS, ",".join(own))  # Airflow reads them there at every login
        super().init()

    def is_operator(self, user: SimpleAuthManagerUser) -> bool:
        return self._is_admin(user)
