"""What phones cost: CPU, wake-ups, bytes and memory per phone and second, in open loop, and how long they wait.

Compares this checkout with others (`--against FOLDER`), with a tutorial's gateway and sidecar, and with the floor: the
work that nobody can leave out. All of them run through the whole time and are loaded in turn, round by round, so that
what else the machine does touches all of them alike; one that rests costs each other about 0.5 % of a core.
A phone-second is one second of one phone: four uploads of 25 samples, one `motifs`, one `process`, `synchrony` now and
then, 6.1 requests.

Run as `python -m benchmarks.phones [--against FOLDER ...] [--phones 1,10,75,150,300] [--rounds 5] [--report FILE]`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from benchmarks.phone_report import as_markdown
from benchmarks.phone_servers import Running, Variant, serving
from benchmarks.processes import cpu_seconds

OURS = "this checkout"
TUTORIAL = "tutorial"
_END_SECONDS = 60.0
_FLOORS = {
    "floor: receive and answer": (),
    "floor: and decode": ("decode",),
    "floor: and commit": ("decode", "commit"),
    "floor: and hop": ("decode", "commit", "hop"),
    "floor: and infer": ("decode", "commit", "hop", "infer"),
}


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process had used by a moment."""

    cpu_seconds: float
    switches: int
    """Times that a thread of it began to wait: as many wake-ups."""
    preemptions: int
    written_bytes: int


def usage_of(pid: int) -> Usage:
    """From /proc; threads that ended are left out of switches."""
    waited = preempted = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        for line in status.read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                waited += int(line.split()[1])
            elif line.startswith("nonvoluntary_ctxt_switches"):
                preempted += int(line.split()[1])
    written = next(
        int(line.split()[1])
        for line in Path(f"/proc/{pid}/io").read_text().splitlines()
        if line.startswith("write_bytes")
    )
    return Usage(cpu_seconds(pid), waited, preempted, written)


def proportional_megabytes(pid: int) -> float:
    """Memory with each shared page counted once."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))


def measure(running: Running, phones: int, seconds: float, *, counts_system_calls: bool = False) -> dict[str, object]:
    """One cell: what so many phones cost a variant for so long."""
    argv = (sys.executable, "-m", "benchmarks.phone_load", running.url)
    load = subprocess.Popen(
        [*argv, "--phones", str(phones), "--seconds", str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert load.stdout is not None  # noqa: S101 - asked for above
    _expect(load.stdout.readline(), "begin")
    before = {name: usage_of(pid) for name, pid in running.pids.items()}
    calls = _count_system_calls(running, seconds) if counts_system_calls else {}
    _expect(load.stdout.readline(), "end")
    after = {name: usage_of(pid) for name, pid in running.pids.items()}
    megabytes = {name: proportional_megabytes(pid) for name, pid in running.pids.items()}
    seen = json.loads(load.stdout.readline())
    load.wait(_END_SECONDS)
    share = phones * seconds
    services = {
        name: {
            "cpu_ms": 1e3 * (after[name].cpu_seconds - before[name].cpu_seconds) / share,
            "wake_ups": (after[name].switches - before[name].switches) / share,
            "preemptions": (after[name].preemptions - before[name].preemptions) / share,
            "written_bytes": (after[name].written_bytes - before[name].written_bytes) / share,
            "megabytes": megabytes[name],
            **({"system_calls": calls[name] / share} if name in calls else {}),
        }
        for name in running.pids
    }
    seen["generator_cpu_ms"] = 1e3 * seen.pop("generator_cpu_seconds") / share
    return {"variant": running.name, "phones": phones, "services": services, "load": seen}


def _expect(line: str, word: str) -> None:
    if line.strip() != word:
        raise RuntimeError(f"the generator said {line!r} in place of {word!r}")


def _count_system_calls(running: Running, seconds: float) -> dict[str, float]:
    """Of each service, by perf; a run of its own, because counting costs each call a little."""
    argv = ("perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p")
    counting = {
        name: subprocess.Popen([*argv, str(pid), "--", "sleep", str(seconds - 0.5)], stderr=subprocess.PIPE, text=True)
        for name, pid in running.pids.items()
    }
    found = {}
    for name, process in counting.items():
        _, said = process.communicate()
        number = said.partition(",")[0]
        if number.isdigit():
            found[name] = int(number) * seconds / (seconds - 0.5)
    return found


def variants(given: argparse.Namespace) -> list[Variant]:
    """What is compared, ours first."""
    found = [Variant(OURS)]
    found += [Variant(Path(folder).name, source=Path(folder)) for folder in given.against]
    if not given.ours_only:
        found.append(Variant(TUTORIAL, is_tutorial=True))
        found += [Variant(name, floor=parts) for name, parts in _FLOORS.items()]
    return found


def run(given: argparse.Namespace) -> dict[str, object]:
    """All cells of all rounds."""
    counts = [int(count) for count in given.phones.split(",")]
    cells: list[dict[str, object]] = []
    with ExitStack() as stack, tempfile.TemporaryDirectory(dir=given.folder) as folder:
        servers = [
            stack.enter_context(serving(variant, Path(folder) / str(index)))
            for index, variant in enumerate(variants(given))
        ]
        for round_ in range(given.rounds):
            for phones in counts:
                for running in servers:
                    cells.append({"round": round_, **measure(running, phones, given.seconds)})
                    _show(cells[-1])
        if which("perf"):
            cells.extend(
                {"round": -1, **measure(running, counts[-1], given.seconds, counts_system_calls=True)}
                for running in servers
            )
        starts = {running.name: running.start_seconds for running in servers}
    return {"seconds": given.seconds, "rounds": given.rounds, "starts": starts, "cells": cells, "load": _load_average()}


def _load_average() -> str:
    return " ".join(Path("/proc/loadavg").read_text().split()[:3])


def _show(cell: dict[str, object]) -> None:
    services, load = cell["services"], cell["load"]
    assert isinstance(services, dict)  # noqa: S101 - as measured above
    assert isinstance(load, dict)  # noqa: S101 - as above
    costs = ", ".join(f"{name} {used['cpu_ms']:.2f}" for name, used in services.items())
    waits = f"p50 {load['all']['p50']:.1f}, p95 {load['all']['p95']:.1f} ms, {load['failures']} failed"
    print(f"{cell['phones']:>5} phones, {cell['variant']}: CPU ms a phone-second: {costs}; {waits}", flush=True)


def main() -> None:
    """Measure, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", action="append", default=[], metavar="FOLDER", help="another checkout; repeatable")
    parser.add_argument("--phones", default="1,10,75,150,300", help="at a time (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=15.0, help="of each cell that count (%(default)s)")
    parser.add_argument("--ours-only", action="store_true", help="leave out the tutorial and the floor")
    parser.add_argument("--folder", help="for the stores, on the disk that counts; a temporary one if not given")
    parser.add_argument("--report", type=Path, help="Markdown file; cells go to the same name with .json")
    given = parser.parse_args()
    found = run(given)
    text = as_markdown(found)
    if given.report is None:
        print(text)
    else:
        given.report.write_text(text)
        given.report.with_suffix(".json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
