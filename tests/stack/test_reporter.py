import io
import json

from rich.console import Console

from edgeinfer.stack.events import Event, EventKind
from edgeinfer.stack.reporter import JsonReporter, PlainReporter, TerminalReporter, reporter_for
from edgeinfer.stack.status_line import LiveFigures

ADDRESSES = {"console": "http://127.0.0.1:8088", "gateway": "http://127.0.0.1:8080"}
READY = Event(EventKind.READY, "gateway: ready after 1.0 s", {"process": "gateway", "pid": 12})
FIGURES = LiveFigures(True, 2.0, 0.004, 1.0, {"sidecar": 1.0})


def terminal(stream: io.StringIO, width: int) -> Console:
    """A terminal that can do what most can, whatever terminal the tests run in."""
    environment = {"TERM": "xterm"}
    return Console(file=stream, force_terminal=True, width=width, highlight=False, _environ=environment)


def test_json_lines_can_be_read_by_a_program() -> None:
    stream = io.StringIO()
    reporter = JsonReporter(stream)
    reporter.report(READY)
    reporter.addresses(ADDRESSES, "/data")
    reporter.status_line(FIGURES, {})
    reporter.status_line(None, {})

    ready, addresses, live, nothing = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert ready == {"event": "ready", "message": "gateway: ready after 1.0 s", "process": "gateway", "pid": 12}
    assert addresses == {"event": "addresses", "addresses": ADDRESSES, "data_folder": "/data"}
    assert (live["event"], live["requests_per_second"], live["source_ratios"]) == ("status", 2.0, {"sidecar": 1.0})
    assert nothing == {"event": "status", "failures": {}}


def test_a_pipe_gets_plain_lines_the_console_first_and_the_figures_now_and_then() -> None:
    stream = io.StringIO()
    reporter = PlainReporter(stream)
    reporter.report(READY)
    reporter.addresses(ADDRESSES, "/data")
    for _ in range(5):
        reporter.status_line(FIGURES, {})

    lines = stream.getvalue().splitlines()
    assert lines[0] == "gateway: ready after 1.0 s"
    assert lines[1].split() == ["Console", "http://127.0.0.1:8088"]
    assert lines[4:] == ["2.0 requests/s | p95 4.0 ms | success 100.0% | source sidecar"]
    assert "\x1b" not in stream.getvalue()


def test_a_terminal_gets_one_line_that_is_rewritten_below_what_happened() -> None:
    stream = io.StringIO()
    reporter = TerminalReporter(terminal(stream, width=100))
    reporter.report(READY)
    reporter.addresses(ADDRESSES, "/data")
    reporter.status_line(FIGURES, {})
    reporter.status_line(LiveFigures(True, 3.0, 0.004, 1.0, {"sidecar": 1.0}), {})
    reporter.report(Event(EventKind.CRASHED, "sidecar-1: was ended by SIGKILL"))
    reporter.close()

    shown = stream.getvalue()
    assert shown.index("http://127.0.0.1:8088") < shown.index("http://127.0.0.1:8080") < shown.index("2.0 requests/s")
    assert "\x1b[2K" in shown.split("2.0 requests/s")[1], "the line is erased before it is written again"
    assert "was ended by SIGKILL" in shown


def test_a_line_never_wraps_in_a_narrow_terminal() -> None:
    stream = io.StringIO()
    reporter = TerminalReporter(terminal(stream, width=30))
    reporter.status_line(FIGURES, {})
    reporter.close()

    assert "…" in stream.getvalue()
    assert "source sidecar" not in stream.getvalue()


def test_where_the_output_goes_decides_how_it_is_reported() -> None:
    assert isinstance(reporter_for(as_json=True, stream=io.StringIO()), JsonReporter)
    assert isinstance(reporter_for(as_json=False, stream=io.StringIO()), PlainReporter)


def test_what_does_not_work_stands_first_in_the_line() -> None:
    stream = io.StringIO()
    PlainReporter(stream).status_line(FIGURES, {"gateway": "restarting", "prometheus": "given up for now"})

    assert stream.getvalue().startswith("gateway restarting | prometheus given up for now | 2.0 requests/s")
