"""The commands of the command line, and its completion in each shell."""

from __future__ import annotations

from .paths import TESTS

SQUAD = "0198a7a2-9c4e-7d52-8a33-7d0c51f6b0aa"

COMMANDS: dict[str, tuple[str, ...]] = {
    "demo": (),
    "upgrade": (),
    "distribute": (),
    "verify": (),
    "leaderboard": ("--guild", "1"),
    "balance": ("--guild", "1", "2"),
    "history": ("--guild", "1"),
    "grant": ("--guild", "1", "2", "3"),
    "charge": ("--guild", "1", "2", "3"),
    "set-balance": ("--guild", "1", "2", "3"),
    "reset": ("--guild", "1", "--yes"),
    "reverse": ("--guild", "1", SQUAD),
    "members left": ("--guild", "1", "2"),
    "members export": ("--guild", "1", "2"),
    "members erase": ("--guild", "1", "2", "--yes"),
    "guild delete": ("--guild", "1", "--yes"),
    "import-balances": (str(TESTS / "helpers" / "balances.csv"), "--guild", "1"),
    "config show": ("--guild", "1"),
    "config set": ("--guild", "1", "--daily-amount", "5"),
    "squads list": ("--guild", "1"),
    "squads create": ("--guild", "1", "--role-id", "2", "--name", "x"),
    "squads update": ("--guild", "1", SQUAD, "--name", "x"),
    "squads delete": ("--guild", "1", SQUAD, "--yes"),
    "guilds": (),
    "stats": ("--guild", "1"),
    "status": (),
    "export": ("--guild", "1"),
    "import": (__file__,),
}
"""Each command with its required arguments."""

COMPLETION_SCRIPTS = {
    "bash": """
        eval "$(_BYTES_SQUADS_COMPLETE=bash_source bytes-squads)"
        COMP_WORDS=(bytes-squads config s) COMP_CWORD=2
        _bytes_squads_completion bytes-squads
        printf '%s\\n' "${COMPREPLY[@]}"
    """,
    "zsh": """
        compdef() { }  # these belong to the line editor, which only a terminal has
        compadd() { print -l -- $completions }
        _describe() { print -l -- ${completions_with_descriptions%%:*} }
        eval "$(_BYTES_SQUADS_COMPLETE=zsh_source bytes-squads)"
        words=(bytes-squads config s) CURRENT=3
        _bytes_squads_completion
    """,
    "fish": """
        _BYTES_SQUADS_COMPLETE=fish_source bytes-squads | source
        complete -C 'bytes-squads config s' | string replace -r '\\t.*' ''
    """,
}
"""For each shell, a script that completes ``bytes-squads config s``."""
