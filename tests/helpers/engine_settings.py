"""Set the engine's timeouts for a test."""

from __future__ import annotations

import pytest

_NAMES = {
    "retry_deadline": "bytes_squads.engine.commit_checks.RETRY_DEADLINE",
    "close_timeout": "bytes_squads.database.CLOSE_TIMEOUT",
    "idle_timeout": "bytes_squads.engine.connections.IDLE_TIMEOUT",
}


def set_timeout(monkeypatch: pytest.MonkeyPatch, setting: str, seconds: float) -> None:
    """Set one of the engine's timeouts for a test.

    Args:
        monkeypatch: The test's.
        setting: ``retry_deadline`` (how long conflicts and lost connections are retried),
            ``close_timeout`` (how long `close` waits for operations) or ``idle_timeout`` (after
            which the server ends a transaction that sends nothing).
        seconds: Its value.
    """
    monkeypatch.setattr(_NAMES[setting], seconds)
