"""Run a bot's script against a Discord: ``python -m helpers.discord_fake.launch URL FILE``."""

from __future__ import annotations

import runpy
import signal
import sys

from .server import redirected

if __name__ == "__main__":
    _, url, script = sys.argv
    sys.argv = [script]
    # A shell starts background commands with SIGINT ignored, which children inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with redirected(url):
        runpy.run_path(script, run_name="__main__")
