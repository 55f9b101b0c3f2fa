"""`edgeinfer key`: make, list and revoke the API keys that a gateway asks for."""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

import click

from edgeinfer.errors import SettingsError
from edgeinfer.gateway.keys import ApiKey, new_key, read_keys

_HEADER = "# API keys of the gateway, as hashes: NAME sha256:HASH [REQUESTS_PER_SECOND]\n"
_file = click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The file that EDGEINFER_GATEWAY_API_KEYS_FILE names.",
)


def create() -> click.Command:
    @click.group("key")
    def key() -> None:
        """Make, list and revoke API keys; a running gateway sees the change within seconds."""

    key.add_command(_new())
    key.add_command(_list())
    key.add_command(_revoke())
    return key


def _new() -> click.Command:
    @click.command("new")
    @click.argument("name")
    @_file
    @click.option(
        "--requests-per-second",
        type=click.FloatRange(0, 100_000, min_open=True),
        help="Its own limit, in place of the common one.",
    )
    def new(name: str, path: Path, requests_per_second: float | None) -> None:
        """Make a key, keep its hash in the file, and print the key, this once."""
        keys = read_keys(path) if path.exists() else ()
        if any(key.name == name for key in keys):
            raise SettingsError(f"key {name}", "a key of this name exists", "Revoke it first, or choose another name.")
        secret, made = new_key(name, requests_per_second)
        _write(path, (*keys, made))
        click.echo(f"Kept the hash of key {name} in {path}. The key is shown only now:", err=True)
        click.echo(secret)

    return new


def _list() -> click.Command:
    @click.command("list")
    @_file
    def show(path: Path) -> None:
        """Print names and limits of the keys; the keys themselves are nowhere."""
        for key in read_keys(path):
            limit = "common limit" if key.requests_per_second is None else f"{key.requests_per_second:g}/s"
            click.echo(f"{key.name}  {limit}  {key.digest[:19]}…")

    return show


def _revoke() -> click.Command:
    @click.command("revoke")
    @click.argument("name")
    @_file
    def revoke(name: str, path: Path) -> None:
        """Take a key out of the file."""
        keys = read_keys(path)
        left = tuple(key for key in keys if key.name != name)
        if len(left) == len(keys):
            known = ", ".join(key.name for key in keys) or "none"
            raise SettingsError(f"key {name}", f"{path} has no such key", f"It has: {known}.")
        _write(path, left)
        click.echo(f"Revoked {name}.", err=True)

    return revoke


def _write(path: Path, keys: tuple[ApiKey, ...]) -> None:
    """Replace the file in one step, readable by its owner and group as before: a gateway never reads half of it."""
    before = path.stat() if path.exists() else None
    try:
        with NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}-", delete=False, encoding="utf-8") as new:
            new.write(_HEADER + "".join(f"{key.line}\n" for key in keys))
        if before is not None:
            Path(new.name).chmod(before.st_mode & 0o755)
            with suppress(PermissionError):  # only root gives files away
                os.chown(new.name, before.st_uid, before.st_gid)
        Path(new.name).replace(path)
    except OSError as failure:
        raise SettingsError(
            f"key file {path}", f"it cannot be written ({failure.strerror})", "Name another."
        ) from failure
