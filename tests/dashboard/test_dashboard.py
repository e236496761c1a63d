"""The dashboard: pages, authentication, and that it changes nothing."""

from __future__ import annotations

import asyncio
import html
import re
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from helpers import ALICE, BOB, CAROL, GUILD, Database, PostgresServer, Rows
from helpers.backends import LONG
from helpers.dashboard import (
    BIDI,
    EMOJI,
    HOSTILE,
    HTML,
    MEMBERS,
    TOKEN,
    populate_dashboard,
)
from helpers.doc_blocks import read_blocks
from helpers.paths import ROOT
from helpers.sample_guild import open_database

import bytes_squads
from bytes_squads import BytesBalance, BytesConfig, BytesOperations

httpx = pytest.importorskip("httpx")
for library in ("fastapi", "jinja2", "matplotlib"):
    pytest.importorskip(library)
sys.path.insert(0, str(ROOT))

from examples.dashboard import app as dashboard  # noqa: E402  # after the path
from examples.dashboard import reports  # noqa: E402
from examples.dashboard.guard import COOKIE, HEADERS  # noqa: E402

PAGE = ROOT / "docs" / "how-to" / "dashboard.md"
UNKNOWN = "299999999999999999"
BASE = f"/guilds/{GUILD}"
PAGES = [
    "/",
    BASE,
    f"{BASE}?days=all",
    f"{BASE}/charts/circulation.svg",
    f"{BASE}/charts/flows.svg?days=365&theme=dark&size=narrow",
    f"{BASE}/leaderboard",
    f"{BASE}/leaderboard?page=2",
    f"{BASE}/leaderboard?page=999999",
    f"{BASE}/squads",
    f"{BASE}/ledger",
    *(f"{BASE}/ledger?member={user}" for user in (*HOSTILE, UNKNOWN)),
    f"{BASE}/books",
    "/guilds/5",
    "/guilds/5/leaderboard",
    "/guilds/5/squads",
    "/guilds/5/ledger",
    "/guilds/5/books",
]


class Tags(HTMLParser):
    """The tags and attributes of a page, and its text by tag."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: dict[str, list[str]] = {}
        self.path: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.path.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self.path[-1] if self.path else "", []).append(data)


def client(app: Any = None, **options: Any) -> Any:
    """Return a client of the app, without a token."""
    app = app or dashboard.create_app(TOKEN)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False),
        base_url="http://dashboard",
        **options,
    )


@pytest.fixture
async def web(db: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """Return a client with the token, of a guild with rows of every kind.

    Pages wait for their reports.
    """
    monkeypatch.setattr(reports, "MAX_WAIT", LONG)
    await populate_dashboard()
    async with client() as visitor:
        assert (await visitor.get(f"/?token={TOKEN}")).status_code == 303
        yield visitor


async def rows_of(web: Any, **filters: str) -> list[list[str]]:
    """Return the texts of the ledger's cells, of all pages."""
    path, found = f"{BASE}/ledger", []
    answer = await web.get(path, params=filters)
    while True:
        assert answer.status_code == 200
        for row in re.findall(r"<tr>\n(.*?)</tr>", answer.text, re.DOTALL)[0:]:
            cells = re.findall(r"<td.*?>(.*?)</td>", row, re.DOTALL)
            found.append([html.unescape(re.sub(r"<.*?>", "", cell)).strip() for cell in cells])
        older = re.search(r'href="(\?[^"]*)" rel="next"', answer.text)
        if not older:
            return found
        answer = await web.get(path + html.unescape(older[1]))


# Who sees it ------------------------------------------------------------------------------------


