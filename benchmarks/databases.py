"""Compare databases: the same transfers on each in turn, by some clients over some guilds.

``python -m benchmarks.databases plain=postgres://… citus=postgres://…`` needs migrated databases,
and leaves new guilds in them. The first one is the standard of the others.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from statistics import median

import bytes_squads
from bytes_squads import BytesConfigUpdate, BytesOperations, BytesTransactionCreate

MEMBERS = range(1, 41)
"""The members of each guild."""


def main() -> None:
    """Measure the databases of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.databases", description=__doc__)
    parser.add_argument("databases", nargs="+", metavar="NAME=URL")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--guilds", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0)
    asyncio.run(_compare(parser.parse_args()))


async def _compare(options: argparse.Namespace) -> None:
    urls = dict(text.split("=", 1) for text in options.databases)
    first = random.randrange(10**17, 10**18)
    guilds = range(first, first + options.guilds)
    for url in urls.values():
        await bytes_squads.init(url)
        for guild in guilds:
            await BytesOperations().grant_many(guild, dict.fromkeys(MEMBERS, 10**9))
            await BytesOperations().update_config(guild, BytesConfigUpdate(max_transfer=10**6))
        await bytes_squads.close()
    rates: dict[str, list[float]] = {name: [] for name in urls}
    for _ in range(options.rounds):
        for name, url in urls.items():
            await bytes_squads.init(url)
            rates[name].append(await _measure(guilds, options.clients, options.seconds))
            await bytes_squads.close()
    standard = next(iter(rates.values()))
    for name, measured in rates.items():
        ratio = median(rate / base for rate, base in zip(measured, standard, strict=True))
        low, high = min(measured), max(measured)
        print(f"{name}: {median(measured):.0f} transfers/s ({low:.0f} … {high:.0f}), {ratio:.2f}")


async def _measure(guilds: range, clients: int, seconds: float) -> float:
    """Return transfers per second."""
    ops = BytesOperations()

    async def transfer_until(end: float) -> int:
        count = 0
        while time.perf_counter() < end:
            giver, receiver = random.sample(MEMBERS, 2)
            data = BytesTransactionCreate(
                guild_id=random.choice(guilds),
                giver_id=giver,
                giver_username="giver",
                receiver_id=receiver,
                receiver_username="receiver",
                amount=1,
            )
            await ops.create_transaction(data)
            count += 1
        return count

    await asyncio.gather(*(transfer_until(time.perf_counter() + 0.5) for _ in range(clients)))
    begin = time.perf_counter()
    counts = await asyncio.gather(*(transfer_until(begin + seconds) for _ in range(clients)))
    return sum(counts) / (time.perf_counter() - begin)


if __name__ == "__main__":
    main()
