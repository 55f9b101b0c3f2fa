"""How the cost of a phone grows: with more phones, with more sessions kept, with more days of history in the store.

A stack of its own for each curve, one phone-second as `benchmarks.phones` defines it. Sessions kept hold a window each;
a day of history is 24 sessions that ended, with the 2000 samples that the archive keeps of each.

Run as `python -m benchmarks.phone_growth [--phones 1,10,75,150,300] [--sessions 10,100,1000,10000] [--days 0,1,7,30]
[--report FILE --picture FILE]`.
"""

import argparse
import json
import math
import statistics
import tempfile
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.phone_servers import Running, Variant, serving
from benchmarks.phones import measure
from benchmarks.report import curves_as_svg

_PREFIX = "/api/v1/analysis"
_SESSIONS_A_DAY = 24
_KEPT_SAMPLES = 2000
_PER_UPLOAD = 500
_FEW_PHONES = 10
_SAME = 0.05  # what differs less with each tenfold is the same in a run of this length
Point = tuple[float, float]


class Caller:
    """Prepares a gateway: one request at a time over one connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=60)

    def start(self) -> str:
        """A new session."""
        found: str = self._ask("POST", "/start", b"")["sessionId"]
        return found

    def upload(self, session: str, samples: int) -> None:
        """Samples at 100 Hz, in as many uploads as it takes."""
        for first in range(0, samples, _PER_UPLOAD):
            rows = [_sample(number) for number in range(first, min(samples, first + _PER_UPLOAD))]
            self._ask("PUT", "/stream", json.dumps({"sessionId": session, "samples": rows}).encode())

    def stop(self, session: str) -> None:
        self._ask("POST", "/stop", json.dumps({"sessionId": session}).encode())

    def _ask(self, method: str, path: str, body: bytes) -> Any:
        self._connection.request(method, _PREFIX + path, body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status not in {200, 201, 202}:
            raise RuntimeError(f"{method} {path} was answered with {answer.status}: {text[:200]!r}")
        return json.loads(text)


def _sample(number: int) -> dict[str, float]:
    values = {name: round(math.sin(number / 7 + place), 4) for place, name in enumerate(("ax", "ay", "az", "gx"))}
    return {"t": 1000 + number / 100, **values, "gy": 0.1, "gz": 0.0, "mx": 20.0, "my": 1.0, "mz": -40.0}


def cost(running: Running, phones: int, seconds: float, rounds: int) -> tuple[float, float, float]:
    """CPU ms of gateway and sidecar per phone-second, p95 in ms, and the gateway's memory in MB; medians of rounds."""
    cells: list[Any] = [measure(running, phones, seconds) for _ in range(rounds)]
    costs = [sum(cell["services"][name]["cpu_ms"] for name in ("gateway", "sidecar")) for cell in cells]
    waits = [cell["load"]["all"]["p95"] for cell in cells]
    memory = [cell["services"]["gateway"]["megabytes"] for cell in cells]
    found = statistics.median(costs), statistics.median(waits), statistics.median(memory)
    print(f"  {phones} phones: {found[0]:.2f} ms, p95 {found[1]:.1f} ms, gateway {found[2]:.0f} MB", flush=True)
    return found


def by_phones(counts: list[int], seconds: float, rounds: int, folder: Path) -> list[tuple[int, tuple[float, ...]]]:
    """The curve over phones at a time."""
    with serving(Variant("phones"), folder) as running:
        return [(count, cost(running, count, seconds, rounds)) for count in counts]


def by_preparation(  # noqa: PLR0913, PLR0917 - what a curve is made of
    counts: list[int],
    prepare: Callable[[Caller, int, int], None],
    settings: dict[str, str],
    seconds: float,
    rounds: int,
    folder: Path,
) -> list[tuple[int, tuple[float, ...]]]:
    """A curve for a few phones over something that the gateway keeps next to them.

    Args:
        counts: of it, rising.
        prepare: brings a gateway from one count to the next.
        settings: of the stack.
        seconds: that count in each cell.
        rounds: of each cell.
        folder: for the store.
    """
    points, before = [], 0
    with serving(Variant("kept", settings=settings), folder) as running:
        for count in counts:
            prepare(Caller(running.url), before, count)
            points.append((count, cost(running, _FEW_PHONES, seconds, rounds)))
            before = count
    return points


