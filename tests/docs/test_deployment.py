"""The files of docs/how-to/deployment.md fit the package."""

from __future__ import annotations

import configparser
import json
import re

from helpers.doc_blocks import read_blocks
from helpers.paths import ROOT

from bytes_squads.database import CLOSE_TIMEOUT, connection_config

PAGE = ROOT / "docs" / "how-to" / "deployment.md"
FILES = {block.file: block.code for block in read_blocks(PAGE) if block.file}


def test_systemd_unit_stops_and_opens_as_the_package_needs() -> None:
    """More seconds to stop than `close` takes, Ctrl-C's signal, a file in the writable folder."""
    unit = configparser.ConfigParser(interpolation=None)
    unit.read_string(FILES["bot.service"])
    service = unit["Service"]
    name, _, url = service["Environment"].partition("=")

    assert float(service["TimeoutStopSec"]) > CLOSE_TIMEOUT
    assert service["KillSignal"] == "SIGINT"
    assert name == "DATABASE_URL"
    folder = f"/var/lib/{service['StateDirectory']}/"
    assert connection_config(url)["credentials"]["file_path"].startswith(folder)
    assert service["ExecStartPre"].endswith("/bytes-squads upgrade")


def test_container_stops_and_opens_as_the_package_needs() -> None:
    """Ctrl-C's signal reaches Python itself, and the file is in the volume."""
    lines = dict(line.split(" ", 1) for line in FILES["Containerfile"].splitlines())
    url = re.search(r"DATABASE_URL=(\S+)", lines["ENV"])

    assert lines["STOPSIGNAL"] == "SIGINT"
    assert json.loads(lines["CMD"])[-1] == "bot.py"
    assert url is not None
    file = connection_config(url[1])["credentials"]["file_path"]
    assert file.startswith(f"{lines['VOLUME']}/")
    seconds = re.search(r"--stop-timeout (\d+)", PAGE.read_text(encoding="utf-8"))
    assert seconds is not None
    assert float(seconds[1]) > CLOSE_TIMEOUT
