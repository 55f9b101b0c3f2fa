"""`edgeinfer replay`: which console has the page of the session that it played."""

from pathlib import Path

from edgeinfer.cli._running_stack import RunningStack
from edgeinfer.cli.replay import _console_of

STACK = RunningStack(Path("/data"), 1, {"gateway": "http://127.0.0.1:18080", "console": "http://127.0.0.1:18088"})


def test_the_page_is_on_the_console_of_the_gateways_own_stack() -> None:
    assert _console_of("http://127.0.0.1:18080/", STACK) == "http://127.0.0.1:18088"


def test_the_page_of_another_gateway_is_on_the_usual_console() -> None:
    assert _console_of("http://elsewhere:8080", STACK) == "http://127.0.0.1:8088"
    without = RunningStack(Path("/data"), 1, {"gateway": "http://127.0.0.1:18080"})
    assert _console_of("http://127.0.0.1:18080", without) == "http://127.0.0.1:8088"
