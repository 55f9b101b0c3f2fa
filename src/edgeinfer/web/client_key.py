"""The API key that a program of ours sends to a gateway which requires one."""

from pathlib import Path

from edgeinfer.errors import SettingsError


def authorization(key_file: Path | None) -> dict[str, str]:
    """The headers that a gateway with API keys requires; empty if there is no key to send.

    Raises:
        SettingsError: the file cannot be read, or holds no key.
    """
    if key_file is None:
        return {}
    try:
        secret = key_file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as failure:
        raise SettingsError(f"key file {key_file}", "it cannot be read", "Put the key alone into a file.") from failure
    if not secret or not secret.isprintable() or " " in secret:
        raise SettingsError(f"key file {key_file}", "it holds no key", "Put the key alone into a file.")
    return {"Authorization": f"Bearer {secret}"}
