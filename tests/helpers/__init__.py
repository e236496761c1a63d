"""Helpers of the tests: databases, sample data, and the types of the fixtures.

Fixtures are in ``conftest.py``, hooks in `helpers.pytest_hooks`.
"""

from __future__ import annotations

from bytes_squads.testing import Clock

from .backends import MODELS, Database, primary_key
from .postgres import PostgresServer, run_in_thread, shared_server
from .sample_data import (
    ALICE,
    BOB,
    CAROL,
    GUILD,
    OTHER_GUILD,
    Ids,
    MakeConfig,
    MakeMember,
    MakeSquad,
    Rows,
    TestData,
    create_member,
    create_test_data,
    make_transfer,
    read_rows,
)

__all__ = [
    "ALICE",
    "BOB",
    "CAROL",
    "GUILD",
    "MODELS",
    "OTHER_GUILD",
    "Clock",
    "Database",
    "Ids",
    "MakeConfig",
    "MakeMember",
    "MakeSquad",
    "PostgresServer",
    "Rows",
    "TestData",
    "create_member",
    "create_test_data",
    "make_transfer",
    "primary_key",
    "read_rows",
    "run_in_thread",
    "shared_server",
]
