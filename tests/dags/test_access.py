"""Account × DAG × what of it × verb in Airflow: what is not listed as allowed is refused."""

from itertools import product

import pytest
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagAccessEntity, DagDetails
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.common.types import MenuItem

from yuyan import access, secrets, settings
from yuyan.access import AuthManager
from yuyan.domain import stewards
from yuyan_demo.runtime import environment

STEWARD = SimpleAuthManagerUser(username="data-10611-1", role="user")
COMMISSION = SimpleAuthManagerUser(username="jw-data-1", role="user")
VIEWER = SimpleAuthManagerUser(username="somebody", role="viewer")
OPERATOR = SimpleAuthManagerUser(username=settings.AIRFLOW_USER, role="admin")
METHODS = ("GET", "POST", "PUT", "DELETE")
E = DagAccessEntity
LOOKS_AT = (None, E.RUN, E.TASK, E.TASK_INSTANCE, E.TASK_LOGS, E.VERSION, E.HITL_DETAIL)
THEIRS = {"override_10611", "accountability_10611"}
OF_ALL = {
    f"{kind}_{code}" for kind in ("override", "accountability") for code in settings.institution_codes()
}
DAGS = sorted({path.stem for path in (settings.PROJECT / "dags").glob("*.py")} | OF_ALL)
VERBS = {*(("GET", what) for what in LOOKS_AT), ("POST", E.RUN), ("PUT", E.HITL_DETAIL)}
OF_AIRFLOW = ("configuration", "connection", "variable", "pool", "asset", "asset_alias")


@pytest.fixture
def manager() -> AuthManager:
    return AuthManager()


def allowed(manager: AuthManager, user: SimpleAuthManagerUser, dags: list[str | None]) -> set[tuple]:
    """(DAG, method, what of it) that the account may."""
    return {
        (dag, method, what)
        for dag, method, what in product(dags, METHODS, (None, *DagAccessEntity))
        if manager.is_authorized_dag(method=method, access_entity=what, details=DagDetails(id=dag), user=user)
    }


@pytest.mark.parametrize(
    ("user", "dags"),
    [(STEWARD, THEIRS), (COMMISSION, OF_ALL), (VIEWER, set())],
    ids=["steward", "commission", "viewer"],
)
def test_a_steward_may_see_and_decide_overrides_and_cases_of_the_own_institution_and_nothing_else(
    manager, user, dags
):
    assert {"collect", "warehouse", "replay", *THEIRS} <= set(DAGS)
    assert allowed(manager, user, DAGS) == {(dag, *verb) for dag in dags for verb in VERBS}


def test_lists_are_read_only_and_airflow_leaves_out_what_may_not_be_seen(manager):
    assert allowed(manager, STEWARD, [None]) == {
        (None, method, what) for method, what in VERBS if method == "GET"
    }
    seen = manager.filter_authorized_dag_ids(dag_ids=set(DAGS), user=STEWARD, method="GET")
    assert seen == THEIRS


def test_nothing_of_airflow_itself_is_a_stewards(manager):
    for of, method in product(OF_AIRFLOW, METHODS):
        check = getattr(manager, f"is_authorized_{of}")
        assert not check(method=method, user=STEWARD), (of, method)
        assert check(method=method, user=OPERATOR), (of, method)
    assert not manager.is_authorized_custom_view(method="GET", resource_name="x", user=STEWARD)
    views = {view for view in AccessView if manager.is_authorized_view(access_view=view, user=STEWARD)}
    assert views == {AccessView.WEBSITE}
    menu = manager.filter_authorized_menu_items(list(MenuItem), user=STEWARD)
    assert set(menu) == {MenuItem.DAGS, MenuItem.REQUIRED_ACTIONS}


class Numbered(SimpleAuthManagerUser):
    """An account as an identity provider's database has it."""

    def get_id(self) -> str:
        return "7"


def test_whoever_is_asked_answers_by_name_whatever_the_account_s_number(manager):
    steward = Numbered(username="data-10611-1", role="user")
    assert manager.is_authorized_hitl_task(assigned_users={"data-10611-1"}, user=steward)
    assert not manager.is_authorized_hitl_task(assigned_users={"data-10611-2", "7"}, user=steward)
    assert not manager.is_authorized_hitl_task(assigned_users={"data-10611-1"}, user=OPERATOR)


def test_an_operator_may_everything(manager):
    assert len(allowed(manager, OPERATOR, [*DAGS, None])) == (len(DAGS) + 1) * len(METHODS) * (len(E) + 1)
    assert manager.filter_authorized_menu_items(list(MenuItem), user=OPERATOR) == list(MenuItem)


def test_it_is_what_the_embedded_runtime_uses(tmp_path):
    secrets = dict.fromkeys(("fernet_key", "api_secret_key", "jwt_secret"), "x")
    env = environment.airflow(tmp_path, secrets, "postgresql://x", 1)
    assert env["AIRFLOW__CORE__AUTH_MANAGER"] == f"{AuthManager.__module__}.{AuthManager.__qualname__}"


def test_an_operator_and_every_steward_log_in(tmp_path, monkeypatch):
    passwords = tmp_path / "passwords.json"
    monkeypatch.setenv(access.ACCOUNTS, "")  # so that it is as it was afterwards
    monkeypatch.delenv(access.ACCOUNTS)
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE", str(passwords))
    secrets.write_passwords(passwords, {settings.AIRFLOW_USER: "an-operators"}, stewards.load())
    AuthManager().init()
    users = {user.username: user.role for user in AuthManager.get_users()}
    assert users == dict.fromkeys(stewards.load(), "user") | {settings.AIRFLOW_USER: "admin"}
    assert AuthManager.get_passwords().keys() == users.keys()
