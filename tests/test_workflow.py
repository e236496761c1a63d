"""The workflow of continuous integration: valid, modest, and about the project as it is."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
from databases import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.fixture
def workflow() -> Any:
    """The workflow as its runner reads it."""
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))


def steps(workflow: Any) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_it_runs_what_must_pass_before_a_merge(workflow: Any) -> None:
    """The same `make check`, and no target that the Makefile does not have."""
    commands = " ".join(step.get("run", "") for step in steps(workflow))
    targets = re.findall(r"\bmake ([a-z]+)", commands)

    assert "check" in targets
    assert [name for name in targets if not re.search(rf"^{name}:", MAKEFILE, re.MULTILINE)] == []


def test_it_covers_every_python_that_the_package_says_it_runs_on(workflow: Any) -> None:
    """The versions of the matrix are those of the classifiers."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    said = [
        match[1]
        for line in project["classifiers"]
        if (match := re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", line))
    ]

    assert project["requires-python"] == f">={said[0]}"
    assert workflow["jobs"]["check"]["strategy"]["matrix"]["python"] == said


def test_it_may_do_no_more_than_read(workflow: Any) -> None:
    """No token that writes, and none left in the checkout for a dependency to find."""
    checkout = [step for step in steps(workflow) if step.get("uses", "").startswith("actions/ch")]

    assert workflow["permissions"] == {"contents": "read"}
    assert [step["with"]["persist-credentials"] for step in checkout] == [False]


def test_a_newer_push_ends_the_older_run(workflow: Any) -> None:
    """One run for each branch, and none that runs for hours."""
    assert workflow["concurrency"]["cancel-in-progress"] is True
    assert all(job["timeout-minutes"] <= 30 for job in workflow["jobs"].values())
