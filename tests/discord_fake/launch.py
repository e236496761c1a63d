"""Run a bot's script against the Discord at a URL: ``python -m discord_fake.launch URL bot.py``."""

from __future__ import annotations

import runpy
import sys

from .server import redirected

if __name__ == "__main__":
    _, url, script = sys.argv
    sys.argv = [script]
    with redirected(url):
        runpy.run_path(script, run_name="__main__")
