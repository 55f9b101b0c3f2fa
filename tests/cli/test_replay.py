"""`edgeinfer replay`: which console has the page of the session that it played."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from edgeinfer.cli._running_stack import RunningStack
from edgeinfer.cli.replay import _console_of, create

STACK = RunningStack(Path("/data"), 1, {"gateway": "http://127.0.0.1:18080", "console": "http://127.0.0.1:18088"})


def test_the_page_is_on_the_console_of_the_gateways_own_stack() -> None:
    assert _console_of("http://127.0.0.1:18080/", STACK) == "http://127.0.0.1:18088"


def test_the_page_of_another_gateway_is_on_the_usual_console() -> None:
    assert _console_of("http://elsewhere:8080", STACK) == "http://127.0.0.1:8088"
    without = RunningStack(Path("/data"), 1, {"gateway": "http://127.0.0.1:18080"})
    assert _console_of("http://127.0.0.1:18080", without) == "http://127.0.0.1:8088"


@pytest.mark.parametrize("option", ["--gateway", "--console"])
@pytest.mark.parametrize("given", ["notaurl", "127.0.0.1:8080", "http://", "http://127.0.0.1:0x50", "ftp://host"])
def test_what_is_not_an_address_is_refused_and_not_waited_for(option: str, given: str) -> None:
    result = CliRunner().invoke(create(), [option, given])
    assert result.exit_code == 2
    assert f"{given!r} is not an address" in result.stderr
