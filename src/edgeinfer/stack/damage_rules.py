"""How many damaged files lie aside, as a series in Prometheus.

`edgeinfer up` is no target that could be scraped, and must not need one: it writes a recording rule with the numbers
that it counted, so that the series is there as long as Prometheus is. A rule file is YAML, of which JSON is a part.
"""

import json
from collections import Counter
from pathlib import Path

from edgeinfer.stack.damage import lying_aside
from edgeinfer.stack.folder import DataFolder, write_whole

SERIES = "edgeinfer_stack_set_aside_files"
PARTS = ("prometheus", "alertmanager", "stack")


def rule_file(folder: DataFolder) -> Path:
    """Where the rule lies."""
    return folder.configuration / "set-aside.rules.yml"


def write_rules(folder: DataFolder) -> bool:
    """Write the numbers as they are now; returns whether they changed, so that Prometheus must read them again.

    Raises:
        OSError: the file cannot be written.
    """
    counts = Counter(one.part for one in lying_aside(folder) if one.moved_to)
    rules = [{"record": SERIES, "expr": f"vector({counts[part]})", "labels": {"part": part}} for part in PARTS]
    text = json.dumps({"groups": [{"name": "edgeinfer-set-aside", "rules": rules}]}, indent=2) + "\n"
    path = rule_file(folder)
    if _read(path) == text:
        return False
    write_whole(path, text)
    return True


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