def keep_sessions(caller: Caller, before: int, count: int) -> None:
    """Sessions under way that hold a second of samples and are silent."""
    for _ in range(count - before):
        caller.upload(caller.start(), 100)


def end_sessions(caller: Caller, before: int, days: int) -> None:
    """Sessions of so many days that ended."""
    for _ in range((days - before) * _SESSIONS_A_DAY):
        session = caller.start()
        caller.upload(session, _KEPT_SAMPLES)
        caller.stop(session)


def exponent(points: list[Point]) -> float:
    """The cost as n to a power: that power, by least squares of the logarithms; zeros are left out."""
    rows = [(math.log10(count), math.log10(value)) for count, value in points if count > 0 and value > 0]
    if len(rows) < 2:
        return math.nan
    slope, _ = statistics.linear_regression([row[0] for row in rows], [row[1] for row in rows])
    return slope


def in_words(points: list[Point], what: str) -> str:
    """The slope of a curve."""
    change = 10 ** exponent(points) - 1
    if math.isnan(change):
        return f"too few points to say how it changes with {what}"
    if abs(change) < _SAME:
        return f"it does not change with {what}"
    return f"it {'grows' if change > 0 else 'falls'} by {abs(change):.0%} with ten times the {what}"


def as_page(found: dict[str, list[tuple[int, tuple[float, ...]]]], how: str) -> str:
    lines = ["# Growth", "", "CPU of gateway and sidecar per second of one phone, as something grows.", how, ""]
    lines += [
        "![The cost of a phone-second over phones, sessions kept and days of history](../pictures/growth.svg)",
        "",
    ]
    for what, rows in found.items():
        words = in_words([(count, values[0]) for count, values in rows], what)
        lines += [f"## {what.capitalize()}", "", f"The cost of a phone-second: {words}.", ""]
        lines += [f"| {what} | CPU ms per phone-second | p95 ms | gateway, MB (PSS) |", "|---:|---:|---:|---:|"]
        lines += [f"| {count} | {values[0]:.2f} | {values[1]:.1f} | {values[2]:.0f} |" for count, values in rows]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    """Measure the three curves, and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phones", default="1,10,75,150,300", help="at a time (%(default)s)")
    parser.add_argument("--sessions", default="10,100,1000,10000", help="kept next to ten phones (%(default)s)")
    parser.add_argument("--days", default="0,1,7,30", help="of history next to ten phones (%(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each cell that count (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--report", type=Path, help="Markdown file")
    parser.add_argument("--picture", type=Path, help="SVG file")
    given = parser.parse_args()
    phones, sessions, days = (_numbers(text) for text in (given.phones, given.sessions, given.days))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        found = {"phones": by_phones(phones, given.seconds, given.rounds, place / "phones")}
        room = {"EDGEINFER_GATEWAY_MAX_SESSIONS": str(max(sessions, default=1) + 1000)}
        found["sessions kept"] = by_preparation(
            sessions, keep_sessions, room, given.seconds, given.rounds, place / "sessions"
        )
        month = {"EDGEINFER_GATEWAY_RETENTION_HOURS": "720"}
        found["days of history"] = by_preparation(
            days, end_sessions, month, given.seconds, given.rounds, place / "days"
        )
    load = " ".join(Path("/proc/loadavg").read_text().split()[:3])
    how = (
        f"Medians of {given.rounds} rounds of {given.seconds:g} s; load average at the end {load}. "
        "Written by `python -m benchmarks.phone_growth`; see [performance](../concepts/performance.md)."
    )
    text = as_page(found, how.replace(". W", ".\nW"))
    if given.report is None:
        print(text)
    else:
        given.report.write_text(text)
    if given.picture is not None:
        curves = {what: [(float(count), values[0]) for count, values in rows] for what, rows in found.items()}
        given.picture.write_text(curves_as_svg(curves, "CPU ms per phone-second"))


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part]


if __name__ == "__main__":
    main()
