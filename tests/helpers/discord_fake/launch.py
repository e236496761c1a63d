"""Run a bot's script against a Discord: ``python launch.py LIBRARY URL FILE``.

It is run by its path, and imports nothing of the tests: the environment may be one that has the
bot's library and not theirs.
"""

from __future__ import annotations

import runpy
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from unittest.mock import patch

LIBRARIES = ("discord", "disnake", "hikari", "nextcord")
"""What bots import. py-cord is a `discord` as well."""


def gateway_url(url: str) -> str:
    """Return the gateway of the Discord at a URL."""
    return f"{url.replace('http', 'ws', 1)}/gateway/"


@contextmanager
def redirected(url: str, library: str = "discord") -> Iterator[None]:
    """Make a library of this process talk to the Discord at this URL."""
    with ExitStack() as stack:
        if library == "hikari":
            urls = import_module("hikari.urls")
            stack.enter_context(patch.object(urls, "REST_API_URL", f"{url}/api"))
        else:
            route = import_module(f"{library}.http").Route
            base = "API_BASE_URL" if hasattr(route, "API_BASE_URL") else "BASE"
            stack.enter_context(patch.object(route, base, f"{url}/api"))
            socket = import_module(f"{library}.gateway").DiscordWebSocket
            if hasattr(socket, "DEFAULT_GATEWAY"):  # the others ask for the address
                address = type(socket.DEFAULT_GATEWAY)(gateway_url(url))
                stack.enter_context(patch.object(socket, "DEFAULT_GATEWAY", address))
        yield


if __name__ == "__main__":
    _, library, url, script = sys.argv
    sys.argv = [script]
    sys.path[0] = str(Path(script).parent)  # as if Python ran the script
    # A shell starts background commands with SIGINT ignored, which children inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with redirected(url, library):
        runpy.run_path(script, run_name="__main__")
