"""Completion in the shell works as documented."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rich")
pytest.importorskip("asyncclick")

from helpers.cli_commands import COMPLETION_SCRIPTS
from helpers.cli_runner import make_environment, run_command

VARIABLE = "_BYTES_SQUADS_COMPLETE"
ASK_BASH = {VARIABLE: "bash_complete"}


async def completed(*words: str) -> set[str]:
    """What bash is offered for the last of the words."""
    line = ("bytes-squads", *words)
    result = await run_command(COMP_WORDS=" ".join(line), COMP_CWORD=str(len(words)), **ASK_BASH)
    assert (result.exit_code, result.stderr) == (0, "")
    return {line.partition(",")[2] for line in result.stdout.split()}


async def test_completion_completes_commands_and_options() -> None:
    """Also those of a command inside a command; nothing is offered for an id."""
    assert await completed("ba") == {"balance"}
    assert await completed("config", "s") == {"set", "show"}
    assert await completed("config", "set", "--role") == {"--role-rewards"}
    assert {"--guild", "--json", "--key"} <= await completed("grant", "--")
    assert await completed("balance", "--guild", "1") == set()
    files = await run_command(COMP_WORDS="bytes-squads import gu", COMP_CWORD="2", **ASK_BASH)
    assert files.stdout == "file,gu\n"  # which the shell completes itself


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_completion_has_a_script_for_each_shell(shell: str) -> None:
    """Printed when the shell asks for it by the variable."""
    result = await run_command(**{VARIABLE: f"{shell}_source"})
    assert result.exit_code == 0
    assert f"{VARIABLE}={shell}_complete" in result.stdout


@pytest.mark.parametrize("shell", COMPLETION_SCRIPTS)
def test_completion_works_in_an_installed_shell(shell: str, tmp_path: Path) -> None:
    """With the lines of the reference page, in the shell itself."""
    program = shutil.which(shell)
    folder = Path(sys.executable).parent
    if program is None or sys.platform == "win32":
        pytest.skip(f"there is no {shell}")
    if not (folder / "bytes-squads").exists():
        pytest.skip("bytes-squads is not on the path")
    variables = make_environment(HOME=str(tmp_path))
    variables["PATH"] = f"{folder}:{variables['PATH']}"
    if shell == "bash":
        bash_is = subprocess.run([program, "--version"], capture_output=True, check=True).stdout
        if bash_is.startswith(b"GNU bash, version 3"):
            pytest.skip("the completion needs bash 4.4")
    result = subprocess.run(
        [program, "-c", COMPLETION_SCRIPTS[shell]],
        env=variables,
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert (result.stderr, set(result.stdout.split())) == ("", {"set", "show"})
