"""From an institution's file to an open door: its Airflow connection and the connector of its product."""

from datetime import date
from typing import Any

from yuyan.collect.database import Database
from yuyan.collect.files import Files
from yuyan.collect.rest_legacy import Legacy
from yuyan.collect.rest_versioned import Versioned
from yuyan.collect.source import PlatformDown, Source
from yuyan.domain.institutions import Institution

CONNECTORS = {"rest-versioned": Versioned, "rest-legacy": Legacy, "database": Database, "files": Files}
"""What a product's profile may name under `connector`."""


def source(institution: Institution, as_of: date) -> Source:
    """The connector of an institution, not opened yet.

    Raises PlatformDown if its Airflow connection is not configured, or its product names no connector that there is.

    >>> with closing(source(institutions.load()["10611"], date(2026, 10, 15))) as platform:
    ...     platform.open()
    """
    platform = institution.platform
    if platform.connector not in CONNECTORS:
        known = ", ".join(CONNECTORS)
        raise PlatformDown(
            f"include/platforms/{platform.product}.yml：没有名为 {platform.connector!r} 的连接器，请改为 {known} 之一。/ "
            f"there is no connector {platform.connector!r}; known are {known}"
        )
    connection = _connection(institution)
    try:
        if not isinstance(connection.extra_dejson, dict):
            raise TypeError("extra")
        return CONNECTORS[platform.connector](institution, connection, as_of)
    except (TypeError, ValueError, AttributeError) as error:
        raise PlatformDown(
            f"{institution.inst_code} {institution.name}：Airflow 连接 {institution.connection} 的内容无法使用"
            f"（{type(error).__name__}），请核对主机、端口和附加参数（extra 须为 JSON 对象）。/ the content of "
            f"{institution.connection} cannot be used; check host, port and extra, which must be a JSON object"
        ) from None


def _connection(institution: Institution) -> Any:
    """The Airflow connection, in a task or outside one (environment variables AIRFLOW_CONN_<ID>)."""
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return Connection.get(institution.connection)
    except AirflowNotFoundException:
        raise PlatformDown(
            f"{institution.inst_code} {institution.name}：没有 Airflow 连接 {institution.connection}，请新建该连接。/ "
            f"the Airflow connection {institution.connection} does not exist; create it"
        ) from None
