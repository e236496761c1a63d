"""The dashboard's pages, all read-only: no request changes a row or creates a member."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import jinja2
from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

import bytes_squads
from bytes_squads import (
    BytesConfig,
    BytesOperations,
    BytesTransaction,
    EconomyStatistics,
    GuildOperations,
    InvalidInputError,
    SquadOperations,
    StorageError,
)
from bytes_squads.charts import draw_circulation, draw_flows

from .guard import Guard
from .reports import REFRESH_SECONDS, Report, Reports

FOLDER = Path(__file__).parent
PAGE_SIZE = 25
MAX_SQUADS = 500
MAX_DIGITS = 10  # of a page number
PERIODS = {"30": "30 days", "90": "90 days", "365": "a year", "all": "all"}
KINDS = ("transfer", "starting", "daily", "grant", "charge", "squad", "reversal")

ops, squads, guilds = BytesOperations(), SquadOperations(), GuildOperations()
templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)


class BadRequestError(Exception):
    """A visitor's input is invalid; the text says why."""


# The app -------------------------------------------------------------------------------------


def create_app(token: str | None = None, database_url: str | None = None) -> ASGIApp:
    """Return the dashboard.

    Args:
        token: The token for visitors; None for that of ``DASHBOARD_TOKEN``.
        database_url: None for that of ``DATABASE_URL``.
    """
    reports = Reports()

    @asynccontextmanager
    async def database(_: FastAPI) -> AsyncGenerator[None]:
        await bytes_squads.init(database_url)  # its tables are the bot's: no upgrade here
        try:
            yield
        finally:
            await reports.close()
            await bytes_squads.close()

    app = FastAPI(lifespan=database, openapi_url=None)
    app.state.reports = reports
    for path, page in PAGES.items():
        app.add_api_route(path, page, methods=["GET", "HEAD"], response_class=Response)
    app.add_exception_handler(InvalidInputError, show_error)
    app.add_exception_handler(BadRequestError, show_error)
    app.add_exception_handler(StorageError, show_error)
    app.add_exception_handler(HTTPException, show_error)
    secret = os.environ["DASHBOARD_TOKEN"] if token is None else token
    return Guard(app, secret, show_login, frozenset({"/style.css"}))


