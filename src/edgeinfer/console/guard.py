"""Who may ask: a browser page of the console itself, a program, and nobody's page elsewhere."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgeinfer.web.problems import Problem

_SAFE = ("GET", "HEAD")
_NO_DOCUMENTS = ("text/javascript", "text/css", "application/json")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_SOURCES = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
_POLICY = "; ".join(f"{kind} {sources}" for kind, sources in _SOURCES.items())
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}
# A browser heeds these of documents only; every answer would carry them in vain.
_DOCUMENT_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Guard:
    """Refuses other sites' pages and names that are not ours, and sets the headers that hold browsers to it.

    A page elsewhere can make a browser send requests here (cross-site forgery), or give its own name
    our address (rebinding). The first shows in Origin and Sec-Fetch-Site, the second in Host.

    Args:
        app: the application inside.
        hosts: names under which the console is reached, other than loopback; empty where any name may be.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset((*hosts, *_LOOPBACK)) if hosts else frozenset[str]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                if not headers.get("content-type", "").startswith(_NO_DOCUMENTS):
                    headers.update(_DOCUMENT_HEADERS)
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> Problem | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        name = _name(host)
        if name is None:
            return Problem(400, "invalid_head", f"host {host[:80]!r} is not a name.", "Use the console's address.")
        if self._hosts and name not in self._hosts:
            remedy = "Use the console's address, or set EDGEINFER_CONSOLE_ALLOWED_HOSTS."
            return Problem(421, "forbidden", f"host {host[:80]!r} is not this console.", remedy)
        if scope["method"] not in _SAFE and _is_foreign(headers, host):
            return Problem(403, "forbidden", "a page of another site sent this.", "Use the console's own pages.")
        return None


def _is_foreign(headers: Headers, host: str) -> bool:
    """Whether a browser says that another site's page asks; programs send neither header."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    return origin is not None and _address_of(origin) != host


def _address_of(url: str) -> str | None:
    """Host and port of a URL; None where it is none, such as "http://[x"."""
    try:
        return urlsplit(url).netloc
    except ValueError:
        return None


def _name(host: str) -> str | None:
    """The name in a Host header, without its port; None where it is none, such as "[::1"."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return None
