"""What the guide says to type, in its order, and what of it cannot be typed without a chip."""

import re
from dataclasses import dataclass
from pathlib import Path

GUIDE = Path(__file__).resolve().parents[2] / "docs/guides/raspberry-pi.md"
URL = "URL-OF-THIS-REPOSITORY"
_HAILO = "it needs a Hailo chip, or the packages of its maker"
_PROXY = "tests/deploy/test_proxy.py runs the proxy; a certificate is missing here"
# By how a command begins.
NOT_TYPED = {
    "lspci": _HAILO,
    "sudo apt update && sudo apt full-upgrade": _HAILO,
    "sudo apt install hailo-all": _HAILO,
    "sudo reboot": "it belongs to the driver",
    "sudo install -D model.hef": _HAILO,
    "sudo HEF_PATH=": _HAILO,
    "cat /opt/edgeinfer/models/": _HAILO,
    "edgeinfer parity": _HAILO,
    "sudo apt install nginx-light": _PROXY,
    "sudo install -D -m": _PROXY,
    "sudo cp deploy/proxy/": _PROXY,
    "sudo rm -f /etc/nginx/": _PROXY,
    "sudo systemctl reload nginx": _PROXY,
}


@dataclass(frozen=True, slots=True)
class Typed:
    """One command of the guide.

    Args:
        section: the heading above it.
        command: what stands after the prompt.
    """

    section: str
    command: str

    @property
    def why_not(self) -> str:
        """Why it cannot be typed here; empty where it can."""
        return next((why for begin, why in NOT_TYPED.items() if self.command.startswith(begin)), "")


def commands(text: str) -> list[Typed]:
    """Every command of a guide, in its order."""
    found, section, is_block = [], "", False
    for line in text.splitlines():
        if line.startswith("```"):
            is_block = not is_block
        elif heading := re.match(r"#+ (.*)", line):
            section = section if is_block else heading.group(1)
        elif is_block and line.startswith("$ "):
            found.append(Typed(section, line[2:]))
    return found
