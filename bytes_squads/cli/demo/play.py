"""Two weeks of a guild of sixty members, played through the public operations, many at a time."""

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
from .scenario import CONFIG, DAYS, FIRST_DAY, ROLES, Act, Story, squads

AT_ONCE = 32
"""How many operations are under way at the same time."""

DISCORD_EPOCH = datetime(2015, 1, 1, tzinfo=UTC)


@dataclass
class Tally:
    """What came of the acts.

    Attributes:
        done: How many were carried out.
        repeated: How many of these were an order sent twice, whose second copy moved nothing.
        refused: How many were refused, by error class.
        examples: One message of each error class.
        names: What stands in messages in place of ids.
    """

    done: int = 0
    repeated: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    _seen: set[UUID] = field(default_factory=set)

    def carried_out(self, answer: object) -> None:
        """Count an act that was done."""
        self.done += 1
        if isinstance(answer, BytesTransaction):
            self.repeated += answer.id in self._seen
            self._seen.add(answer.id)

    def refusal(self, error: BytesSquadsError) -> None:
        """Count an act that was refused."""
        name = type(error).__name__
        self.refused[name] += 1
        message = str(error)
        for number, called in self.names.items():
            message = message.replace(number, called)
        self.examples.setdefault(name, message)


def new_guild_id() -> str:
    """A snowflake as Discord would give it now, so that each run has a guild of its own."""
    milliseconds = int((datetime.now(UTC) - DISCORD_EPOCH).total_seconds() * 1000)
    return str(milliseconds << 22 | secrets.randbits(22))


async def play(console: Console) -> bool:
    """Play the two weeks in a new guild of the open database and show what came of it.

    Args:
        console: Where to show it; the progress bar only appears on a terminal.

    Returns:
        Whether every balance is what the ledger says.

    Raises:
        StorageUnavailableError: The database went away.
        OutcomeUnknownError: It went away while committing.
    """
    guild_id = new_guild_id()
    eve = SquadOperations(clock=lambda: FIRST_DAY)
    await BytesOperations(clock=lambda: FIRST_DAY).update_config(guild_id, CONFIG)
    made = {squad.name: await eve.create_squad(squad) for squad in squads(guild_id)}
    story = Story(guild_id, made)
    tally = Tally(
        names={str(squad.id): squad.name for squad in made.values()}
        | {member.user_id: member.name for member in story.members}
    )
    console.print(f"Playing {DAYS} days of a guild of {len(story.members)} members …")
    began = time.perf_counter()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("operations"),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    ) as progress:
        days = [story.day(number) for number in range(DAYS)]
        bar = progress.add_task("", total=sum(map(len, days)))
        gate = asyncio.Semaphore(AT_ONCE)

        async def carry_out(act: Act) -> None:
            async with gate:
                await _carry_out(act, tally)
            progress.advance(bar)

        for number, acts in enumerate(days, 1):
            progress.update(bar, description=f"Day {number:2} of {DAYS}")
            await asyncio.gather(*map(carry_out, acts))
    seconds = time.perf_counter() - began
    refused = sum(tally.refused.values())
    console.print(
        f"{tally.done + refused:,} operations in {seconds:.1f} s, up to {AT_ONCE} at a time: "
        f"{tally.done:,} done, {refused:,} refused.\n"
        f"{tally.repeated} orders arrived twice and moved their bytes once.\n"
    )
    return await _show(console, guild_id, story, tally)


async def _carry_out(act: Act, tally: Tally) -> None:
    def clock() -> datetime:
        return act.at

    try:
        answer = await act.ask(BytesOperations(clock=clock), SquadOperations(clock=clock))
    except (StorageUnavailableError, OutcomeUnknownError):
        raise  # pragma: no cover  # no refusal to be counted
    except BytesSquadsError as error:
        tally.refusal(error)
    else:
        tally.carried_out(answer)


async def _show(console: Console, guild_id: str, story: Story, tally: Tally) -> bool:
    """Print the five tables."""
    bytes_ops, squad_ops = BytesOperations(), SquadOperations()
    names = {member.user_id: member.name for member in story.members}
    role_names = {role_id: name for name, (role_id, _) in ROLES.items()}
    heroine = story.heroine

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
            heroine.name,
            heroine.user_id,
            await bytes_ops.get_transaction_history(guild_id, heroine.user_id, limit=12),
            (await bytes_ops.get_balance(guild_id, heroine.user_id)).balance,
        )
    )
    console.print(tables.refusals(tally.refused, tally.examples))
    report = await bytes_ops.verify(guild_id)
    console.print(tables.report(report))
    return report.ok
