"""Where things are and which secrets are used; every value comes from the environment or has a safe local default.

Nothing here connects to anything. The embedded runtime sets the same variables that a production deployment sets.
"""

import os
from datetime import date
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
CONTRACTS = PROJECT / "include" / "contracts"
PLATFORMS = PROJECT / "include" / "platforms"
INSTITUTIONS = PROJECT / "include" / "institutions"
EXPECTATIONS = PROJECT / "expectations"
DBT_PROJECT = PROJECT / "dbt_project"
SEEDS = DBT_PROJECT / "seeds"
INDICATORS = PROJECT / "include" / "indicators"
LIFE_CYCLES = PROJECT / "include" / "life_cycles"
LINE_ROLES = PROJECT / "include" / "line_roles.yml"
STAGES = ("collect", "validate", "transform", "decide")
"""The logins by which the line reaches the warehouse, see include/line_roles.yml."""

FIRST_AS_OF = date(2026, 10, 15)
"""The `as_of` of the first simulated day (Asia/Shanghai)."""

SIMULATED = "模拟数据 / SIMULATED"

AIRFLOW_USER = "yuyan"
"""The operators' account of Airflow; the stewards (include/stewards.yml) have accounts beside it."""

COMMISSION = "50000"
"""The five-digit source code of the municipal education commission's own files."""


def home() -> Path:
    """The ignored work folder; everything that is written at run time is below it."""
    return Path(os.environ.get("YUYAN_HOME", PROJECT / ".yuyan"))


def institutions_dir() -> Path:
    """Folder of institution files; YUYAN_INSTITUTIONS replaces the project's own."""
    return Path(os.environ.get("YUYAN_INSTITUTIONS", INSTITUTIONS))


def institution_codes() -> list[str]:
    """Codes of the institutions that have a file, whether it can be used or not."""
    return sorted(path.stem for path in institutions_dir().glob("*.yml"))


def platforms_dir() -> Path:
    """Folder of the profiles of platform products; YUYAN_PLATFORMS replaces the project's own."""
    return Path(os.environ.get("YUYAN_PLATFORMS", PLATFORMS))


def schemes_dir() -> Path:
    """Folder of allocation schemes and last grants; YUYAN_SCHEMES replaces the project's own."""
    return Path(os.environ.get("YUYAN_SCHEMES", PROJECT / "include" / "schemes"))


def stewards_file() -> Path:
    """File of the accounts that may act on problems; YUYAN_STEWARDS replaces the project's own."""
    return Path(os.environ.get("YUYAN_STEWARDS", PROJECT / "include" / "stewards.yml"))


def roles_file() -> Path:
    """File of the read-only logins of the warehouse; YUYAN_ROLES replaces the project's own."""
    return Path(os.environ.get("YUYAN_ROLES", PROJECT / "include" / "roles.yml"))


def disclosure_file() -> Path:
    """File of the disclosure policy; YUYAN_DISCLOSURE replaces the project's own."""
    return Path(os.environ.get("YUYAN_DISCLOSURE", PROJECT / "include" / "disclosure.yml"))


def simulated_scale() -> float | None:
    """Size of the simulated city as a share of the real one (YUYAN_SIMULATED); None when the sources are real.

    Raises ValueError when the variable is no number above 0.
    """
    text = os.environ.get("YUYAN_SIMULATED")
    if not text:
        return None
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if not 0 < scale < float("inf"):
        raise ValueError(
            f"YUYAN_SIMULATED is {text!r}; it is the simulated city's size as a share of the real one, such as 0.05 or 1; "
            "leave it empty when the sources are real"
        )
    return scale


def simulated_mark() -> str:
    """What a page made from simulated sources must carry; empty when the sources are real."""
    return SIMULATED if simulated_scale() else ""


def warehouse_mark() -> str:
    """What commands and pages about the warehouse must carry. The embedded runtime's own warehouse (no YUYAN_WAREHOUSE_DSN
    of any kind) holds simulated data only.
    """
    return simulated_mark() or ("" if is_warehouse_given() else SIMULATED)


def landing() -> str:
    """Root of the landing area: a local folder or any URL that Airflow's ObjectStoragePath understands."""
    return os.environ.get("YUYAN_LANDING", str(home() / "landing"))


def landing_connection() -> dict[str, str]:
    """The variable with the connection that the landing area's address names (`s3://<connection>@<bucket>/…`), if it is set.

    >>> landing_connection()  # doctest: +SKIP
    {'AIRFLOW_CONN_YUYAN_LANDING': '{"conn_type": "aws", …}'}
    """
    connection = landing().partition("://")[2].partition("/")[0].rpartition("@")[0]
    name = f"AIRFLOW_CONN_{connection.upper()}"
    return {name: os.environ[name]} if connection and name in os.environ else {}


OWNER = "owner"
"""Who makes the warehouse's structure and its logins; what runs every day connects as one of STAGES."""


def dsn_variable(role: str) -> str:
    """The variable that gives the DSN of a role.

    >>> dsn_variable("collect")
    'YUYAN_WAREHOUSE_DSN_COLLECT'
    """
    return "YUYAN_WAREHOUSE_DSN" + ("" if role == OWNER else f"_{role.upper()}")


def warehouse_dsn(role: str) -> str:
    """libpq URL of the warehouse for one of STAGES, or OWNER.

    Where no stage has a URL of its own, all connect as the owner. Raises KeyError, naming the variable, when nothing is
    configured, or only other stages are.
    """
    if given := os.environ.get(dsn_variable(role)):
        return given
    if role != OWNER and any(os.environ.get(dsn_variable(stage)) for stage in STAGES):
        raise KeyError(
            f"{dsn_variable(role)} is not set, though another stage's is: give all of them or none"
        )
    if not (owner := os.environ.get(dsn_variable(OWNER))):
        raise KeyError(f"neither {dsn_variable(role)} nor {dsn_variable(OWNER)} is set")
    return owner


def is_warehouse_given() -> bool:
    """Does the environment name a warehouse, for any role?"""
    return any(os.environ.get(dsn_variable(role)) for role in (OWNER, *STAGES))


def stage_dsns() -> dict[str, str]:
    """Stage -> the URL of its own login; empty where the owner does everything. Raises KeyError when some are missing."""
    given = [stage for stage in STAGES if os.environ.get(dsn_variable(stage))]
    return {stage: warehouse_dsn(stage) for stage in STAGES} if given else {}


def person_key_secret() -> tuple[bytes, int]:
    """The HMAC key for person keys and its version, from YUYAN_PERSON_KEY and YUYAN_PERSON_KEY_VERSION."""
    return os.environ["YUYAN_PERSON_KEY"].encode(), int(os.environ.get("YUYAN_PERSON_KEY_VERSION", "1"))
