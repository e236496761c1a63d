"""The fixture of the tests of the example bot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
from helpers import Clock

import bytes_squads

if TYPE_CHECKING:
    from helpers.example_bot import RunningBot


@pytest.fixture
async def running_bot(
    copied_url: str,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> AsyncIterator[RunningBot]:
    """Run the example bot in a guild, on each database; fail if it logs an unexpected error."""
    from helpers.example_bot import run_example_bot  # needs discord.py

    monkeypatch.setenv("DATABASE_URL", copied_url)
    async with run_example_bot(clock) as running_bot:
        yield running_bot
    await bytes_squads.close()
    assert running_bot.errors_logged(caplog) == []
