"""Phones for a long time on a stack of their own: nothing fails, nothing that was accepted is lost, memory is flat.

At the end each session says how many samples it took; that must be all of those that were answered with 202.

Run as `python -m benchmarks.phone_soak --phones N [--minutes 60] [--report FILE]`; exits with 1 where something failed
or was lost.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.phone_servers import Running, Variant, serving
from benchmarks.phones import proportional_megabytes

_SERVICES = ("gateway", "sidecar")
_LOOK_SECONDS = 15.0
_SETTLED_SHARE = 0.2  # what a process has not touched yet is not growth


def run(running: Running, phones: int, minutes: float) -> dict[str, Any]:
    """The load's own report, and the memory of each service by minute."""
    argv = [sys.executable, "-m", "benchmarks.phone_load", running.url, "--phones", str(phones)]
    load = subprocess.Popen([*argv, "--seconds", str(60 * minutes)], stdout=subprocess.PIPE, text=True)
    began, memory = time.monotonic(), []
    while load.poll() is None:
        memory.append(
            [
                (time.monotonic() - began) / 60,
                *(proportional_megabytes(running.pids[name]) for name in _SERVICES),
            ]
        )
        try:
            load.wait(_LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    assert load.stdout is not None  # noqa: S101 - asked for above
    return {"load": json.loads(load.stdout.read().splitlines()[-1]), "memory": memory}


def megabytes_an_hour(memory: list[list[float]], column: int) -> float:
    """How fast memory grows, by least squares over what comes after the first fifth of the time."""
    settled = [row for row in memory if row[0] >= memory[-1][0] * _SETTLED_SHARE]
    slope, _ = statistics.linear_regression([row[0] / 60 for row in settled], [row[column] for row in settled])
    return slope


def as_page(found: dict[str, Any], phones: int, minutes: float) -> str:
    load, memory = found["load"], found["memory"]
    every = load["all"]
    lines = [
        "# Phones for a long time",
        "",
        f"{phones} phones for {minutes:g} minutes, {load['requests']} requests; written by `make soak-phones`.",
        f"{load['failures']} failed, and of the samples that were accepted {load['lost_samples']} were lost.",
        f"Waits: p50 {every['p50']:.1f}, p95 {every['p95']:.1f}, p99 {every['p99']:.1f} ms.",
        "",
        "| minute | gateway, MB (PSS) | sidecar |",
        "|---:|---:|---:|",
    ]
    step = max(1, len(memory) // 12)
    lines += [f"| {row[0]:.1f} | {row[1]:.1f} | {row[2]:.1f} |" for row in [*memory[::step], memory[-1]]]
    slopes = ", ".join(
        f"{name} {megabytes_an_hour(memory, column):+.2f}" for column, name in enumerate(_SERVICES, start=1)
    )
    return "\n".join([*lines, "", f"After the first fifth of the time, MB an hour: {slopes}."]) + "\n"


def main() -> None:
    """Run, report, and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phones", type=int, default=50, help="at a time; half of what the knee is (%(default)s)")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--report", type=Path, help="Markdown file")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, serving(Variant("soak"), Path(folder) / "data") as running:
        found = run(running, given.phones, given.minutes)
    text = as_page(found, given.phones, given.minutes)
    print(text)
    if given.report is not None:
        given.report.write_text(text)
    if found["load"]["failures"] or found["load"]["lost_samples"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
