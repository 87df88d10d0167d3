"""dbt's connections to PostgreSQL, kept by each thread until a command ends.

dbt-adapters (1.24) closes a connection after every node of its thread and opens another for the next: 340 for the star, each
a process of the server with empty caches, a quarter of the layer's processor time on both sides. It has no setting for that,
but takes up a connection that it finds open. Importing this module takes the time of importing dbt.
"""

from dbt.adapters.postgres import PostgresAdapter
from dbt.adapters.postgres.connections import PostgresConnectionManager


class KeptConnections(PostgresConnectionManager):
    """Releases a connection by rolling back what a node left open, as closing it would; closes one that is broken."""

    def release(self) -> None:
        connection = self.get_if_exists()
        if connection is None:
            return
        if connection.state != "open" or connection.handle.closed:
            self.close(connection)
        else:
            connection.handle.rollback()
            connection.transaction_open = False


def keep() -> None:
    """Let all commands of this process keep them; dbt closes them when a command ends."""
    PostgresAdapter.ConnectionManager = KeptConnections
