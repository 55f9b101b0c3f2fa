"""The command `edgeinfer`: one subcommand for each other file of this folder."""

import importlib
import pkgutil
import sys
from importlib.metadata import version

import click

import edgeinfer.cli
from edgeinfer.cli._streams import make_printable, use_utf8
from edgeinfer.errors import ConfigurationError, EdgeInferError

_EXIT_CONFIGURATION = 78  # EX_CONFIG of sysexits.h: fix the configuration, restarting will not help
_EXIT_FAILURE = 1


class Commands(click.Group):
    """Finds each command by its file; a module `name.py` offers `create() -> click.Command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        modules = (module.name for module in pkgutil.iter_modules(edgeinfer.cli.__path__))
        return sorted(name.replace("_", "-") for name in modules if name != "main" and not name.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported only when it is asked for."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"edgeinfer.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.create()
        return command


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("edgeinfer"), prog_name="edgeinfer")
def edgeinfer_command() -> None:
    """Serve and observe inference on edge NPUs.

    Start with "edgeinfer up": it runs the whole stack on this machine and shows its addresses.
    """


def main() -> None:
    """Run the command line; an expected error is printed in one line, without a traceback."""
    use_utf8()
    make_printable((sys.stdout, sys.stderr))
    try:
        edgeinfer_command(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as failure:
        failure.show()
        sys.exit(failure.exit_code)
    except EdgeInferError as failure:
        click.secho(f"error: {failure.thing}: {failure.fault}.", err=True, fg="red")
        click.echo(f"hint: {failure.remedy}", err=True)
        sys.exit(_EXIT_CONFIGURATION if isinstance(failure, ConfigurationError) else _EXIT_FAILURE)
    except KeyboardInterrupt:
        sys.exit(130)
