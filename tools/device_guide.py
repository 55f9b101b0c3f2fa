"""The part of the Raspberry Pi guide that shows what `deploy/install.sh` does: the dry run on a fresh Debian 12."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.device_setup.facts import Facts
from tools.device_setup.journal import Journal
from tools.device_setup.machine import Completed, Machine
from tools.device_setup.options import Options
from tools.device_setup.plan import Plan

PATH = "docs/guides/raspberry-pi.md"
_ROOT = Path(__file__).resolve().parents[1]
_PART = re.compile(r"(?s)(<!-- the dry run: written by make generate -->\n).*(<!-- end of the dry run -->)")
_FRESH = Facts("Debian GNU/Linux 12 (bookworm)", "bookworm", has_apt=True, python=(3, 11), bits=64)


def render() -> str:
    """The guide with the dry run as it is now."""
    text = (_ROOT / PATH).read_text(encoding="utf-8")
    return _PART.sub(lambda found: f"{found.group(1)}```text\n{dry_run()}\n```\n{found.group(2)}", text)


def dry_run() -> str:
    """What is printed; the name of the release is left out, because it changes with every line of the source."""
    lines: list[str] = []
    with TemporaryDirectory() as folder:
        for there in ("run/systemd/system", "etc/tmpfiles.d", "etc/udev/rules.d"):
            (Path(folder) / there).mkdir(parents=True)
        machine = Machine(Path(folder), _no_command, is_root=True)
        Plan(_ROOT, _FRESH, Options(), Journal(machine)).show(machine, lines.append)
    return re.sub(r"(/releases/)[0-9a-f]{12}", r"\1RELEASE", "\n".join(lines)).strip()


def _no_command(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Completed:
    """Of a fresh machine: nothing is installed, enabled or running."""
    del command, environment
    return Completed(1)
