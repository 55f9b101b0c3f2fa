"""The head of a request: what httptools reads of it, and how its body is framed."""

import re
from collections.abc import Callable
from ipaddress import IPv6Address

import httptools

from edgeinfer.web.direct import DirectRoute
from edgeinfer.web.error_answers import Refusal, Refused, head_too_large, malformed

# Python's overhead for a header in addition to its bytes: a tuple and two byte strings.
_HEADER_OVERHEAD_BYTES = 150
_MAX_LENGTH_DIGITS = 18
_MAX_KEPT_BYTES = 512
# A head with an id of its own does not come again.
_UNIQUE = frozenset((b"x-request-id", b"traceparent"))
_REQUEST_ID = b"x-request-id"
# Its whole line, behind which no folded line follows.
_ID_LINE = re.compile(rb"(?<=[^\r\n])\r\n[Xx]-[Rr]equest-[Ii]d: ([A-Za-z0-9._-]{1,64})(?=\r\n[^ \t])")
_ONCE = (b"host", b"content-length", b"transfer-encoding", b"expect")
# Enough of a request line to know that what came is HTTP/1, before the head is whole.
_REQUEST_LINE = re.compile(rb"[A-Z-]{1,32} +[\x21-\xff]+ HTTP/1\.[01]")
# A host and a port as RFC 3986, 3.2.2 has them.
_NAME = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%-]*(?::[0-9]{0,5})?")
_BRACKETED = re.compile(rb"\[([0-9A-Fa-f:.]+)\](?::[0-9]{0,5})?")
_METHOD_BEGINS = re.compile(rb"[A-Z]")


class RequestHead:
    """A request line and its headers.

    Args:
        max_headers: more are refused.
    """

    __slots__ = (
        "_max_headers",
        "_parser",
        "_size",
        "content_length",
        "expects_continue",
        "fields",
        "headers",
        "is_chunked",
        "keep_alive",
        "method",
        "route",
        "target",
        "version",
    )

    def __init__(self, max_headers: int) -> None:
        self._max_headers = max_headers
        self._parser: httptools.HttpRequestParser | None = None
        self._size = 0
        self.method = b""
        self.target = b""
        self.version = ""
        self.headers: list[tuple[bytes, bytes]] = []
        """Names in lower case, in the order of the request."""
        self.fields: dict[bytes, bytes] = {}
        """The same by name; of a repeated one the last."""
        self.keep_alive = False
        self.content_length = 0
        self.is_chunked = False
        self.expects_continue = False
        self.route: DirectRoute | None = None
        """What answers it without the application."""

    @property
    def memory_bytes(self) -> int:
        """About what it takes."""
        return self._size + _HEADER_OVERHEAD_BYTES * (len(self.headers) + 2)

    def read(self, data: bytes | bytearray) -> None:
        """Read a head that is whole, with the empty line at its end.

        Raises:
            Refused: it is not a head of HTTP/1.
        """
        # A parser reads one head and nothing else. It would stop for good at an offer to upgrade, which a server may
        # ignore (RFC 9110, 7.8), would take trailers for headers, and does not say where in a read a request ends.
        self._size = len(data)
        self._parser = parser = httptools.HttpRequestParser(self)
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserError as failure:
            if isinstance(failure.__context__, Refused):
                raise failure.__context__ from failure
            raise malformed(f"The request is not HTTP/1.1: {failure}.") from failure
        finally:
            self._parser = None
        if not self.version:
            raise malformed("The request's head does not end where its empty line is.")
        self._read_framing()

    def with_headers(self, headers: list[tuple[bytes, bytes]], size: int) -> "RequestHead":
        """A head that differs in headers that are neither about its framing nor about its connection nor its route.

        Args:
            headers: names in lower case.
            size: of its bytes.
        """
        other = RequestHead(self._max_headers)
        other._size = size
        other.headers, other.fields = headers, dict(headers)
        other.method, other.target, other.version = self.method, self.target, self.version
        other.keep_alive, other.content_length = self.keep_alive, self.content_length
        other.is_chunked, other.expects_continue = self.is_chunked, self.expects_continue
        other.route = self.route
        return other

    # What the parser calls.

    def on_url(self, url: bytes) -> None:
        """The target; a second one in one head means that its end is in doubt."""
        if self.target:
            raise malformed("The request's head ends twice.")
        self.target = url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        parser = self._parser
        assert parser is not None  # noqa: S101 - it is who calls
        self.method, self.version = parser.get_method(), parser.get_http_version()
        self.keep_alive = self.version == "1.1" and parser.should_keep_alive()

    def on_body(self, _: bytes) -> None:
        """A body inside a head means that its end is in doubt."""
        raise malformed("The request's head ends twice.")

    # How the body is framed (RFC 9112, 6), and who is asked.

    def _read_framing(self) -> None:
        if self.version not in {"1.1", "1.0"}:
            raise Refused(Refusal(505, "invalid_head", f"HTTP/{self.version} is not spoken.", "Send HTTP/1.1."))
        self.fields = fields = dict(self.headers)
        if len(self.headers) > self._max_headers:
            raise head_too_large(f"The request has more than {self._max_headers} headers.")
        if len(fields) != len(self.headers):
            self._check_repeated()
        host = fields.get(b"host")
        if host is None:
            if self.version == "1.1":
                raise malformed("The header Host is missing.")
        elif not _NAME.fullmatch(host) and not _is_bracketed(host):
            raise malformed("The header Host is not a name with a port.")
        length = fields.get(b"content-length")
        if b"transfer-encoding" in fields:
            self._read_coding(fields[b"transfer-encoding"], is_sized=length is not None)
        elif length is not None:
            self.content_length = _length(length)
        if b"expect" in fields:
            self.expects_continue = self.version == "1.1" and fields[b"expect"].lower() == b"100-continue"

    def _check_repeated(self) -> None:
        names = [name for name, _ in self.headers]
        for name in _ONCE:
            if names.count(name) > 1:
                raise malformed(f"The header {name.decode()} is sent twice.")

    def _read_coding(self, coding: bytes, *, is_sized: bool) -> None:
        if self.version != "1.1" or is_sized:
            raise malformed("Transfer-Encoding goes neither with HTTP/1.0 nor with Content-Length.")
        if coding.strip().lower() != b"chunked":
            raise Refused(Refusal(501, "invalid_head", "Only chunked is unpacked.", "Send Transfer-Encoding: chunked."))
        self.is_chunked = True


