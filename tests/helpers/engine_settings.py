"""Short timeouts of the engine: the only place in these tests with private names."""

from __future__ import annotations

from importlib import import_module

import pytest

_NAMES = {
    "retry_deadline": (
        ("bytes_squads.engine.commit_checks", "RETRY_DEADLINE"),
        ("bytes_squads.engine.transaction", "RETRY_SECONDS"),
    ),
    "close_timeout": (
        ("bytes_squads.database", "CLOSE_TIMEOUT"),
        ("bytes_squads.database", "CLOSE_SECONDS"),
    ),
    "idle_timeout": (("bytes_squads.engine.connections", "IDLE_TIMEOUT"),),
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
    for module, name in _NAMES[setting]:
        if hasattr(import_module(module), name):
            monkeypatch.setattr(f"{module}.{name}", seconds)
            return
    pytest.fail(f"the engine has no {setting}")
