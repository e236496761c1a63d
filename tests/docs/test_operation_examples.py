"""The reference of the operations: its table is complete, and each example prints what it says."""

from __future__ import annotations

import ast
import inspect
import re
from types import FunctionType
from typing import Any

import pytest
from helpers.paths import ROOT

import bytes_squads

FOLDER = ROOT / "docs" / "reference" / "examples"
PAGE = (ROOT / "docs" / "reference" / "operations.md").read_text(encoding="utf-8")
EXAMPLES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "setup")

OPERATIONS = [
    f"{name}.{method}"
    for name in bytes_squads.__all__
    if name.endswith("Operations")
    for method, _ in inspect.getmembers(getattr(bytes_squads, name), inspect.isfunction)
    if not method.startswith("_")
]


async def run(name: str, names: dict[str, Any]) -> None:
    """Run a file of the folder, which may await outside of functions."""
    path = FOLDER / f"{name}.py"
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile(path.read_text(encoding="utf-8"), str(path), "exec", flags, dont_inherit=True)
    result = FunctionType(code, names)()
    if inspect.iscoroutine(result):
        await result


def read_expected(name: str) -> str:
    """Return what the comments of an example say that it prints."""
    text = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    lines = re.findall(r"(?m)^(?:# | *print\(.*\)  # )(.*)$", text)
    return "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize("name", EXAMPLES)
async def test_each_example_prints_what_it_says(
    name: str, capsys: pytest.CaptureFixture[str], close_after_test: None
) -> None:
    """After the lines of ``setup.py``, in a new database."""
    names: dict[str, Any] = {}
    await run("setup", names)
    await run(name, names)

    assert read_expected(name) == capsys.readouterr().out
    assert re.search(rf"await (ops|squads|guilds)\.{name}\(", (FOLDER / f"{name}.py").read_text())


def test_each_operation_has_an_example() -> None:
    """And no example is of an operation that is not there."""
    assert sorted(operation.partition(".")[2] for operation in OPERATIONS) == EXAMPLES


def test_table_of_operations_is_complete() -> None:
    """Each public method of each class is in it once."""
    listed = re.findall(r"(?m)^   ~(\w+Operations\.\w+)$", PAGE)

    assert sorted(listed) == sorted(OPERATIONS)
    assert {line.partition(".")[0] for line in listed} == set(
        re.findall(r"autoclass:: bytes_squads\.(\w+)\n   :members:", PAGE)
    )
