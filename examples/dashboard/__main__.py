"""Start the dashboard: ``python -m examples.dashboard``."""

from __future__ import annotations

import argparse
import ipaddress
import os
import secrets

import uvicorn

MIN_TOKEN = 16


def main() -> None:
    """Parse the arguments and serve until Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.dashboard",
        description="Serve read-only pages about a guild's economy. The database is that of"
        " DATABASE_URL, the token that of DASHBOARD_TOKEN; without one, a new token is drawn.",
    )
    parser.add_argument("--database", metavar="URL", help="instead of DATABASE_URL")
    parser.add_argument(
        "--token", help=f"instead of DASHBOARD_TOKEN; {MIN_TOKEN} characters or more"
    )
    parser.add_argument("--guild", metavar="ID", help="the guild that the first page shows")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="port to listen on (%(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="processes (%(default)s)")
    options = parser.parse_args()

    token = options.token or os.environ.get("DASHBOARD_TOKEN") or secrets.token_urlsafe(32)
    if len(token) < MIN_TOKEN:
        parser.error(f"the token has fewer than {MIN_TOKEN} characters")
    os.environ["DASHBOARD_TOKEN"] = token  # each worker process reads it there
    if options.database:
        os.environ["DATABASE_URL"] = options.database
    if options.guild:
        os.environ["DASHBOARD_GUILD"] = options.guild
    if not is_loopback(options.host):
        print("Others can reach this address. Put a proxy with HTTPS in front of it.")
    host = f"[{options.host}]" if ":" in options.host else options.host
    print(f"Open http://{host}:{options.port}/?token={token}", flush=True)
    uvicorn.run(
        f"{__package__}.app:create_app",
        factory=True,
        host=options.host,
        port=options.port,
        workers=options.workers,
        access_log=False,  # it would show the token of the link
        server_header=False,
    )


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    main()
