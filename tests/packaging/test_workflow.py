"""The files that continuous integration, releases and development depend on."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from helpers.paths import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
LOCK = ROOT / "requirements-dev.lock"

each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: str(path.stem))


def read(path: Path) -> dict[str, Any]:
    """Return what a YAML file holds, as its runner reads it."""
    yaml = pytest.importorskip("yaml")
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


@pytest.fixture
def ci() -> dict[str, Any]:
    """Return the workflow that runs before a merge."""
    return read(ROOT / ".github" / "workflows" / "ci.yml")


@pytest.fixture
def release() -> dict[str, Any]:
    """Return the workflow that publishes."""
    return read(ROOT / ".github" / "workflows" / "release.yml")


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job.get("steps", ())]


def commands(workflow: dict[str, Any]) -> str:
    return "\n".join(step.get("run", "") for step in steps(workflow))


@each_workflow
def test_workflow_calls_targets_that_the_makefile_has(path: Path) -> None:
    """A renamed target is renamed in the workflows too."""
    targets = re.findall(r"\bmake ([a-z-]+)", commands(read(path)))

    assert [name for name in targets if not re.search(rf"^{name}:", MAKEFILE, re.MULTILINE)] == []


@each_workflow
def test_workflow_may_only_read(path: Path) -> None:
    """No token may write by default, and none is left in the checkout for a dependency to find."""
    workflow = read(path)
    checkouts = [
        step["with"]["persist-credentials"]
        for step in steps(workflow)
        if step.get("uses", "").startswith("actions/checkout")
    ]

    assert workflow["permissions"] == {"contents": "read"}
    assert set(checkouts) == {False}


@each_workflow
def test_workflow_job_ends_within_half_an_hour(path: Path) -> None:
    """A job that hangs is ended; one that calls another workflow has its limits there."""
    limits = [job["timeout-minutes"] for job in read(path)["jobs"].values() if "steps" in job]

    assert limits
    assert max(limits) <= 30


def test_ci_runs_what_must_pass_before_a_merge(ci: dict[str, Any]) -> None:
    """It runs the same `make check` as a developer, which runs the long tests too."""
    assert "make check" in commands(ci)
    assert re.search(r"^check: .*\btest test-long\b", MAKEFILE, re.MULTILINE)


def test_ci_covers_every_python_of_the_classifiers(ci: dict[str, Any]) -> None:
    """The versions of the matrix are those that the package says it runs on."""
    classifiers = [
        match[1]
        for line in PROJECT["classifiers"]
        if (match := re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", line))
    ]

    assert PROJECT["requires-python"] == f">={classifiers[0]}"
    assert ci["jobs"]["check"]["strategy"]["matrix"]["python"] == classifiers


def test_ci_covers_the_oldest_and_newest_postgres(ci: dict[str, Any]) -> None:
    """The suite runs on a server of each, by the variable that the fixtures read."""
    job = ci["jobs"]["postgres"]

    assert job["strategy"]["matrix"]["postgres"] == ["14", "18"]
    assert job["services"]["postgres"]["image"] == "postgres:${{ matrix.postgres }}"
    assert job["env"]["BYTES_SQUADS_TEST_POSTGRES"].startswith("postgres://")


def test_ci_covers_uvloop_and_the_lowest_versions(ci: dict[str, Any]) -> None:
    """One job sets the variable that the hooks read; one installs the lowest versions."""
    assert ci["jobs"]["uvloop"]["env"] == {"BYTES_SQUADS_TEST_UVLOOP": "1"}
    assert ci["jobs"]["lowest"]["steps"][-1]["run"] == "make test-lowest"


def test_ci_ends_an_older_run(ci: dict[str, Any]) -> None:
    """A newer push to a branch ends the run of the older one."""
    assert ci["concurrency"]["cancel-in-progress"] is True


def test_weekly_run_installs_the_development_versions() -> None:
    """Tortoise and Aerich come from their repositories, on a schedule."""
    workflow = read(ROOT / ".github" / "workflows" / "weekly.yml")
    matrix = workflow["jobs"]["development"]["strategy"]["matrix"]["include"]

    assert "schedule" in workflow[True]  # YAML reads the key `on` as a boolean
    assert {entry["library"] for entry in matrix} == {"tortoise-orm", "aerich"}
    assert all(entry["source"].startswith("git+https://") for entry in matrix)


def test_release_publishes_only_a_checked_tag(release: dict[str, Any]) -> None:
    """A tag is checked, then built, then published, without a stored token."""
    jobs = release["jobs"]
    identity = [name for name, job in jobs.items() if "permissions" in job]

    assert release[True] == {"push": {"tags": ["v*"]}}
    assert jobs["check"]["uses"] == "./.github/workflows/ci.yml"
    assert (jobs["build"]["needs"], jobs["publish"]["needs"]) == ("check", "build")
    assert identity == ["publish"]
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert "secrets" not in str(release)


def test_release_compares_the_tag_with_the_version(release: dict[str, Any]) -> None:
    """pyproject.toml has the line that the workflow looks for."""
    compared = re.search(r'"(version = \\".*?\\")"', commands(release))
    assert compared
    line = compared[1].replace('\\"', '"').replace("${GITHUB_REF_NAME#v}", PROJECT["version"])

    assert line in (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()


def test_pre_commit_hooks_run_the_tools_of_make_lint() -> None:
    """They need no download: the tools are those of the virtual environment."""
    (repository,) = read(ROOT / ".pre-commit-config.yaml")["repos"]
    tools = {hook["entry"].split()[0] for hook in repository["hooks"]}

    assert repository["repo"] == "local"
    assert tools == {".venv/bin/ruff", ".venv/bin/mypy"}


def test_lock_has_every_requirement_of_development() -> None:
    """Each is there in a version that pyproject.toml allows; `make lock` writes it again."""
    locked: dict[str, list[str]] = {}
    for line in LOCK.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            pinned = Requirement(line)
            (version,) = pinned.specifier
            locked.setdefault(canonicalize_name(pinned.name), []).append(version.version)
    extras = PROJECT["optional-dependencies"].values()
    wanted = [Requirement(text) for texts in (PROJECT["dependencies"], *extras) for text in texts]
    unmet = [
        str(requirement)
        for requirement in wanted
        if requirement.name != PROJECT["name"]
        and not all(
            map(
                requirement.specifier.contains,
                locked.get(canonicalize_name(requirement.name), ["0"]),
            )
        )
    ]

    assert unmet == []


def test_lock_names_no_address_and_no_folder() -> None:
    """It holds names, versions and conditions: no address, no folder of a machine."""
    assert re.findall(r"(?m)^(?![\w.-]+==|#).+|.*(?://|@ ).*", LOCK.read_text("utf-8")) == []
