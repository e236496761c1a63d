"""A password in a URL appears in no message, cause, context, traceback or log."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import traceback
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from helpers.assertions import naming
from helpers.backends import LONG
from helpers.cli_runner import make_environment
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bytes_squads
from bytes_squads import StorageUnavailableError
from bytes_squads.database import connection_config

pytestmark = pytest.mark.usefixtures("close_after_test")

LEFT, RIGHT = "swordfish", "mackerel"
"""The two halves of every password here; neither may be seen anywhere."""

SERVER = "127.0.0.1:1"  # no server listens there


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """All log messages, from DEBUG on."""
    with caplog.at_level(logging.DEBUG):
        yield caplog


def shown_by(error: BaseException | None) -> str:
    """All that an error, its causes and its contexts can show, their attributes included."""
    parts: list[str] = []
    todo, seen = [error], set()
    while todo:
        current = todo.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        parts += [str(current), repr(current), repr(current.args), repr(vars(current))]
        parts += traceback.format_exception(current)
        todo += [current.__cause__, current.__context__]
    return "\n".join(parts)


def assert_secret(shown: str) -> None:
    """Neither half of the password is in the text, in any case."""
    assert LEFT not in shown.casefold()
    assert RIGHT not in shown.casefold()


BETWEEN = [
    "/",
    "?",
    "#",
    "@",
    ":",
    "/?",
    "?/",
    "#/",
    "@/",
    "/@",
    "@?",
    "?a=@",
    "?a=b&c@",
    "%",
    "%2",
    ",",
    ",@",
]
BETWEEN += ["//", "/x?y=", "?maxsize=", "?sslmode=", "[", "]", "\\", " ", "\n", "\t", "'", '"', "&"]
BETWEEN += [
    "&maxsize=",
    "://",
    "?password=",
    "%zz",
    "\0",
    "\ud800",
    "😀",
    "%00",
    "%ED%A0%80",
    "?&#@",
]
URLS = [
    "postgres://bot:{}@" + SERVER + "/economy",
    "postgresql://bot:{}@" + SERVER + "/economy?connect_timeout=1",
    "postgres://:{}@" + SERVER + "/economy",
    "postgres://bot@" + SERVER + "/economy?password={}",
    "postgres://bot@" + SERVER + "/economy?maxsize=1&password={}&minsize=0",
    "postgres://bot@" + SERVER + "/economy?password={}&minsize=many",
    "mysql://bot:{}@" + SERVER + "/economy",
    "bot:{}@" + SERVER + "/economy",
    "postgres:bot:{}@" + SERVER + "/economy",
    "{}",
]


@pytest.mark.parametrize("form", URLS)
async def test_init_shows_no_piece_of_an_unescaped_password(
    form: str, everything_logged: pytest.LogCaptureFixture
) -> None:
    """With any unescaped character in the password, the error has neither half."""
    for between in BETWEEN:
        with naming(between):
            url = form.format(f"{LEFT}{between}{RIGHT}")
            with pytest.raises(StorageUnavailableError) as info:
                await asyncio.wait_for(bytes_squads.init(url), LONG)
            assert_secret(shown_by(info.value))
    assert_secret(everything_logged.text)
    assert_secret("".join(repr(record.args) for record in everything_logged.records))


@pytest.mark.parametrize("form", URLS[:6])
async def test_init_shows_no_piece_of_an_escaped_password(
    form: str, everything_logged: pytest.LogCaptureFixture
) -> None:
    """A percent-encoded password is shown in neither of its spellings."""
    password = f"{LEFT}/?#@%&{RIGHT}"
    with pytest.raises(StorageUnavailableError) as info:
        await asyncio.wait_for(bytes_squads.init(form.format(quote(password, safe=""))), LONG)
    with pytest.raises(StorageUnavailableError) as upgrade_info:
        await asyncio.wait_for(bytes_squads.upgrade(form.format(quote(password, safe=""))), LONG)

    assert_secret(shown_by(info.value))
    assert_secret(shown_by(upgrade_info.value))
    assert_secret(everything_logged.text)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    form=st.sampled_from(URLS[:-1]),
    between=st.lists(
        st.sampled_from(["", "/", "?", "#", "@", ":", "=", "&", "%", "[", "]", "x", "1"])
    ),
    after=st.sampled_from(["", "/", "?", "@", "#"]),
)
def test_connection_config_refuses_without_a_piece_of_the_password(
    form: str, between: list[str], after: str
) -> None:
    """The error of an invalid URL has neither half of the password."""
    url = form.format(f"{LEFT}{''.join(between)}{RIGHT}{after}")
    refusal: StorageUnavailableError | None = None
    config: dict[str, Any] = {"credentials": {}}
    try:
        config = connection_config(url)
    except StorageUnavailableError as error:
        refusal = error
    public = {name: value for name, value in config["credentials"].items() if name != "password"}

    assert_secret(shown_by(refusal))
    assert_secret(repr(public))


@pytest.mark.parametrize("password", [f"{LEFT}/{RIGHT}", f"{LEFT}?{RIGHT}", f"{LEFT}#{RIGHT}"])
def test_tortoise_and_aerich_show_no_piece_of_the_environments_url(password: str) -> None:
    """A wrong DATABASE_URL is refused without it, also where Tortoise opens TORTOISE_ORM."""
    program = (
        "import asyncio, logging, bytes_squads\n"
        "from tortoise import Tortoise\n"
        "logging.basicConfig(level=logging.DEBUG)\n"
        "asyncio.run(Tortoise.init(config=bytes_squads.TORTOISE_ORM))\n"
    )
    url = f"postgres://bot:{password}@{SERVER}/economy"
    for words in (["-c", program], ["-m", "bytes_squads", "upgrade"]):
        process = subprocess.run(
            [sys.executable, *words],
            env=make_environment(DATABASE_URL=url),
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert process.returncode == 1
        assert "not a valid database URL" in process.stderr
        assert_secret(process.stdout + process.stderr)
