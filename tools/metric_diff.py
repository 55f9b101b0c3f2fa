"""Which exported metrics were renamed, changed, added or removed between two commits, from their catalogs.

`python -m tools.metric_diff 6ef4c04` compares that commit with the working tree and writes the report.
A renamed metric is found by its RENAMED entry: no comparison can distinguish a new name from a new metric.
"""

import json
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
REPORT = ROOT / "docs/reports/metric-names.md"
# Old name to new name, of metrics that count or measure the same as before.
RENAMED = {
    "edgeinfer_backend_in_flight": "edgeinfer_sidecar_in_flight",
    "edgeinfer_backend_requests_total": "edgeinfer_sidecar_requests_total",
    "edgeinfer_problems_total": "edgeinfer_http_errors_total",
    "edgeinfer_upstream_retries_total": "edgeinfer_sidecar_retries_total",
    "hailo_board_complaint": "raspberry_pi_condition",
    "hailo_drift_window_samples": "hailo_drift_window_answers",
    "hailo_network_frames_per_second": "hailo_model_frames_per_second",
    "hailo_network_utilization_ratio": "hailo_model_utilization_ratio",
    "hailo_sidecar_problems_total": "hailo_sidecar_http_errors_total",
}
_CATALOG = "src/edgeinfer/catalog"
_DUMP = """
import json, sys
sys.path.insert(0, sys.argv[1])
from edgeinfer.catalog.all import all_metrics
print(json.dumps([
    {"name": m.name, "kind": m.kind, "unit": m.unit, "buckets": m.buckets,
     "owners": m.owners, "labels": [[one.name, one.values] for one in m.labels]}
    for m in all_metrics()
]))
"""


@dataclass(frozen=True, slots=True)
class Exported:
    """One metric as a process exports it; its help is left out, because no query depends on it."""

    name: str
    kind: str
    unit: str
    buckets: tuple[float, ...]
    owners: tuple[str, ...]
    labels: dict[str, tuple[str, ...]]


def exported(commit: str = "") -> dict[str, Exported]:
    """The catalog of a commit, or of the working tree if it is empty, by name.

    Raises:
        subprocess.CalledProcessError: there is no such commit, or it has no catalog.
    """
    if not commit:
        return _dump(ROOT / "src")
    with TemporaryDirectory() as folder:
        archive = subprocess.run(
            ["git", "archive", commit, _CATALOG, "src/edgeinfer/__init__.py"], cwd=ROOT, capture_output=True, check=True
        )
        with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
            files.extractall(folder, filter="data")
        return _dump(Path(folder) / "src")


def _dump(source: Path) -> dict[str, Exported]:
    done = subprocess.run([sys.executable, "-c", _DUMP, source], capture_output=True, text=True, check=True)
    entries = [
        Exported(
            one["name"],
            one["kind"],
            one["unit"],
            tuple(one["buckets"]),
            tuple(one["owners"]),
            {name: tuple(values) for name, values in one["labels"]},
        )
        for one in json.loads(done.stdout)
    ]
    return {one.name: one for one in entries}


def changes(old: Exported, new: Exported) -> list[str]:
    """What a query or a scrape would notice, except for the name, in words."""
    found = [
        f"{what}: {before} → {after}"
        for what, before, after in (("kind", old.kind, new.kind), ("unit", old.unit, new.unit))
        if before != after
    ]
    found += ["other buckets"] if old.buckets != new.buckets else []
    found += ["exported by other processes"] if old.owners != new.owners else []
    before, after = list(old.labels), list(new.labels)
    if before != after:
        found.append(f"labels: {_words(before)} → {_words(after)}")
    for name in before:
        gone = set(old.labels[name]) - set(new.labels.get(name, old.labels[name]))
        more = set(new.labels.get(name, ())) - set(old.labels[name])
        found += [f"{name} without {_words(sorted(gone))}"] if gone else []
        found += [f"{name} with {_words(sorted(more))}"] if more and old.labels[name] else []
    return found


def report(old: dict[str, Exported], new: dict[str, Exported], since: str, names: Mapping[str, str] = RENAMED) -> str:
    """The page: renamed, changed, removed and added metrics, and how many stayed as they were.

    Raises:
        ValueError: a RENAMED entry names a metric that does not exist, or one that kept its name.
    """
    wrong = [f"{a} → {b}" for a, b in names.items() if a not in old or b not in new or a in new]
    if wrong:
        raise ValueError(f"tools/metric_diff.py: correct RENAMED: {', '.join(wrong)}")
    pairs = {name: names.get(name, name) for name in old}
    kept = {name: changes(old[name], new[other]) for name, other in pairs.items() if other in new}
    same = [name for name, found in kept.items() if not found and pairs[name] == name]
    renamed = [f"| `{name}` | `{names[name]}` | {_cell(kept[name])} |" for name in names]
    changed = [f"| `{name}` | {_cell(found)} |" for name, found in kept.items() if found and pairs[name] == name]
    removed = [f"- `{name}`" for name in old if pairs[name] not in new]
    added = [f"- `{name}`: {one.kind}, {one.unit}" for name, one in new.items() if name not in pairs.values()]
    counts = (
        f"Of {len(old)} metrics {len(same)} are unchanged, {len(renamed)} have a new name, {len(changed)} have other "
        f"labels or values, and {len(removed)} are gone; {len(added)} are new."
    )
    return "\n".join(
        [
            "# Exported metrics, old name to new name",
            "",
            f"The metrics of commit `{since}`, before the renaming, compared with those exported now.",
            counts,
            "Help texts are not compared.",
            "",
            f"<!-- generated by python -m tools.metric_diff {since} -->",
            "",
            "## New name",
            "",
            "| old name | new name | other changes |",
            "|---|---|---|",
            *renamed,
            "",
            "## Same name, other labels or values",
            "",
            "| metric | change |",
            "|---|---|",
            *changed,
            "",
            "## Gone",
            "",
            *(removed or ["None."]),
            "",
            "## New",
            "",
            *added,
            "",
        ]
    )


def _words(values: list[str]) -> str:
    return ", ".join(f"`{value}`" for value in values) or "none"


def _cell(found: list[str]) -> str:
    return "; ".join(found) or "none"


def main(arguments: list[str]) -> None:
    """Write the report on the commit that is given."""
    (since,) = arguments
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(report(exported(since), exported(), since), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
