"""A guild for the dashboard's tests: hostile names everywhere, and more rows than fit on a page."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

from bytes_squads import BytesConfigUpdate, BytesOperations, SquadCreate, SquadOperations
from bytes_squads.testing import Clock

from .backends import LONG
from .paths import ROOT
from .sample_data import ALICE, BOB, CAROL, GUILD, make_transfer
from .uvicorn_process import find_free_port, run_uvicorn

TOKEN = "a-token-for-the-tests-of-the-dashboard"
HTML = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;"
BIDI = "\u202egnp.exe \u2066 \u200f name"
EMOJI = "🎲" * 100
MEMBERS = 40
HOSTILE = {ALICE: HTML, BOB: BIDI, CAROL: EMOJI}


def member_id(number: int) -> str:
    """Return the id of a further member."""
    return str(210_000_000_000_000_000 + number)


async def populate_dashboard() -> None:
    """Fill the guild of the open database with two weeks of rows that end today."""
    clock = Clock(datetime.now(UTC) - timedelta(days=14))
    money, teams = BytesOperations(clock=clock), SquadOperations(clock=clock)
    await money.update_config(
        GUILD,
        BytesConfigUpdate(
            currency_name='<b onclick="x">coins', currency_emoji="🎲", timezone="Asia/Tokyo"
        ),
    )
    squad = await teams.create_squad(
        SquadCreate(guild_id=GUILD, role_id=31, name=HTML, description=EMOJI, max_members=9)
    )
    await teams.create_squad(SquadCreate(guild_id=GUILD, role_id=32, name=BIDI, switch_cost=0))
    await teams.create_squad(SquadCreate(guild_id=GUILD, role_id=33, name=EMOJI, is_active=False))
    for user, name in HOSTILE.items():
        await money.get_balance(GUILD, user, name)
    await money.grant_many(GUILD, {member_id(number): number + 1 for number in range(MEMBERS)})
    await teams.join_squad(GUILD, ALICE, squad.id, username=HTML)
    for day in range(13):
        clock.advance(days=1)
        transfer = make_transfer(
            ALICE, BOB, 2, giver_username=HTML, receiver_username=BIDI, reason=f"{HTML} {day}"
        )
        await money.create_transaction(transfer)
        await money.claim_daily(GUILD, ALICE, HTML)
    await money.grant(GUILD, CAROL, 7, username=EMOJI, reason=EMOJI, actor_id=BOB)
    await money.charge(GUILD, BOB, 5, username=BIDI, reason=BIDI)


@asynccontextmanager
async def serve_dashboard(
    url: str, *arguments: str, workers: int = 1
) -> AsyncIterator[tuple[str, int]]:
    """Start a server in a new process; the result is its address and its process id.

    Args:
        url: The database.
        *arguments: Those of Python, without a port.
        workers: How many workers are to start.
    """
    port = find_free_port()
    path = (str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", ""))
    variables = {
        "DATABASE_URL": url,
        "DASHBOARD_TOKEN": TOKEN,
        "PYTHONPATH": os.pathsep.join(path),
    }
    async with run_uvicorn(
        *(*arguments, "--port", str(port)),
        folder=ROOT,
        environment={**os.environ, **variables},
        workers=workers,
    ) as process_id:
        yield f"http://127.0.0.1:{port}", process_id


def create_app_that_keeps_nothing() -> Any:
    """Return the dashboard; each page computes its report anew."""
    reports: Any = import_module("examples.dashboard.reports")
    reports.KEEP_SECONDS = reports.KEEP_FACTOR = 0
    reports.MAX_WAIT = LONG
    return import_module("examples.dashboard.app").create_app()
