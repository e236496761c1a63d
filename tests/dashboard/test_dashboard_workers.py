"""Two workers of the dashboard beside a bot that writes: three processes and one database."""

from __future__ import annotations

import asyncio
import re
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import accumulate
from time import monotonic
from typing import Any

import psutil
import pytest
from helpers import ALICE, BOB, CAROL, GUILD, make_transfer, read_rows
from helpers.backends import LONG
from helpers.dashboard import (
    MEMBERS,
    TOKEN,
    member_id,
    populate_dashboard,
    serve_dashboard,
)
from helpers.sample_guild import open_database

from bytes_squads import BytesOperations, BytesTransaction, SquadOperations

aiohttp = pytest.importorskip("aiohttp")
for library in ("fastapi", "jinja2", "matplotlib", "uvicorn"):
    pytest.importorskip(library)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no Ctrl-C for a child process")

START = (
    *("-m", "uvicorn", "--factory", "helpers.dashboard:create_app_that_keeps_nothing"),
    *("--workers", "2"),
)
UNKNOWN = "299999999999999999"
BASE = f"/guilds/{GUILD}"
OVERVIEW, BOOKS, LEADERBOARD, LEDGER = "?days=all", "/books", "/leaderboard", "/ledger"
PAGES = (
    OVERVIEW,
    BOOKS,
    LEADERBOARD,
    LEDGER,
    "/squads",
    "/charts/circulation.svg",
    f"/ledger?member={BOB}",
    f"/ledger?member={UNKNOWN}",
)
VISITORS, VISITS = 3, 5
FIGURES = {
    "circulation": "<dt>In circulation</dt><dd>([0-9,]+)<",
    "members": "<dt>Members</dt><dd>([0-9,]+)<",
    "created": "<dt>Created</dt><dd>([0-9,]+)<",
    "retired": "<dt>Retired</dt><dd>([0-9,]+)<",
    "starting": 'starting</a></td><td class="number">([0-9,]+)<',
}


class Bot:
    """A bot that makes all kinds of entries, one after another, and notes how long each takes."""

    def __init__(self, squad: Any) -> None:
        self.money, self.squads, self.squad = BytesOperations(), SquadOperations(), squad
        self.seconds: list[float] = []
        self.rounds = 0

    async def do(self, operation: Awaitable[object]) -> None:
        """Await an operation."""
        began = monotonic()
        await operation
        self.seconds.append(monotonic() - began)

    async def write(self) -> None:
        """Make a member known, and move bytes in ways that change the circulation and do not."""
        self.rounds += 1
        user = member_id(1000 + self.rounds)
        await self.do(self.money.get_balance(GUILD, user, "new"))
        await self.do(self.money.grant(GUILD, BOB, self.rounds))
        await self.do(self.money.create_transaction(make_transfer(BOB, user, self.rounds)))
        await self.do(self.squads.join_squad(GUILD, user, self.squad))
        await self.do(self.money.charge(GUILD, user, 5))
        await self.do(self.squads.leave_squad(GUILD, user))


class Visitors:
    """Visitors of all pages, who note what is wrong with one."""

    def __init__(self, web: Any) -> None:
        self.web = web
        self.visits: Counter[str] = Counter()
        self.problems: list[str] = []
        self.circulations: set[int] = set()

    async def browse(self) -> None:
        """Visit every page, again and again."""
        for _ in range(VISITS):
            for path in PAGES:
                await self.visit(path)

    async def visit(self, path: str) -> None:
        """Visit a page."""
        async with self.web.get(BASE + path) as answer:
            page = await answer.text()
        self.visits[path] += 1
        is_right = CHECKS.get(path, lambda _, __: True)
        if answer.status != 200 or not is_right(self, page):
            self.problems.append(f"{path}: {answer.status} {page}")

    def check_overview(self, page: str) -> bool:
        """Compare the figures of one moment; every member has a starting balance."""
        found = {name: numbers_of(pattern, page)[0] for name, pattern in FIGURES.items()}
        self.circulations.add(found["circulation"])
        balance = found["created"] - found["retired"]
        return (found["circulation"], found["members"]) == (balance, found["starting"])

    def check_books(self, page: str) -> bool:
        """Look for the good news."""
        return "Every balance agrees with the ledger." in page

    def check_leaderboard(self, page: str) -> bool:
        """Compare each member with the next."""
        balances = numbers_of(r'<td class="number">([0-9,]+)</td></tr>', page)
        return len(balances) == 25 and balances == sorted(balances, reverse=True)

    def check_ledger(self, page: str) -> bool:
        """Compare each row with the next."""
        times = re.findall(r'<time datetime="([^"]+)"', page)
        return len(times) == 25 and times == sorted(times, reverse=True)


