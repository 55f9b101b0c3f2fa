"""`edgeinfer down`: ends the run on a data folder, from another terminal."""

import contextlib
import time
from pathlib import Path

import click
import psutil

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
        with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended by itself
            run = psutil.Process(holder.pid)
            _terminate(run)
            _await_end(run, folder, wait_seconds)
        click.echo(f"Ended; the measurements stay in {folder.root}.")

    return down


def _terminate(run: psutil.Process) -> None:
    try:
        run.terminate()
    except psutil.AccessDenied as failure:
        remedy = "End it as the user who started it."
        raise StackError(f"process {run.pid}", "this user may not end it", remedy) from failure


def _await_end(run: psutil.Process, folder: DataFolder, wait_seconds: float) -> None:
    """Wait for the process, not for its lock, which it frees a moment before it ends."""
    deadline = time.monotonic() + wait_seconds
    while run.is_running() and run.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            raise StackError(f"process {run.pid}", f"still runs after {wait_seconds:g} s", f"Look into {folder.logs}.")
        time.sleep(_STEP_SECONDS)
