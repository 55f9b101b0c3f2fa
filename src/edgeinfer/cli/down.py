"""`edgeinfer down`: ends the run on a data folder, from another terminal."""

import os
import signal
import time
from pathlib import Path

import click

from edgeinfer.errors import StackError
from edgeinfer.settings import StackSettings
from edgeinfer.stack import lock
from edgeinfer.stack.folder import DataFolder, root_of

_STEP_SECONDS = 0.1


def create() -> click.Command:
    @click.command("down")
    @click.option(
        "--data-folder", type=click.Path(path_type=Path, file_okay=False), help="The folder that the run was given."
    )
    @click.option("--wait", "wait_seconds", type=click.FloatRange(0), default=60.0, help="Seconds to wait (60).")
    def down(*, data_folder: Path | None, wait_seconds: float) -> None:
        """End the stack that runs on a data folder, as Ctrl-C does where it runs.

        Exit codes: 0 it has ended, or none ran; 1 it still runs.
        """
        settings = StackSettings.from_environment(None, data_folder=data_folder)
        folder = DataFolder(root_of(settings.data_folder, settings.data_home).expanduser().absolute())
        holder = lock.holder(folder.lock)
        if holder is None:
            click.echo(f"Nothing runs on {folder.root}.")
            return
        if holder.pid is None or not holder.is_ours:
            remedy = "Stop that process, if it is not needed."
            raise StackError(
                f"data folder {folder.root}", f"is in use by {holder}, which is not a run of EdgeInfer", remedy
            )
        _terminate(holder.pid)
        _await_end(folder, holder.pid, wait_seconds)
        click.echo(f"Ended; the measurements stay in {folder.root}.")

    return down


def _terminate(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
    except PermissionError as failure:
        remedy = "End it as the user who started it."
        raise StackError(f"process {pid}", "this user may not end it", remedy) from failure
    except ProcessLookupError:  # it has just ended by itself
        return


def _await_end(folder: DataFolder, pid: int, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    while (holder := lock.holder(folder.lock)) and holder.pid == pid:
        if time.monotonic() > deadline:
            raise StackError(f"process {pid}", f"still runs after {wait_seconds:g} s", f"Look into {folder.logs}.")
        time.sleep(_STEP_SECONDS)
