"""`edgeinfer set-aside`: what lets Debian's Prometheus and Alertmanager start on damaged files; their units call it."""

import os
import signal
from pathlib import Path

import click
import psutil

from edgeinfer.errors import DataFolderError
from edgeinfer.stack.debian_servers import SERVERS, set_aside_damage
from edgeinfer.stack.events import Event


def create() -> click.Command:
    @click.command("set-aside")
    @click.argument("server", type=click.Choice(SERVERS))
    @click.argument("storage", type=click.Path(path_type=Path, file_okay=False))
    def set_aside(server: str, storage: Path) -> None:
        """Move damaged files of a stopped server out of its way.

        STORAGE is its storage path; what is damaged is moved to the folder "damaged" next to it, and counted there.
        "edgeinfer up" does the same by itself.
        """
        if os.geteuid() == 0:
            remedy = "Restart the server: its unit does it as the server's own user."
            raise DataFolderError(f"data folder {storage}", "its files would become root's", remedy)
        if set_aside_damage(server, storage.absolute(), _say):
            _reload_prometheus()

    return set_aside


def _say(event: Event) -> None:
    click.echo(event.message)


def _reload_prometheus() -> None:
    """If one of this user runs, it reads its rules again; if none does, it reads them when it starts."""
    for process in psutil.process_iter(["name", "uids"]):
        uids = process.info["uids"]
        if process.info["name"] == "prometheus" and uids and uids.real == os.geteuid():
            process.send_signal(signal.SIGHUP)
