"""Each command takes the options that it offers: click looks at that only when the command is run."""

import inspect
from collections.abc import Iterator

import click
import pytest

from edgeinfer.cli.main import edgeinfer_command


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield name, command
        return
    context = click.Context(command)
    for child in command.list_commands(context):
        found = command.get_command(context, child)
        assert found is not None
        yield from commands(found, f"{name} {child}")


@pytest.mark.parametrize(("name", "command"), list(commands(edgeinfer_command, "edgeinfer")))
def test_a_command_takes_the_options_that_it_offers(name: str, command: click.Command) -> None:
    assert command.callback is not None, name
    given = {option.name or "": None for option in command.params}
    inspect.signature(command.callback).bind(**given)  # raises TypeError, as the call itself would
