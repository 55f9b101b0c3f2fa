"""Every status of both lines of HailoRT at submit, in flight and at completion, through gateway and sidecar.

    python -m tools.failure_table

Real processes on a faked chip. For each case: the class is counted once, the window that failed is answered by the
fallback with the same model, and the chip serves again without a restart. Prints the sums, and ends with 1 if a
case does not hold. It takes some ten minutes.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from edgeinfer.hailort.status import BY_CODE
from tests.end_to_end.hailo_pair import Pair, difference
from tests.fakes.hailo_platform.statuses import statuses
from tests.hailort.rigs import VERSIONS

PLACES = ("submit", "in flight", "completion")
_FRAMES = 4
_GOES_WELL = 2
_FRAME_SECONDS = 0.3
_SAME = 1e-3
# Of an open chip this is a failure of the frame; every other class is the status's own.
_OF_A_FRAME = {8: "execution_failed"}


def codes(version: str, place: str) -> list[int]:
    """The statuses to play; one that the line does not know ends the process when a frame completes with it."""
    known = statuses(version)
    return [code for code in sorted(BY_CODE) if place == "submit" or known.status_name(code)]


def play(pair: Pair, place: str, code: int) -> tuple[Counter[str], list[str]]:
    """One case: its windows by source, and what does not hold."""
    before = pair.counted()
    if place == "in flight":
        pair.script(
            chip={"latency_seconds": _FRAME_SECONDS, "overlap": 8}, inject=[["completion", code, 1, _GOES_WELL]]
        )
        with ThreadPoolExecutor(_FRAMES) as callers:
            answers = list(callers.map(pair.process, range(_FRAMES)))
        expected = {"sidecar": _GOES_WELL, "fallback": _FRAMES - _GOES_WELL}
    else:
        pair.script(inject=[["run_async" if place == "submit" else "completion", code, 1, 0]])
        answers, expected = [pair.process(0)], {"fallback": 1}
    pair.script(chip={"latency_seconds": 0.0}, heal=True)
    pair.until_served()
    found = Counter(str(answer["source"]) for answer in answers)
    moved = {name: value - before.get(name, 0.0) for name, value in pair.counted().items()}
    moved = {name: value for name, value in moved.items() if value}
    error_class = _OF_A_FRAME.get(code, BY_CODE[code].error_class)
    violations = [] if found == expected else [f"answered by {dict(found)}"]
    if moved != {error_class: 1.0}:
        violations.append(f"counted {moved} where {error_class} is due")
    if any(difference(answer, pair.process(at)) > _SAME for at, answer in enumerate(answers)):
        violations.append("a wrong answer")
    return found, violations


def table(version: str, say: Callable[[str], object]) -> list[dict[str, Any]]:
    """The rows of one line, each with what was not as expected."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        pair = Pair(Path(folder), version)
        try:
            pair.until_served()
            for place in PLACES:
                row: dict[str, Any] = {"line": version, "place": place, "cases": 0, "sidecar": 0, "fallback": 0}
                row["violations"] = []
                for code in codes(version, place):
                    found, violations = play(pair, place, code)
                    row["cases"] += 1
                    row["sidecar"] += found["sidecar"]
                    row["fallback"] += found["fallback"]
                    row["violations"] += [f"{code}: {violation}" for violation in violations]
                row["restarts"] = sum(process.poll() is not None for process in pair.processes)
                say(json.dumps(row))
                rows.append(row)
        finally:
            pair.close()
    return rows


def main(say: Callable[[str], object] = print) -> None:
    """Play everything, and print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--line", choices=VERSIONS, action="append", help="of HailoRT; both if not given")
    given = parser.parse_args()
    rows = [row for version in given.line or VERSIONS for row in table(version, say)]
    sys.exit(1 if any(row["violations"] or row["restarts"] for row in rows) else 0)


if __name__ == "__main__":
    main()
