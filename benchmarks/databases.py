"""Compare databases: the same transfers on each in turn, by 8 clients over 50 guilds.

``python -m benchmarks.databases plain=postgres://… citus=postgres://…`` needs migrated databases,
and leaves new guilds in them. The first one is the standard of the others.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from statistics import median

import bytes_squads
from bytes_squads import BytesConfigUpdate
from bytes_squads.domain.rules import utc_now

from .stage import measure_rate
from .workloads import PackageOperations, member, transfer

CLIENTS, GUILDS, MEMBERS = 8, 50, range(1, 41)


async def _compare(urls: dict[str, str], rounds: int, seconds: float) -> None:
    package = PackageOperations(utc_now)
    first = random.randrange(10**17, 10**18)
    guilds = [str(guild_id) for guild_id in range(first, first + GUILDS)]

    async def transfer_once() -> None:
        await package.transfer(transfer(*random.sample(MEMBERS, 2), guild_id=random.choice(guilds)))

    rates: dict[str, list[float]] = {name: [] for name in urls}
    for number in range(rounds + 1):
        for name, url in urls.items():
            await bytes_squads.init(url)
            if number:
                rates[name].append(await measure_rate(seconds, [transfer_once] * CLIENTS))
            else:
                for guild_id in guilds:
                    await package.bytes.grant_many(guild_id, {member(n): 10**9 for n in MEMBERS})
                    await package.bytes.update_config(guild_id, BytesConfigUpdate(max_transfer=9))
                await measure_rate(seconds, [transfer_once] * CLIENTS)  # warms the server's caches
            await bytes_squads.close()
    standard = next(iter(rates.values()))
    for name, measured in rates.items():
        ratio = median(rate / base for rate, base in zip(measured, standard, strict=True))
        low, high = min(measured), max(measured)
        print(f"{name}: {median(measured):.0f} transfers/s ({low:.0f} … {high:.0f}), {ratio:.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.databases", description=__doc__)
    parser.add_argument("databases", nargs="+", metavar="NAME=URL")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    urls = dict(text.split("=", 1) for text in options.databases)
    asyncio.run(_compare(urls, options.rounds, options.seconds))
