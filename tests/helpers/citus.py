"""A cluster of Citus, on which the tests of PostgreSQL run instead of a single server."""

from __future__ import annotations

import os
import time
from urllib.parse import urlsplit, urlunsplit

import asyncpg

import bytes_squads

from .postgres import CITUS_URL_VARIABLE, PostgresServer, run_in_thread

ON_CITUS = bool(os.environ.get(CITUS_URL_VARIABLE))
"""Whether this run's PostgreSQL is a cluster, on which a write takes several times as long."""

SHARDS = 4
"""Fewer than Citus's default, because a test empties each of them."""


class CitusServer(PostgresServer):
    """A cluster on which databases can be created and dropped.

    Args:
        url: Leads to a database of a superuser on the coordinator.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        parts = urlsplit(url)
        self.coordinator = parts.hostname or "localhost", parts.port or 5432
        self.workers = run_in_thread(_find_workers(url))

    @property
    def _nodes(self) -> list[PostgresServer]:
        parts = urlsplit(self.url)
        login = parts.netloc.rpartition("@")[0]
        return [
            PostgresServer(self.url),
            *(
                PostgresServer(urlunsplit(parts._replace(netloc=f"{login}@{host}:{port}")))
                for host, port in self.workers
            ),
        ]

    def create(self, name: str, template: str = "template1") -> str:
        """Create a database on each node and return the coordinator's URL of it.

        One that is not copied from a distributed one gets the extension and the nodes.
        """
        if template != "template1":
            # Citus's own processes connect to each of its databases.
            for node in self._nodes:
                node.execute(
                    f'ALTER DATABASE "{template}" ALLOW_CONNECTIONS false',
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    f" WHERE datname = '{template}'",
                )
        for node in self._nodes:
            node.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
            if template == "template1":
                PostgresServer(node.url_of(name)).execute("CREATE EXTENSION citus")
        if template == "template1":
            host, port = self.coordinator
            PostgresServer(self.url_of(name)).execute(
                f"SELECT citus_set_coordinator_host('{host}', {port})",
                *(f"SELECT citus_add_node('{host}', {port})" for host, port in self.workers),
            )
        return self.url_of(name)

    def drop(self, name: str) -> None:
        """Drop a database on each node if it exists, the coordinator's first."""
        for node in self._nodes:
            for attempt in range(10):
                try:
                    node.drop(name)
                except asyncpg.ObjectInUseError:  # Citus's own processes come back
                    if attempt == 9:
                        raise
                    time.sleep(0.2)
                else:
                    break

    def prepare_template(self, url: str) -> None:
        """Migrate and distribute a database."""

        async def prepare() -> None:
            await bytes_squads.upgrade(url)
            await bytes_squads.distribute(url, shards=SHARDS)

        run_in_thread(prepare())


async def _find_workers(url: str) -> list[tuple[str, int]]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "SELECT nodename, nodeport FROM pg_dist_node WHERE groupid > 0 ORDER BY nodeid"
        )
    finally:
        await connection.close()
    return [(row["nodename"], row["nodeport"]) for row in rows]
