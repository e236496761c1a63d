"""The pages about web apps: each app runs under uvicorn with two workers, as its page starts it.

The pages are docs/how-to/fastapi.md and litestar.md. Requests and answers are those of the page.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from helpers.doc_blocks import Block, read_blocks
from helpers.doc_runner import DocRunner
from helpers.paths import ROOT
from helpers.uvicorn_process import find_free_port, run_uvicorn

import bytes_squads
from bytes_squads import BytesOperations

aiohttp = pytest.importorskip("aiohttp")
pytest.importorskip("uvicorn")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no Ctrl-C for a child process")

START = "uvicorn app:app --workers 2\n"


def page(name: str) -> list[Block]:
    """Return the blocks of a page; skip the test if what it is about is not installed."""
    pytest.importorskip(name)
    return read_blocks(ROOT / "docs" / "how-to" / f"{name}.md")


@asynccontextmanager
async def served(reader: DocRunner, blocks: list[Block], url: str) -> AsyncIterator[str]:
    """Do what a page says and run its app with two workers; the result is the app's address."""
    for block in blocks:
        if block.code != START:
            reader.run_block(block)
    assert START in {block.code for block in blocks}
    port = find_free_port()
    async with run_uvicorn(
        *("-m", *START.split()),
        folder=reader.folder,
        environment={**reader.environment, "DATABASE_URL": url, "UVICORN_PORT": str(port)},
        workers=2,
    ):
        yield f"http://127.0.0.1:{port}"


def requests(blocks: list[Block]) -> Iterator[tuple[str, str, dict[str, str], int, object]]:
    """Yield each request of a page: method, path, headers; and the answer's status and JSON."""
    (block,) = [block for block in blocks if block.caption == "Requests"]
    lines = iter(block.code.splitlines())
    for line in lines:
        match = re.fullmatch(r"(\w+) (\S+?)(?:, ([\w-]+): (\S+))?", line)
        assert match, line
        status, body = next(lines).split(" ", 1)
        headers = {match[3]: match[4]} if match[3] else {}
        yield match[1], match[2], headers, int(status), json.loads(body)


@pytest.mark.parametrize("name", ["fastapi", "litestar"])
async def test_web_app_answers_as_its_page_says(reader: DocRunner, name: str) -> None:
    """Status and JSON of each request; and 503 once the database's file is gone."""
    blocks = page(name)
    async with served(reader, blocks, "") as address, aiohttp.ClientSession(address) as client:
        for method, path, headers, status, body in requests(blocks):
            async with client.request(method, path, headers=headers) as answer:
                assert (answer.status, await answer.json()) == (status, body), path
        for file in reader.folder.glob("bytes_squads.db*"):
            file.unlink()
        async with client.get("/guilds/1/leaderboard") as answer:
            error = (answer.status, (await answer.json())["error"])

    assert error == (503, "StorageUnavailableError")


async def test_two_workers_beside_a_bot_move_each_byte_once(
    reader: DocRunner, copied_url: str
) -> None:
    """On both databases: each charge is sent three times, while the bot pays the same member."""
    blocks = page("fastapi")

    async def charge(client: aiohttp.ClientSession, number: int) -> int:
        path, headers = "/guilds/1/members/10/charges?amount=1", {"Idempotency-Key": f"c{number}"}
        async with client.post(path, headers=headers) as answer:
            return answer.status

    await bytes_squads.init(copied_url)
    try:
        ops = BytesOperations()
        async with (
            served(reader, blocks, copied_url) as address,
            aiohttp.ClientSession(address, connector=aiohttp.TCPConnector(force_close=True)) as web,
        ):
            charges = [charge(web, number) for number in range(30) for _ in range(3)]
            grants = [ops.grant(1, 10, 1, idempotency_key=f"g{number}") for number in range(20)]
            statuses, _ = await asyncio.gather(asyncio.gather(*charges), asyncio.gather(*grants))
        member, report = await ops.get_balance(1, 10), await ops.verify()
    finally:
        await bytes_squads.close()

    assert set(statuses) == {201}
    assert report.ok
    assert member.balance == 100 + 20 - 30
