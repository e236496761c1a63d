"""Run the demo: two weeks of a guild of sixty members, through the public operations."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ... import (
    BytesOperations,
    BytesSquadsError,
    BytesTransaction,
    OutcomeUnknownError,
    SquadOperations,
    StorageUnavailableError,
)
from .. import tables
from .scenario import CONFIG, DAYS, FIRST_DAY, ROLES, Action, Scenario, squads

CONCURRENCY = 32
"""The number of operations that run at the same time."""

DISCORD_EPOCH = datetime(2015, 1, 1, tzinfo=UTC)


@dataclass
class Stats:
    """Results of the actions.

    Attributes:
        done: The number of actions that succeeded.
        repeated: The number of these that were repeated requests, which moved nothing.
        refused: The number of refusals by error class.
        examples: One message of each error class.
        names: The names that replace ids in messages.
    """

    done: int = 0
    repeated: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    _seen: set[UUID] = field(default_factory=set)

    def record_success(self, result: object) -> None:
        """Count an action that succeeded."""
        self.done += 1
        if isinstance(result, BytesTransaction):
            self.repeated += result.id in self._seen
            self._seen.add(result.id)

    def record_refusal(self, error: BytesSquadsError) -> None:
        """Count an action that was refused."""
        name = type(error).__name__
        self.refused[name] += 1
        message = str(error)
        for id_, called in self.names.items():
            message = message.replace(id_, called)
        self.examples.setdefault(name, message)


def new_guild_id() -> str:
    """Return a new snowflake, so that each run has a new guild."""
    milliseconds = int((datetime.now(UTC) - DISCORD_EPOCH).total_seconds() * 1000)
    return str(milliseconds << 22 | secrets.randbits(22))


async def run_demo(console: Console, guild_id: str) -> bool:
    """Simulate two weeks in a guild of the open database and show the result.

    Args:
        console: The output; the progress bar appears only on a terminal.
        guild_id: The guild (snowflake), a new one.

    Returns:
        Whether every balance agrees with the ledger.

    Raises:
        StorageUnavailableError: The database is unavailable.
        OutcomeUnknownError: The connection was lost during a COMMIT.
    """
    squad_ops = SquadOperations(clock=lambda: FIRST_DAY)
    await BytesOperations(clock=lambda: FIRST_DAY).update_config(guild_id, CONFIG)
    created = {squad.name: await squad_ops.create_squad(squad) for squad in squads(guild_id)}
    scenario = Scenario(guild_id, created)
    stats = Stats(
        names={str(squad.id): squad.name for squad in created.values()}
        | {member.user_id: member.name for member in scenario.members}
    )
    console.print(f"Simulating {DAYS} days of a guild of {len(scenario.members)} members …")
    started = time.perf_counter()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("operations"),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    ) as progress:
        days = [scenario.actions_of_day(number) for number in range(DAYS)]
        bar = progress.add_task("", total=sum(map(len, days)))
        semaphore = asyncio.Semaphore(CONCURRENCY)

        async def run_one(action: Action) -> None:
            async with semaphore:
                await _run_action(action, stats)
            progress.advance(bar)

        for number, actions in enumerate(days, 1):
            progress.update(bar, description=f"Day {number:2} of {DAYS}")
            await asyncio.gather(*map(run_one, actions))
    seconds = time.perf_counter() - started
    refused = sum(stats.refused.values())
    console.print(
        f"{stats.done + refused:,} operations in {seconds:.1f} s, {CONCURRENCY} at a time: "
        f"{stats.done:,} succeeded, {refused:,} refused.\n"
        f"{stats.repeated} requests were sent twice and moved bytes once.\n"
    )
    return await _print_summary(console, guild_id, scenario, stats)


async def _run_action(action: Action, stats: Stats) -> None:
    def clock() -> datetime:
        return action.at

    try:
        result = await action.run(BytesOperations(clock=clock), SquadOperations(clock=clock))
    except (StorageUnavailableError, OutcomeUnknownError):
        raise  # pragma: no cover  # not a refusal
    except BytesSquadsError as error:
        stats.record_refusal(error)
    else:
        stats.record_success(result)


async def _print_summary(console: Console, guild_id: str, scenario: Scenario, stats: Stats) -> bool:
    """Print the four tables and the result of `verify`; return whether the books balance."""
    bytes_ops, squad_ops = BytesOperations(), SquadOperations()
    names = {member.user_id: member.name for member in scenario.members}
    role_names = {role_id: name for name, (role_id, _) in ROLES.items()}
    featured = scenario.featured

    leaders = [
        tables.Leader(
            rank=entry.rank,
            name=names[entry.user_id],
            balance=entry.balance,
            streak=(await bytes_ops.get_balance(guild_id, entry.user_id)).streak_count,
            roles=sorted(
                role_names[role]
                for role in await bytes_ops.get_earned_roles(guild_id, entry.user_id)
            ),
        )
        for entry in await bytes_ops.get_leaderboard(guild_id, limit=10)
    ]
    console.print(tables.leaderboard(leaders))
    console.print(tables.standings(await squad_ops.get_squad_leaderboard(guild_id)))
    console.print(
        tables.history(
            featured.name,
            featured.user_id,
            await bytes_ops.get_transaction_history(guild_id, featured.user_id, limit=12),
            (await bytes_ops.get_balance(guild_id, featured.user_id)).balance,
        )
    )
    console.print(tables.refusals(stats.refused, stats.examples))
    report = await bytes_ops.verify(guild_id)
    console.print(tables.ledger_report(report))
    return report.ok
