"""The token and the security headers of every page."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from urllib.parse import parse_qs, urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "bytes_squads_dashboard"
MAX_FORM = 4096  # bytes

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self';"
    " form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """Answer 401 with a form for the token to a visitor without it, and add the headers.

    The visitor sends the token once, in the form or as ``?token=``; after that, a cookie with a
    digest of it.

    Args:
        app: The protected app.
        token: The token.
        login_page: The page with the form; its argument is whether a wrong token was given.
        open_paths: Paths that need no token, such as the style sheet's.
    """

    def __init__(
        self,
        app: ASGIApp,
        token: str,
        login_page: Callable[[bool], Response],
        open_paths: frozenset[str],
    ) -> None:
        self._app, self._login_page, self._open_paths = app, login_page, open_paths
        self._token = token.encode()
        self._session = hmac.new(self._token, b"session", hashlib.sha256).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        request = Request(scope, receive)
        answer = await self._check(request)
        await (answer or self._app)(scope, receive, send_with_headers)

    async def _check(self, request: Request) -> Response | None:
        """Return the answer to a request without the token, or to one that sends it."""
        path = request.url.path
        if request.method == "POST" and path == "/login":
            form = parse_qs(await self._read_form(request))
            return self._log_in(request, form.get("token", [""])[0], "/")
        if request.method not in ("GET", "HEAD"):
            return Response("Only GET is answered here.", 405, {"Allow": "GET, HEAD"})
        if "token" in request.query_params:
            rest = [item for item in request.query_params.multi_items() if item[0] != "token"]
            # One slash: a path that begins with two would lead to another host.
            target = "/" + path.lstrip("/\\") + (f"?{urlencode(rest)}" if rest else "")
            return self._log_in(request, request.query_params["token"], target)
        if path in self._open_paths or self._is_equal(
            request.cookies.get(COOKIE, ""), self._session.encode()
        ):
            return None
        return self._login_page(False)

    @staticmethod
    async def _read_form(request: Request) -> str:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MAX_FORM:
                return ""
        return body.decode("utf-8", "replace")

    def _log_in(self, request: Request, token: str, target: str) -> Response:
        if not self._is_equal(token, self._token):
            return self._login_page(True)
        answer = RedirectResponse(target, 303)
        secure = request.url.scheme == "https"
        answer.set_cookie(
            COOKIE, self._session, httponly=True, samesite="strict", secure=secure, path="/"
        )
        return answer

    @staticmethod
    def _is_equal(given: str, expected: bytes) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), expected)