class HeadCache:
    """Heads that were read, by their bytes: a client on a kept connection sends the same few again and again.

    A head whose line X-Request-Id alone differs, as each has that a gateway sends, is read once as well. Whoever gets a
    head changes nothing in it.

    Args:
        max_headers: more are refused.
        route_of: the route that answers a request past the application, by its head; asked once for a head that is
            kept, and so not to depend on the request's id.
        max_heads: kept; all of them are dropped when one more comes.
    """

    def __init__(
        self,
        max_headers: int,
        route_of: Callable[[RequestHead], DirectRoute | None] = lambda _: None,
        *,
        max_heads: int = 1024,
    ) -> None:
        self._max_headers = max_headers
        self._route_of = route_of
        self._max_heads = max_heads
        self._heads: dict[bytes, RequestHead] = {}

    def __len__(self) -> int:
        return len(self._heads)

    def read(self, data: bytes) -> RequestHead:
        """The head that these bytes are; raises Refused as `RequestHead.read`."""
        found = self._heads.get(data)
        if found is not None:
            return found
        if len(data) > _MAX_KEPT_BYTES:
            return self._read_new(data)
        line = _ID_LINE.search(data)
        return self._read_kept(data) if line is None else self._read_with_id(data, line)

    def _read_new(self, data: bytes) -> RequestHead:
        head = RequestHead(self._max_headers)
        head.read(data)
        head.route = self._route_of(head)
        return head

    def _read_kept(self, data: bytes) -> RequestHead:
        head = self._read_new(data)
        if _UNIQUE.isdisjoint(head.fields):
            self._keep(data, head)
        return head

    def _read_with_id(self, data: bytes, line: re.Match[bytes]) -> RequestHead:
        others = data[: line.start()] + data[line.end() :]
        kept = self._heads.get(others)
        if kept is not None and len(kept.headers) < self._max_headers:
            return kept.with_headers([*kept.headers, (_REQUEST_ID, line[1])], len(data))
        head = self._read_new(data)
        headers = [pair for pair in head.headers if pair != (_REQUEST_ID, line[1])]
        if len(headers) == len(head.headers) - 1 and _UNIQUE.isdisjoint(dict(headers)):
            self._keep(others, head.with_headers(headers, len(others)))
        return head

    def _keep(self, data: bytes, head: RequestHead) -> None:
        if len(self._heads) >= self._max_heads:
            self._heads.clear()
        self._heads[data] = head


def check_beginning(data: bytes | bytearray, start: int) -> None:
    """Refuse what cannot become a head, so that nobody waits for its end.

    Args:
        data: what came of it.
        start: where in it the head begins.

    Raises:
        Refused: it is TLS, another protocol, or has line ends of its own.
    """
    if not _METHOD_BEGINS.match(data, start):
        raise malformed("What came is not HTTP; this port speaks no TLS.")
    if data.count(b"\n", start) != data.count(b"\r\n", start):
        raise malformed("The request's lines do not end with CR LF.")
    line_end = data.find(b"\r\n", start)
    if line_end >= 0 and not _REQUEST_LINE.fullmatch(data, start, line_end):
        raise malformed("The first line is not a request line of HTTP/1.1.")


def _is_bracketed(host: bytes) -> bool:
    """Whether a host is an IPv6 address in brackets; frameworks fail at one that is not closed."""
    found = _BRACKETED.fullmatch(host)
    if found is None:
        return False
    try:
        IPv6Address(found[1].decode())
    except ValueError:
        return False
    return True


def _length(value: bytes) -> int:
    digits = value if value.isdigit() else value.strip(b" \t")
    if not digits.isdigit() or len(digits) > _MAX_LENGTH_DIGITS:
        raise malformed("Content-Length is not a number of bytes.")
    return int(digits)
