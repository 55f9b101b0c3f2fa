import io
import json

from rich.console import Console

from edgeinfer.stack.events import Event, Kind
from edgeinfer.stack.live import LiveFigures
from edgeinfer.stack.narrator import JsonNarrator, PlainNarrator, TerminalNarrator, narrator_for

ADDRESSES = {"console": "http://127.0.0.1:8088", "gateway": "http://127.0.0.1:8080"}
READY = Event(Kind.READY, "gateway: ready after 1.0 s", {"child": "gateway", "pid": 12})
FIGURES = LiveFigures(True, 2.0, 0.004, 1.0, {"sidecar": 1.0})


def test_json_lines_can_be_read_by_a_program() -> None:
    stream = io.StringIO()
    narrator = JsonNarrator(stream)
    narrator.tell(READY)
    narrator.addresses(ADDRESSES, "/data")
    narrator.live(FIGURES, {})
    narrator.live(None, {})

    ready, addresses, live, nothing = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert ready == {"event": "ready", "message": "gateway: ready after 1.0 s", "child": "gateway", "pid": 12}
    assert addresses == {"event": "addresses", "addresses": ADDRESSES, "data_folder": "/data"}
    assert (live["event"], live["requests_per_second"], live["source_ratios"]) == ("live", 2.0, {"sidecar": 1.0})
    assert nothing == {"event": "live", "troubles": {}}


def test_a_pipe_gets_plain_lines_the_console_first_and_the_figures_now_and_then() -> None:
    stream = io.StringIO()
    narrator = PlainNarrator(stream)
    narrator.tell(READY)
    narrator.addresses(ADDRESSES, "/data")
    for _ in range(5):
        narrator.live(FIGURES, {})

    lines = stream.getvalue().splitlines()
    assert lines[0] == "gateway: ready after 1.0 s"
    assert lines[1].split() == ["Console", "http://127.0.0.1:8088"]
    assert lines[4:] == ["2.0 requests/s | p95 4.0 ms | success 100.0% | source sidecar"]
    assert "\x1b" not in stream.getvalue()


def test_a_terminal_gets_one_line_that_is_rewritten_below_what_happened() -> None:
    stream = io.StringIO()
    narrator = TerminalNarrator(Console(file=stream, force_terminal=True, width=100, highlight=False))
    narrator.tell(READY)
    narrator.addresses(ADDRESSES, "/data")
    narrator.live(FIGURES, {})
    narrator.live(LiveFigures(True, 3.0, 0.004, 1.0, {"sidecar": 1.0}), {})
    narrator.tell(Event(Kind.CRASHED, "sidecar-1: was ended by SIGKILL"))
    narrator.close()

    shown = stream.getvalue()
    assert shown.index("http://127.0.0.1:8088") < shown.index("http://127.0.0.1:8080") < shown.index("2.0 requests/s")
    assert "\x1b[2K" in shown.split("2.0 requests/s")[1], "the line is erased before it is written anew"
    assert "was ended by SIGKILL" in shown


def test_a_line_never_wraps_in_a_narrow_terminal() -> None:
    stream = io.StringIO()
    narrator = TerminalNarrator(Console(file=stream, force_terminal=True, width=30, color_system=None))
    narrator.live(FIGURES, {})
    narrator.close()

    assert "…" in stream.getvalue()
    assert "source sidecar" not in stream.getvalue()


def test_where_the_output_goes_decides_how_it_is_told() -> None:
    assert isinstance(narrator_for(as_json=True, stream=io.StringIO()), JsonNarrator)
    assert isinstance(narrator_for(as_json=False, stream=io.StringIO()), PlainNarrator)


def test_what_does_not_work_stands_first_in_the_line() -> None:
    stream = io.StringIO()
    PlainNarrator(stream).live(FIGURES, {"gateway": "restarting", "prometheus": "given up for now"})

    assert stream.getvalue().startswith("gateway restarting | prometheus given up for now | 2.0 requests/s")
