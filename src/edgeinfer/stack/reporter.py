"""Reports to a person or a program what the stack does: in a terminal, into a pipe, or as JSON lines."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from time import monotonic
from typing import IO, Protocol

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edgeinfer.stack.events import Event, EventKind
from edgeinfer.stack.status_line import LiveFigures, in_words

_PIPE_LINE_SECONDS = 10.0
_STYLES = {
    EventKind.READY: "green",
    EventKind.CRASHED: "yellow",
    EventKind.WARNING: "yellow",
    EventKind.GAVE_UP: "bold red",
    EventKind.DAMAGED: "bold yellow",
    EventKind.FETCHING: "cyan",
}
_TITLES = {
    "console": "Console",
    "gateway": "Gateway",
    "prometheus": "Prometheus",
    "alertmanager": "Alertmanager",
    "exporter": "Chip exporter",
}


class Reporter(Protocol):
    """Where events and figures go."""

    def report(self, event: Event) -> None:
        """Something happened."""

    def addresses(self, addresses: Mapping[str, str], data_folder: str) -> None:
        """Everything is ready; this is where."""

    def status_line(self, figures: LiveFigures | None, failures: Mapping[str, str]) -> None:
        """The newest figures, None without monitoring; what does not work, by name, with why."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class TerminalReporter:
    """Events scroll by above one line that is rewritten in place."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(
            console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )
        self._awaited: list[object] = []

    def report(self, event: Event) -> None:
        """The last line shows what is awaited; what happened stays on the screen."""
        name = event.details.get("process")
        if event.kind is EventKind.STARTING:
            self._awaited.append(name)
        elif name in self._awaited and event.kind is not EventKind.WAITING:
            self._awaited.remove(name)
        if event.kind not in (EventKind.STARTING, EventKind.WAITING, EventKind.STOPPING):
            self._console.print(Text(event.message, style=_STYLES.get(event.kind, "")))
        self._show(Text(self._progress(event), style="dim"))

    def addresses(self, addresses: Mapping[str, str], data_folder: str) -> None:
        """A small table, the console first."""
        self._awaited.clear()
        self._live.stop()
        table = Table.grid(padding=(0, 2))
        for name, address in addresses.items():
            table.add_row(_title(name), Text(address, style="bold cyan" if name == "console" else "cyan"))
        table.add_row("Data", Text(data_folder))
        self._console.print()
        self._console.print(table)
        self._console.print(Text("Ctrl-C ends everything; the data is kept.\n", style="dim"))

    def status_line(self, figures: LiveFigures | None, failures: Mapping[str, str]) -> None:
        self._show(_line(figures, failures))

    def close(self) -> None:
        self._live.stop()

    def _progress(self, event: Event) -> str:
        if event.kind in (EventKind.STOPPING, EventKind.WAITING):
            return f"… {event.message}"
        return "… waiting for " + ", ".join(map(str, self._awaited)) if self._awaited else ""

    def _show(self, line: Text) -> None:
        line.no_wrap = True
        line.overflow = "ellipsis"
        self._live.start()
        self._live.update(line, refresh=True)


class PlainReporter:
    """One line for each event, and the figures now and then."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._next_line_at = 0.0

    def report(self, event: Event) -> None:
        self._write(event.message)

    def addresses(self, addresses: Mapping[str, str], data_folder: str) -> None:
        for name, address in {**addresses, "data": data_folder}.items():
            self._write(f"{_title(name):14} {address}")

    def status_line(self, figures: LiveFigures | None, failures: Mapping[str, str]) -> None:
        """Write a line every ten seconds."""
        if monotonic() >= self._next_line_at:
            self._next_line_at = monotonic() + _PIPE_LINE_SECONDS
            self._write(_line(figures, failures).plain)

    def close(self) -> None:
        pass

    def _write(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class JsonReporter:
    """One JSON object a line, each with its `event`."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def report(self, event: Event) -> None:
        self._write({"event": event.kind, "message": event.message, **event.details})

    def addresses(self, addresses: Mapping[str, str], data_folder: str) -> None:
        """`{event: "addresses", addresses: {...}, data_folder}`."""
        self._write({"event": "addresses", "addresses": dict(addresses), "data_folder": data_folder})

    def status_line(self, figures: LiveFigures | None, failures: Mapping[str, str]) -> None:
        """`{event: "status", ..., failures: {name: why}}` with null where there is no number."""
        self._write({"event": "status", **(asdict(figures) if figures else {}), "failures": dict(failures)})

    def close(self) -> None:
        pass

    def _write(self, document: Mapping[str, object]) -> None:
        print(json.dumps(document, default=str), file=self._stream, flush=True)


def reporter_for(*, as_json: bool, stream: IO[str] | None = None) -> Reporter:
    """The one that fits where the output goes."""
    stream = stream or sys.stdout
    if as_json:
        return JsonReporter(stream)
    console = Console(file=stream, highlight=False)
    return TerminalReporter(console) if console.is_terminal else PlainReporter(stream)


def _line(figures: LiveFigures | None, failures: Mapping[str, str]) -> Text:
    """What does not work stands first, because a narrow terminal cuts the end."""
    line = Text()
    for name, why in failures.items():
        line.append(f"{name} {why}", style="bold red").append(" | ")
    return line.append(in_words(figures) if figures else "running without monitoring")


def _title(name: str) -> str:
    return _TITLES.get(name, name.replace("-", " ").capitalize())