def render(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page; Jinja escapes every value."""
    return HTMLResponse(templates.get_template(template).render(**values), status)


def show_login(wrong: bool) -> Response:
    """Return the form for the token."""
    return render("login.html", 401, wrong=wrong)


async def show_error(_: Request, error: Exception) -> Response:
    """Return the page of an error: 400 for bad input, 503 without a database."""
    if isinstance(error, InvalidInputError | BadRequestError):
        return render("error.html", 400, title="This cannot be shown", text=str(error))
    if isinstance(error, HTTPException):
        return render("error.html", error.status_code, title=error.detail, text="")
    text = "The database cannot be reached, or it is not ready. Try again in a moment."
    return render("error.html", 503, title="No answer from the database", text=text)


async def show_style() -> Response:
    """Return the style sheet."""
    return FileResponse(FOLDER / "static" / "style.css")


async def show_start(guild: str = "") -> Response:
    """Redirect to a guild, or return a form for its id."""
    chosen = guild.strip() or os.environ.get("DASHBOARD_GUILD", "")
    if not chosen:
        return render("start.html")
    config = await ops.get_config(chosen)  # refuses what is not an id
    return RedirectResponse(f"/guilds/{config.guild_id}", 303)


# Shared by several pages ---------------------------------------------------------------------


def zone_of(config: BytesConfig) -> tzinfo:
    """Return the guild's time zone; UTC if this machine does not have it."""
    try:
        return ZoneInfo(config.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def render_guild(template: str, active: str, config: BytesConfig, **values: Any) -> Response:
    """Return a guild's page, which reloads itself while its report is being computed."""
    zone = zone_of(config)

    def local(moment: datetime, form: str = "%Y-%m-%d %H:%M") -> str:
        return moment.astimezone(zone).strftime(form)

    values |= {"active": active, "config": config, "zone": zone, "local": local}
    answer = render(template, now=datetime.now(UTC), **values)
    if values.get("running"):
        answer.headers["Refresh"] = str(REFRESH_SECONDS)
    return answer


def get_reports(request: Request) -> Reports:
    """Return the reports of this process."""
    reports: Reports = request.app.state.reports
    return reports


async def read_period(
    request: Request, guild_id: str, days: str, *, need: bool = False
) -> tuple[BytesConfig, Report[EconomyStatistics] | None, bool]:
    """Return the statistics from midnight in the guild's time zone, some days ago, until now.

    The page and its charts share a report.
    """
    if days not in PERIODS:
        raise BadRequestError(f"“{days}” is not a period: {', '.join(PERIODS)}.")
    config = await ops.get_config(guild_id)
    since = None
    if days != "all":
        zone = zone_of(config)
        first = datetime.now(zone).date() - timedelta(days=int(days) - 1)
        since = datetime.combine(first, time(), zone)
    report, running = await get_reports(request).get(
        ("statistics", config.guild_id, since),
        lambda: guilds.get_statistics(guild_id, since),
        need=need,
    )
    return config, report, running


async def read_names(guild_id: str, user_ids: list[str]) -> dict[str, str]:
    """Return the members' names, as far as their last ledger rows have one."""

    async def read(user_id: str) -> str:
        for row in await ops.get_transaction_history(guild_id, user_id, 5):
            name = row.giver_username if row.giver_id == user_id else row.receiver_username
            if name:
                return name
        return ""

    names = await asyncio.gather(*map(read, user_ids))
    return dict(zip(user_ids, names, strict=True))


def parse_date(text: str) -> date | None:
    """Return a date of a form; None for an empty field."""
    if not text:
        return None
    try:
        parsed = date.fromisoformat(text)
    except ValueError:
        parsed = date.min
    # The days at the ends of the calendar have no midnight in other time zones.
    if not date.min.year < parsed.year < date.max.year:
        raise BadRequestError(f"“{text}” is not a date such as 2026-03-02.")
    return parsed


def parse_page(text: str) -> int:
    """Return a page number, from 1."""
    if not (text.isascii() and text.isdigit() and len(text) < MAX_DIGITS and int(text) >= 1):
        raise BadRequestError(f"“{text}” is not a page number.")
    return int(text)


def parse_position(text: str) -> BytesTransaction:
    """Return the ledger row that a page ended with, as far as the next page needs it."""
    moment, _, row_id = text.partition("_")
    try:
        created_at = datetime.fromisoformat(moment)
        if created_at.tzinfo is not None:
            return BytesTransaction(id=UUID(row_id), created_at=created_at.astimezone(UTC))
    except (ValueError, OverflowError):
        pass
    raise BadRequestError(f"“{text}” is not a page of the ledger.")


def format_position(row: BytesTransaction) -> str:
    """Return the text that `parse_position` reads."""
    return f"{row.created_at.astimezone(UTC).isoformat()}_{row.id}"


# Pages ---------------------------------------------------------------------------------------


async def show_overview(request: Request, guild_id: str, days: str = "30") -> Response:
    """Circulation, members, and bytes created and retired by kind."""
    config, report, running = await read_period(request, guild_id, days)
    page = {"report": report, "running": running, "days": days, "periods": PERIODS}
    return render_guild("overview.html", "overview", config, **page)


async def show_chart(
    request: Request,
    guild_id: str,
    name: str,
    days: str = "30",
    theme: str = "light",
    size: str = "wide",
) -> Response:
    """Draw a chart of the overview as SVG."""
    draw = {"circulation": draw_circulation, "flows": draw_flows}.get(name)
    width = {"wide": 900, "narrow": 360}.get(size)
    if draw is None or width is None or theme not in ("light", "dark"):
        raise BadRequestError("There is no such chart.")
    config, report, _ = await read_period(request, guild_id, days, need=True)
    assert report is not None
    image = await asyncio.to_thread(
        draw,
        report.value,
        currency=config.currency_name,
        dark=theme == "dark",
        title=False,
        width=width,
    )
    return Response(image, media_type="image/svg+xml")


async def show_leaderboard(guild_id: str, page: str = "1") -> Response:
    """Members by balance, some on each page."""
    number = parse_page(page)
    config, members = await asyncio.gather(ops.get_config(guild_id), ops.count_members(guild_id))
    entries = await ops.get_leaderboard(guild_id, PAGE_SIZE, (number - 1) * PAGE_SIZE)
    names = await read_names(guild_id, [entry.user_id for entry in entries])
    pages = max(1, -(-members // PAGE_SIZE))
    values = {"entries": entries, "names": names, "members": members, "page": number}
    return render_guild("leaderboard.html", "leaderboard", config, pages=pages, **values)


async def show_squads(request: Request, guild_id: str) -> Response:
    """Active squads by the total of their members, then the inactive ones."""
    config = await ops.get_config(guild_id)
    report, running = await get_reports(request).get(
        ("squads", config.guild_id),
        lambda: asyncio.gather(
            squads.get_squad_leaderboard(guild_id, MAX_SQUADS),
            squads.get_guild_squads(guild_id, active_only=False),
        ),
    )
    standings, summaries = report.value if report else ([], [])
    inactive = [summary for summary in summaries if not summary.squad.is_active][:MAX_SQUADS]
    page = {"report": report, "running": running, "standings": standings, "inactive": inactive}
    return render_guild("squads.html", "squads", config, **page)


async def show_ledger(
    request: Request,
    guild_id: str,
    member: str = "",
    kind: str = "",
    since: str = "",
    until: str = "",
    before: str = "",
) -> Response:
    """Ledger rows, newest first, by member, kind and date; with a member, also a summary."""
    filters = {"member": member.strip(), "kind": kind, "since": since, "until": until}
    if kind and kind not in KINDS:
        raise BadRequestError(f"“{kind}” is not a kind: {', '.join(KINDS)}.")
    config = await ops.get_config(guild_id)
    zone, first, last = zone_of(config), parse_date(since), parse_date(until)
    position = None
    if before:
        position = parse_position(before)
    elif last:  # a page that begins with the next midnight
        end = datetime.combine(last + timedelta(days=1), time(), zone)
        position = BytesTransaction(id=UUID(int=0), created_at=end.astimezone(UTC))
    user = filters["member"] or None
    since_midnight = datetime.combine(first, time(), zone) if first else None

    async def read() -> list[BytesTransaction]:
        return await ops.get_transaction_history(
            guild_id, user, PAGE_SIZE + 1, position, kind=kind or None, since=since_midnight
        )

    report, running = None, False
    if kind and not user:  # no index has the kind: a rare one is looked for in the whole ledger
        key = ("ledger", config.guild_id, kind, since, until, before)
        report, running = await get_reports(request).get(key, read)
        rows = report.value if report else []
    else:
        rows = await read()
    older = None
    if len(rows) > PAGE_SIZE:
        rows = rows[:PAGE_SIZE]
        older = urlencode({**filters, "before": format_position(rows[-1])})
    balance = rank = squad = None
    if user:
        balance, rank, squad = await asyncio.gather(
            ops.find_balance(guild_id, user),
            ops.get_rank(guild_id, user),
            squads.get_user_squad(guild_id, user),
        )
    page = {"rows": rows, "filters": filters, "kinds": KINDS, "older": older, "report": report}
    person = {"balance": balance, "rank": rank, "squad": squad, "first_page": not before}
    return render_guild("ledger.html", "ledger", config, running=running, **page, **person)


async def show_books(request: Request, guild_id: str) -> Response:
    """Every balance recomputed from the ledger."""
    config = await ops.get_config(guild_id)
    key = ("books", config.guild_id)
    report, running = await get_reports(request).get(key, lambda: ops.verify(guild_id))
    return render_guild("books.html", "books", config, report=report, running=running)


PAGES: dict[str, Any] = {
    "/": show_start,
    "/style.css": show_style,
    "/guilds/{guild_id}": show_overview,
    "/guilds/{guild_id}/charts/{name}.svg": show_chart,
    "/guilds/{guild_id}/leaderboard": show_leaderboard,
    "/guilds/{guild_id}/squads": show_squads,
    "/guilds/{guild_id}/ledger": show_ledger,
    "/guilds/{guild_id}/books": show_books,
}
