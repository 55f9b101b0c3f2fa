"""How many damaged files lie aside, as a series in Prometheus.

`edgeinfer up` is not a target that could be scraped, and must not need one: it writes a recording rule with the numbers
that it counted, so that the series is there as long as Prometheus is. A rule file is YAML, of which JSON is a part.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import aiohttp

from edgeinfer.stack.damage import lying_aside
from edgeinfer.stack.folder import DataFolder, write_whole

SERIES = "edgeinfer_stack_set_aside_files"
PARTS = ("prometheus", "alertmanager", "stack")
_RELOAD = aiohttp.ClientTimeout(total=90)


def rule_file(folder: DataFolder) -> Path:
    return folder.configuration / "set-aside.rules.yml"


def write_rules(folder: DataFolder, path: Path | None = None) -> bool:
    """Write the numbers as they are now; returns whether they changed, so that Prometheus must read them again.

    Args:
        folder: whose damaged files are counted.
        path: where the rule is written; None for its place in the folder.

    Raises:
        OSError: the file cannot be written.
    """
    counts = Counter(one.part for one in lying_aside(folder) if one.moved_to)
    rules = [{"record": SERIES, "expr": f"vector({counts[part]})", "labels": {"part": part}} for part in PARTS]
    text = json.dumps({"groups": [{"name": "edgeinfer-set-aside", "rules": rules}]}, indent=2) + "\n"
    path = path or rule_file(folder)
    if _read(path) == text:
        return False
    write_whole(path, text)
    return True


@dataclass(slots=True)
class DamagePublisher:
    """Keeps the rule as it should be, and lets a running Prometheus read it.

    Args:
        folder: whose damaged files are counted.
        prometheus_url: reads its rules again when it is asked to.
    """

    folder: DataFolder
    prometheus_url: str
    _must_reload: bool = field(init=False, default=False)

    async def publish(self, http: aiohttp.ClientSession, *, is_ready: bool) -> None:
        """Write the rule if the numbers changed; a reload that is not possible now, or fails, is done the next time.

        Args:
            http: asks for the reload.
            is_ready: whether Prometheus answers.

        Raises:
            OSError: the rule cannot be written.
            aiohttp.ClientError, TimeoutError: Prometheus does not answer.
        """
        self._must_reload = write_rules(self.folder) or self._must_reload
        if not self._must_reload or not is_ready:
            return
        async with http.post(f"{self.prometheus_url}/-/reload", timeout=_RELOAD) as answer:
            await answer.read()
            self._must_reload = answer.status != HTTPStatus.OK


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
