"""dbt's connections to PostgreSQL, kept by each thread until a command ends.

dbt-adapters (1.24) closes a connection after every node of its thread and opens another for the next: 340 for the star, each
a process of the server with empty caches, a quarter of the layer's processor time on both sides. It has no setting for that,
but takes up a connection that it finds open. Importing this module takes the time of importing dbt.
"""

import psycopg2
from dbt.adapters.postgres import PostgresAdapter
from dbt.adapters.postgres.connections import PostgresConnectionManager


class KeptConnections(PostgresConnectionManager):
    """Releases a connection by rolling back what a node left open, as closing it would; closes one that is broken, and the
    command's own ("master"), which would be idle as long as all nodes take."""

    def release(self) -> None:
        connection = self.get_if_exists()
        if connection is None:
            return
        if connection.state != "open" or connection.handle.closed or connection.name == "master":
            self.close(connection)
            return
        try:
            connection.handle.rollback()
        except psycopg2.Error:
            self.close(connection)
        connection.transaction_open = False

    def add_commit_query(self) -> None:
        """Commit a node by the driver, so that it knows: of dbt's `COMMIT` it would not, and would roll back with a warning.

        Hooks of a command rely on that `COMMIT`: they run outside a transaction, because the driver believes in one.
        """
        connection = self.get_thread_connection()
        if connection.name == "master":
            super().add_commit_query()
            return
        with self.exception_handler("COMMIT"):
            connection.handle.commit()


def keep() -> None:
    """Let all commands of this process keep them; dbt closes them when a command ends."""
    PostgresAdapter.ConnectionManager = KeptConnections