CHECKS: dict[str, Callable[[Visitors, str], bool]] = {
    OVERVIEW: Visitors.check_overview,
    BOOKS: Visitors.check_books,
    LEADERBOARD: Visitors.check_leaderboard,
    LEDGER: Visitors.check_ledger,
}


def numbers_of(pattern: str, page: str) -> list[int]:
    """Return the numbers that a page shows in a place."""
    return [int(number.replace(",", "")) for number in re.findall(pattern, page)]


@asynccontextmanager
async def visitors(address: str) -> AsyncIterator[Visitors]:
    """Return visitors with the token; each request has a connection, which any worker may take."""
    async with aiohttp.ClientSession(
        address,
        connector=aiohttp.TCPConnector(force_close=True),
        cookie_jar=aiohttp.CookieJar(unsafe=True),
    ) as web:
        async with web.get(f"/?token={TOKEN}", allow_redirects=False) as answer:
            assert answer.status == 303
        yield Visitors(web)


def worker_times(process: int) -> dict[int, float]:
    """Return the processor time of each worker of a server."""
    return {
        child.pid: sum(child.cpu_times()[:2])
        for child in psutil.Process(process).children()
        if "resource_tracker" not in " ".join(child.cmdline())
    }


async def test_two_workers_beside_a_bot_show_what_is_in_the_ledger(copied_url: str) -> None:
    """Every page is shown, with figures of one moment, and no request changes anything.

    The circulation is one that the ledger had, all of it created and not retired. The books agree.
    No write of the bot fails or waits for long. In the end the database has what the bot has
    written, and no more. Both workers have answered.
    """
    async with open_database(copied_url) as ops:
        await populate_dashboard()
        squad = (await SquadOperations().get_squad_leaderboard(GUILD))[0].squad.id
        entries = await BytesTransaction.all().count()
        bot = Bot(squad)
        async with (
            serve_dashboard(copied_url, *START, workers=2) as (address, process),
            visitors(address) as crowd,
            asyncio.timeout(240),
        ):
            before = worker_times(process)
            browsing = asyncio.gather(*(crowd.browse() for _ in range(VISITORS)))
            while not browsing.done():
                await bot.write()
                await asyncio.sleep(0.02)
            await browsing
            worked = [after - before[worker] for worker, after in worker_times(process).items()]
            rows = await read_rows()
            await asyncio.gather(*(crowd.visit(path) for path in PAGES))
            rows_after_visits = await read_rows()
        ledger = await BytesTransaction.all().order_by("created_at", "id")
        report = await ops.verify()

    flows = (
        (entry.giver_id == "SYSTEM") * entry.amount - (entry.receiver_id == "SYSTEM") * entry.amount
        for entry in ledger
    )
    users = {row["user_id"] for row in rows["bytes_balances"]}
    known = {ALICE, BOB, CAROL, *map(member_id, range(MEMBERS))}
    assert crowd.problems == []
    assert crowd.visits == dict.fromkeys(PAGES, VISITORS * VISITS + 1)
    assert crowd.circulations <= set(accumulate(flows))
    assert len(crowd.circulations) > VISITS
    assert max(bot.seconds) < LONG
    assert report.ok
    assert users == known | {member_id(1001 + number) for number in range(bot.rounds)}
    # Each round: the starting balance, grant, transfer, join, charge, leave.
    assert len(ledger) == entries + 6 * bot.rounds
    assert rows_after_visits == rows
    assert len(worked) == 2
    assert min(worked) > sum(worked) / 10
