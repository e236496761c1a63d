"""An open database that can no longer be used is refused: wrong event loop, deleted file."""

from __future__ import annotations

import asyncio
import shutil
import sys
import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from helpers import ALICE, GUILD
from helpers.backends import LONG

import bytes_squads
from bytes_squads import BytesOperations, StorageUnavailableError

pytestmark = pytest.mark.usefixtures("close_after_test")

# Two event loops ----------------------------------------------------------------------------------


async def run_in_other_loop(work: Callable[[], Any]) -> Any:
    """Run the coroutine function in an event loop of another thread, beside this one."""

    def main() -> Any:
        return asyncio.run(asyncio.wait_for(work(), LONG))

    with ThreadPoolExecutor(1) as thread:
        return await asyncio.wrap_future(thread.submit(main))


@pytest.mark.parametrize(
    "work",
    [
        lambda: BytesOperations().grant(GUILD, ALICE, 1),
        lambda: BytesOperations().get_balance(GUILD, ALICE),
        bytes_squads.upgrade,
        bytes_squads.close,
        bytes_squads.init,
    ],
    ids=["grant", "get_balance", "upgrade", "close", "init"],
)
async def test_grant_upgrade_and_close_in_another_event_loop_are_refused(
    copied_url: str, work: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In another event loop they are refused; the first one goes on."""
    monkeypatch.setenv("DATABASE_URL", copied_url)
    await bytes_squads.init(copied_url)
    operations = BytesOperations()
    await operations.grant(GUILD, ALICE, 1)
    with pytest.raises(StorageUnavailableError, match="another event loop"):
        await run_in_other_loop(work)
    await operations.grant(GUILD, ALICE, 1)

    assert (await operations.get_balance(GUILD, ALICE)).balance == 102


async def test_grants_of_two_event_loops_at_once_leave_the_owner_whole(copied_url: str) -> None:
    """The first event loop goes on while another one is refused repeatedly."""
    await bytes_squads.init(copied_url)
    operations = BytesOperations()

    async def intrude() -> int:
        refused = 0
        for _ in range(50):
            try:
                await operations.grant(GUILD, ALICE, 1000)
            except StorageUnavailableError:
                refused += 1
        return refused

    refused, *_ = await asyncio.gather(
        run_in_other_loop(intrude), *(operations.grant(GUILD, ALICE, 1) for _ in range(50))
    )

    assert refused == 50
    assert (await operations.get_balance(GUILD, ALICE)).balance == 150


ENDED_LOOPS = """
    import asyncio, sys
    import bytes_squads
    from bytes_squads import BytesOperations, StorageUnavailableError

    async def grant(url=None):
        if url:
            await bytes_squads.init(url)
        await BytesOperations().grant(1, 2, 1)
        print((await BytesOperations().get_balance(1, 2)).balance)

    for _ in range(3):
        asyncio.run(grant(sys.argv[1]))
    try:
        asyncio.run(grant())
    except StorageUnavailableError as error:
        print(error)
    asyncio.run(bytes_squads.close())
    asyncio.run(grant(sys.argv[1]))
    asyncio.run(bytes_squads.close())
"""


async def test_init_in_a_new_event_loop_replaces_what_an_ended_one_left_open(
    copied_url: str,
) -> None:
    """A script that forgot close() before the end of its loop can call init() in the next."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", textwrap.dedent(ENDED_LOOPS), copied_url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(LONG):
        out, errors = await process.communicate()
    *balances, refusal, last = out.decode().splitlines()

    assert errors.decode() == ""
    assert process.returncode == 0
    assert [*balances, last] == ["101", "102", "103", "104"]
    assert "another event loop" in refusal


# A deleted file -----------------------------------------------------------------------------------


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    """The file of an open, migrated SQLite database."""
    path = tmp_path / "a.db"
    await bytes_squads.upgrade(f"sqlite://{path}")
    await bytes_squads.init(f"sqlite://{path}")
    await BytesOperations().grant(GUILD, ALICE, 1)
    return path


on_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps open files")


def replace(file: Path) -> None:
    """Put a copy in the place of a file."""
    copy = file.read_bytes()
    file.unlink()
    file.write_bytes(copy)


CHANGES: dict[str, Callable[[Path], Any]] = {
    "deleted": Path.unlink,
    "replaced": replace,
    "moved": lambda file: file.rename(file.with_name("b.db")),
    "folder deleted": lambda file: shutil.rmtree(file.parent),
}


@on_posix
@pytest.mark.parametrize("how", CHANGES)
async def test_grant_on_a_deleted_file_is_refused(file: Path, how: str) -> None:
    """An operation on a deleted file is refused."""
    CHANGES[how](file)
    with pytest.raises(StorageUnavailableError, match="deleted or replaced"):
        await BytesOperations().grant(GUILD, ALICE, 1)
    with pytest.raises(StorageUnavailableError, match="deleted or replaced"):
        async with bytes_squads.in_transaction():
            pytest.fail("the block was entered")


@on_posix
async def test_grant_works_again_after_init_on_a_replaced_file(file: Path) -> None:
    """After close() and init() a replaced file is used."""
    replace(file)
    with pytest.raises(StorageUnavailableError):
        await BytesOperations().grant(GUILD, ALICE, 1)
    await bytes_squads.close()
    await bytes_squads.init(f"sqlite://{file}")
    await BytesOperations().grant(GUILD, ALICE, 1)

    assert (await BytesOperations().get_balance(GUILD, ALICE)).balance in {101, 102}