async def test_without_the_token_nothing_is_shown(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every path answers 401 with the form; no path says whether a guild or page exists.

    No page is asked: the database is not read.
    """
    await populate_dashboard()
    routes = [re.sub(r"\\{.*?\\}", "[^/]+", re.escape(route)) for route in dashboard.PAGES]
    missing = [
        route
        for route in routes
        if not any(re.fullmatch(route, path.split("?")[0]) for path in PAGES)
    ]
    read: list[str] = []
    for module in (dashboard.ops, dashboard.squads, dashboard.guilds):
        for name in filter(lambda name: name[0] != "_", dir(module)):
            monkeypatch.setattr(module, name, lambda *_, name=name: read.append(name))
    async with client() as stranger:
        paths = [*PAGES, "/no-such-page", "/guilds/bad", "/docs", "/openapi.json"]
        answers = [await stranger.get(path) for path in paths]
        heads = [await stranger.head(path) for path in paths]
        others = [
            await stranger.request(method, path)
            for method in ("POST", "PUT", "DELETE", "OPTIONS")
            for path in paths
        ]

    assert missing == ["/style\\.css"]
    assert {answer.status_code for answer in answers + heads} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert GUILD not in answers[0].text
    assert {answer.status_code for answer in others} == {405}
    assert len({answer.text for answer in others}) == 1
    assert read == []


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "x", "🎲", "\udc80"])
async def test_guard_refuses_a_wrong_token_or_cookie(token: str) -> None:
    """In the link, in the form and as cookie; the token itself is no cookie."""
    async with client() as stranger:
        encoded = {"token": token.encode("utf-8", "surrogatepass")}
        answers = [
            await stranger.get("/", params=encoded),
            await stranger.post("/login", data=encoded),
        ]
        cookies = [token, TOKEN] if token.isascii() else [TOKEN]
        answers += [
            await stranger.get(BASE, headers={"Cookie": f"{COOKIE}={cookie}"}) for cookie in cookies
        ]

    assert {answer.status_code for answer in answers} == {401}
    assert not any("set-cookie" in answer.headers for answer in answers)


async def test_guard_replaces_the_token_of_a_link_by_a_cookie(db: Database) -> None:
    """The address that stays in the browser does not have the token; nor does the cookie."""
    async with client() as visitor:
        answer = await visitor.get(f"{BASE}/ledger?kind=daily&token={TOKEN}&member={ALICE}")
        cookie = answer.headers["set-cookie"]
        shown = await visitor.get(answer.headers["location"])

    assert answer.headers["location"] == f"{BASE}/ledger?kind=daily&member={ALICE}"
    assert TOKEN not in cookie
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert shown.status_code == 200


async def test_login_form_sets_a_cookie(db: Database) -> None:
    """Secure where the connection is."""
    async with client() as visitor, client() as other:
        answer = await visitor.post("/login", data={"token": TOKEN})
        secure = await other.post("https://dashboard/login", data={"token": TOKEN})
        shown = await visitor.get(BASE)

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "Secure" not in answer.headers["set-cookie"]
    assert "Secure" in secure.headers["set-cookie"]
    assert shown.status_code == 200


async def test_guard_never_redirects_to_another_host() -> None:
    """A path that begins with two slashes would."""
    async with client() as visitor:
        answer = await visitor.get(f"http://dashboard//evil.example/?token={TOKEN}")

    assert answer.headers["location"] == "/evil.example/"


async def test_every_answer_has_the_headers(web: Any) -> None:
    """Also errors, redirects and the style sheet."""
    async with client() as stranger:
        answers = [
            await web.get(BASE),
            await web.get("/style.css"),
            await web.get("/no-such-page"),
            await web.get("/guilds/bad"),
            await web.put(BASE),
            await stranger.get(BASE),
            await stranger.get(f"/?token={TOKEN}"),
        ]

    assert [answer.status_code for answer in answers] == [200, 200, 404, 400, 405, 401, 303]
    for answer in answers:
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS


async def test_dashboard_answers_a_defect_with_500_and_the_headers(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer has no details."""

    async def fail(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(BytesOperations, "count_members", fail)
    async with client() as visitor:
        await visitor.get(f"/?token={TOKEN}")
        answer = await visitor.get(f"{BASE}/leaderboard")

    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS


# What it shows ----------------------------------------------------------------------------------


async def test_pages_change_nothing(web: Any, read_all_rows: Callable[[], Awaitable[Rows]]) -> None:
    """Every page answers 200 (the start asks for a guild), and every row is as it was."""
    before = await read_all_rows()
    answers = {path: (await web.get(path)).status_code for path in PAGES}

    assert answers == dict.fromkeys(PAGES, 200)
    assert await read_all_rows() == before
    assert not await BytesBalance.filter(user_id=UNKNOWN).exists()


TAGS = """
    a bdi body br button dd div dl dt footer form h1 h2 head header html img input label link main
    meta nav option p picture section select source span table tbody td th thead time title tr wbr
"""
"""Those that the templates have."""


CURRENCIES = ("<b onclick=x>coins", BIDI, "🎲" * 32)

NAMES = {
    "": set(CURRENCIES),
    "/leaderboard": {HTML, BIDI},
    "/leaderboard?page=2": {EMOJI},
    "/squads": {HTML, BIDI, EMOJI},
    "/ledger?kind=grant": {EMOJI},
    "/ledger?kind=charge": {BIDI},
    "/ledger?kind=transfer": {HTML, BIDI, f"{HTML} 3"},
    f"/ledger?member={ALICE}": {HTML, BIDI, f"{HTML} 3"},
    f"/ledger?member={BOB}": {HTML, BIDI},
    f"/ledger?member={CAROL}": {EMOJI},
    "/books": set(),
}
"""The texts that each page of the guild has to show."""


@pytest.mark.parametrize("path", NAMES)
async def test_names_are_text(web: Any, path: str) -> None:
    """HTML in names, reasons, squads and the currency is escaped; each is isolated by <bdi>."""
    isolated: set[str] = set()
    for currency in CURRENCIES:
        await BytesConfig.filter(guild_id=GUILD).update(currency_name=currency)
        tags = Tags((await web.get(BASE + path)).text)
        assert tags.names <= set(TAGS.split())
        assert not {name for name in tags.attributes if name.startswith("on") or name == "style"}
        isolated.update(tags.texts.get("bdi", ()))
        outside = "".join(
            text for tag, texts in tags.texts.items() if tag != "bdi" for text in texts
        )
        assert not set(outside) & {"\u202e", "\u2066", "🎲"}

    assert NAMES[path] <= isolated


async def test_charts_are_svg_without_markup_of_names(web: Any) -> None:
    """An image has no script, and no address of elsewhere to fetch."""
    for path in [path for path in PAGES if ".svg" in path]:
        answer = await web.get(path)
        names = {element.tag.partition("}")[2] for element in ET.fromstring(answer.content).iter()}
        assert answer.headers["content-type"] == "image/svg+xml"
        assert not names & {"script", "image", "foreignObject", "a"}


async def test_overview_has_the_statistics(web: Any) -> None:
    """The numbers are those of get_statistics, by kind."""
    statistics = await bytes_squads.GuildOperations().get_statistics(GUILD)
    page = (await web.get(f"{BASE}?days=all")).text

    assert f"<dd>{statistics.circulation:,}</dd>" in page
    assert f"<dd>{MEMBERS + 3}</dd>" in page
    for kind, total in statistics.kinds.items():
        numbers = [f'<td class="number">{number:,}</td>' for number in (total.count, total.amount)]
        cells = f"{kind}</a></td>{''.join(numbers)}"
        assert cells in page


async def test_overview_begins_at_midnight_of_the_guild(web: Any) -> None:
    """30 days show all of two weeks; the charts know the same periods."""
    pages = [(await web.get(f"{BASE}?days={days}")).text for days in ("30", "all")]
    month, everything = (page.partition("By kind")[2].partition("<footer>")[0] for page in pages)

    assert month == everything


async def test_overview_and_its_charts_share_the_statistics(
    web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read once, also at the same time; again after a failure, and for another period."""
    monkeypatch.setattr(reports, "REFRESH_SECONDS", 0)  # the failure is soon forgotten
    reads: list[object] = []
    read = bytes_squads.GuildOperations.get_statistics

    async def count(self: Any, *arguments: Any) -> Any:
        reads.append(arguments)
        if len(reads) == 1:
            raise bytes_squads.StorageUnavailableError("gone")
        return await read(self, *arguments)

    monkeypatch.setattr(bytes_squads.GuildOperations, "get_statistics", count)
    paths = [BASE, f"{BASE}/charts/flows.svg", f"{BASE}/charts/circulation.svg"]
    failed = await web.get(BASE)
    shown = await asyncio.gather(*map(web.get, paths))
    other = await web.get(f"{BASE}?days=90")

    assert [failed.status_code, *(answer.status_code for answer in shown)] == [503, 200, 200, 200]
    assert other.status_code == 200
    assert len(reads) == 3


async def test_leaderboard_has_pages(web: Any) -> None:
    """Each member is on exactly one page, in the order of get_leaderboard, with a name."""
    expected = await BytesOperations().get_leaderboard(GUILD, 100)
    pages = [(await web.get(f"{BASE}/leaderboard?page={number}")).text for number in (1, 2)]
    found = re.findall(r"/ledger\?member=(\d+)", "".join(pages))

    assert found == [entry.user_id for entry in expected]
    assert html.escape(HTML, quote=False)[:20] in "".join(pages)
    assert 'rel="next"' in pages[0]
    assert 'rel="next"' not in pages[1]


async def test_squads_are_in_order(web: Any) -> None:
    """Active ones first, by total; inactive ones in a table of their own."""
    names = Tags((await web.get(f"{BASE}/squads")).text).texts["bdi"]

    assert names == [HTML, EMOJI, BIDI, EMOJI]


async def test_ledger_shows_every_row_once(web: Any) -> None:
    """Over all pages, newest first."""
    rows = await rows_of(web)
    history = await BytesOperations().get_transaction_history(GUILD, limit=1000)

    assert [row[1] for row in rows] == [entry.kind for entry in history]
    assert len(rows) > 2 * dashboard.PAGE_SIZE


async def test_ledger_filters_by_member_kind_and_date(web: Any) -> None:
    """Alone and together; dates are those of the guild's time zone, both ends included."""
    daily = await rows_of(web, kind="daily")
    bob = await rows_of(web, member=BOB)
    both = await rows_of(web, member=BOB, kind="charge")
    dates = sorted({row[0][:10] for row in daily})
    between = await rows_of(web, kind="daily", since=dates[3], until=dates[5])
    late = await rows_of(web, since=f"{datetime.now(UTC) + timedelta(days=3):%Y-%m-%d}")

    assert len(daily) == 13
    assert all(row[1] == "daily" for row in daily)
    assert len(bob) == 15
    assert [row[1] for row in both] == ["charge"]
    assert {row[0][:10] for row in between} == set(dates[3:6])
    assert late == []


async def test_ledger_of_a_member_has_a_summary(web: Any) -> None:
    """Balance and squad of a known member; plain words about an unknown one."""
    known = (await web.get(f"{BASE}/ledger?member={ALICE}")).text
    unknown = (await web.get(f"{BASE}/ledger?member={UNKNOWN}")).text

    assert "<dt>Balance</dt>" in known
    assert "Nothing is known of this member." in unknown


async def test_books_show_what_differs(web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A balance that was changed by hand is listed."""
    monkeypatch.setattr(reports, "KEEP_SECONDS", 0)
    monkeypatch.setattr(reports, "KEEP_FACTOR", 0)
    good = (await web.get(f"{BASE}/books")).text
    await BytesBalance.filter(user_id=CAROL).update(balance=1000, total_received=1000)
    bad = (await web.get(f"{BASE}/books")).text

    assert "Every balance agrees with the ledger." in good
    assert "2 numbers differ from the ledger." in bad
    assert CAROL in bad


# What takes longer than a page may --------------------------------------------------------------


class Slow:
    """An operation that ends when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> None:
        self.calls, self.may_end, self.error = 0, asyncio.Event(), None
        self._run = getattr(owner, name)
        monkeypatch.setattr(
            owner, name, lambda *arguments, **options: self._wait(arguments, options)
        )
        monkeypatch.setattr(reports, "MAX_WAIT", 0.01)

    async def _wait(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        self.calls += 1
        await self.may_end.wait()
        if self.error:
            raise self.error
        return await self._run(*arguments, **options)


async def come_back(web: Any, path: str) -> Any:
    """Reload a page until it no longer does so by itself; the result is its last answer."""
    async with asyncio.timeout(LONG):
        while True:
            answer = await web.get(path)
            if "refresh" not in answer.headers:
                return answer


SLOW_PAGES = {
    f"{BASE}/books": (BytesOperations, "verify", "Every balance agrees with the ledger."),
    f"{BASE}?days=90": (bytes_squads.GuildOperations, "get_statistics", "By kind"),
    f"{BASE}/squads": (bytes_squads.SquadOperations, "get_squad_leaderboard", "Inactive"),
    f"{BASE}/ledger?kind=daily": (BytesOperations, "get_transaction_history", '"kind">daily</td>'),
}


@pytest.mark.parametrize("path", SLOW_PAGES)
async def test_page_does_not_wait_for_a_slow_report(
    web: Any, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """It says so and reloads itself. All visitors share one computation, and its result is kept."""
    owner, name, words = SLOW_PAGES[path]
    slow = Slow(monkeypatch, owner, name)
    early = await asyncio.gather(*(web.get(path) for _ in range(5)))
    slow.may_end.set()
    late = await come_back(web, path)
    kept = await web.get(path)

    assert {answer.status_code for answer in early} == {200}
    assert {answer.headers["refresh"] for answer in early} == {str(reports.REFRESH_SECONDS)}
    assert all("this page reloads by itself" in answer.text for answer in early)
    assert not any(words in answer.text for answer in early)
    assert "<img" not in early[0].text
    assert words in late.text
    assert "this page reloads by itself" not in late.text
    assert kept.text.partition("<footer>")[0] == late.text.partition("<footer>")[0]
    assert slow.calls == 1


@pytest.mark.parametrize("path", SLOW_PAGES)
async def test_page_shows_the_old_report_until_there_is_a_newer_one(
    web: Any, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """With the time it was made at, in the guild's time zone."""
    owner, name, words = SLOW_PAGES[path]
    first = await come_back(web, path)
    made = re.search(r'<time datetime="([^"]+)">([^<]+)</time>', first.text)
    slow = Slow(monkeypatch, owner, name)
    monkeypatch.setattr(reports, "monotonic", lambda: time.monotonic() + 1000)
    old = await web.get(path)
    slow.may_end.set()
    new = await come_back(web, path)

    assert made
    moment = datetime.fromisoformat(made[1]).astimezone(ZoneInfo("Asia/Tokyo"))
    assert made[2] == f"{moment:%Y-%m-%d %H:%M:%S}"
    assert abs(datetime.now(UTC) - moment) < timedelta(minutes=5)
    assert old.headers["refresh"]
    assert made[0] in old.text
    assert words in old.text
    assert made[0] not in new.text
    assert words in new.text


async def test_chart_waits_for_a_slow_report(web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image cannot reload itself."""
    slow = Slow(monkeypatch, bytes_squads.GuildOperations, "get_statistics")
    chart = asyncio.create_task(web.get(f"{BASE}/charts/flows.svg"))
    page = await web.get(BASE)
    waits = not chart.done()
    slow.may_end.set()
    answer = await chart

    assert page.headers["refresh"]
    assert waits
    assert answer.content.startswith(b"<?xml")
    assert slow.calls == 1


async def test_page_shows_the_error_of_a_slow_report_when_it_reloads(
    web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not reload itself for ever; later, the report is computed again."""
    slow = Slow(monkeypatch, BytesOperations, "verify")
    slow.error = bytes_squads.StorageUnavailableError("gone")
    early = await web.get(f"{BASE}/books")
    slow.may_end.set()
    failed = await come_back(web, f"{BASE}/books")
    slow.error = None
    monkeypatch.setattr(reports, "monotonic", lambda: time.monotonic() + 1000)
    later = await come_back(web, f"{BASE}/books")

    assert [early.status_code, failed.status_code, later.status_code] == [200, 503, 200]
    assert "Every balance agrees with the ledger." in later.text
    assert slow.calls == 2


async def test_few_reports_are_computed_at_once_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages have the database's other connections, and ids that a visitor makes up no memory."""
    running = most = computed = 0

    async def compute() -> None:
        nonlocal running, most, computed
        running += 1
        computed += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    shared = reports.Reports()
    keys = range(reports.MAX_REPORTS + 10)
    await asyncio.gather(*(shared.get(key, compute, need=True) for key in keys))
    assert (most, computed) == (reports.MAX_AT_ONCE, len(keys))

    for key in keys[-reports.MAX_REPORTS :]:
        await shared.get(key, compute, need=True)
    assert computed == len(keys)
    await shared.get(keys[0], compute, need=True)
    assert computed == len(keys) + 1


async def test_shutdown_ends_reports_in_progress(
    migrated_url: str, close_after_test: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lifespan leaves no task behind."""
    before = asyncio.all_tasks()
    slow = Slow(monkeypatch, BytesOperations, "verify")
    app = dashboard.create_app(TOKEN, migrated_url)
    messages: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    answers: asyncio.Queue[Any] = asyncio.Queue()
    server = asyncio.create_task(app({"type": "lifespan"}, messages.get, answers.put))
    await messages.put({"type": "lifespan.startup"})
    started = await answers.get()
    async with client(app) as visitor:
        await visitor.get(f"/?token={TOKEN}")
        page = await visitor.get(f"{BASE}/books")
    await messages.put({"type": "lifespan.shutdown"})
    async with asyncio.timeout(LONG):
        ended = await answers.get()
        await server

    assert page.headers["refresh"]
    assert [started["type"], ended["type"]] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert slow.calls == 1
    assert asyncio.all_tasks() == before


# What it refuses --------------------------------------------------------------------------------


NOT_PAGES = ("0", "-1", "x", "", "²", "9" * 5000)
NOT_DATES = ("x", "2026-02-30", "0001-01-01", "9999-12-31")
NO_ID = "0" * 32
NOT_POSITIONS = (
    "x",
    "2026-01-01_x",
    f"2026-01-01T00:00:00_{NO_ID}",
    f"0001-01-01T00:00:00%2B14:00_{NO_ID}",
)
BAD = {
    "/guilds/%3Cscript%3E": "is not a Discord id",
    "/guilds/0/leaderboard": "is not a Discord id",
    "/?guild=x": "is not a Discord id",
    f"{BASE}?days=31": "is not a period",
    f"{BASE}/charts/other.svg": "There is no such chart.",
    f"{BASE}/charts/flows.svg?size=9": "There is no such chart.",
    **{f"{BASE}/leaderboard?page={text}": "is not a page number" for text in NOT_PAGES},
    **{f"{BASE}/ledger?since={text}": "is not a date" for text in NOT_DATES},
    f"{BASE}/ledger?until=x": "is not a date",
    f"{BASE}/ledger?kind=x": "is not a kind",
    f"{BASE}/ledger?member=%3Cb%3E": "is not a Discord id",
    **{f"{BASE}/ledger?before={text}": "is not a page of the ledger" for text in NOT_POSITIONS},
}


@pytest.mark.parametrize(("path", "words"), BAD.items(), ids=range(len(BAD)))
async def test_bad_input_is_answered_with_400(db: Database, path: str, words: str) -> None:
    """The answer quotes the input as text."""
    async with client() as visitor:
        await visitor.get(f"/?token={TOKEN}")
        answer = await visitor.get(path)

    assert answer.status_code == 400
    assert words in html.unescape(answer.text)
    assert not Tags(answer.text).names & {"script", "b"}


async def test_no_database_is_answered_with_503() -> None:
    """Every page of a guild answers 503, without the address."""
    async with client() as visitor:
        await visitor.get(f"/?token={TOKEN}")
        answers = [await visitor.get(path) for path in PAGES if path.startswith(BASE)]

    assert {answer.status_code for answer in answers} == {503}
    assert {"The database cannot be reached" in answer.text for answer in answers} == {True}


@pytest.mark.postgres
async def test_dashboard_works_with_a_role_that_can_only_read(
    postgres_server: PostgresServer, postgres_template: str, close_after_test: None
) -> None:
    """The role of docs/how-to/dashboard.md: every page is shown."""
    (block,) = [block for block in read_blocks(PAGE) if block.language == "sql"]
    role = f"dashboard_{uuid.uuid4().hex[:8]}"
    with postgres_server.database(postgres_template) as url:
        async with open_database(url):
            await populate_dashboard()
        owner = await asyncpg.connect(url)
        await owner.execute(re.sub(r"\bdashboard\b", role, block.code))
        try:
            parts = urlsplit(url)
            host = parts.netloc.rpartition("@")[2]
            app = dashboard.create_app(TOKEN)
            async with (
                open_database(urlunsplit(parts._replace(netloc=f"{role}:secret@{host}"))),
                client(app) as visitor,
            ):
                await visitor.get(f"/?token={TOKEN}")
                answers = {path: (await visitor.get(path)).status_code for path in PAGES}
        finally:
            await owner.execute(f'DROP OWNED BY "{role}"; DROP ROLE "{role}"')
            await owner.close()

    assert answers == dict.fromkeys(PAGES, 200)
