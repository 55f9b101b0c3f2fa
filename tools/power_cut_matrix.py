"""Each file of a data folder, damaged in each way that a power cut leaves behind, stopped and while everything runs.

For each case a whole `edgeinfer up` is started on a copy of one data folder. It must start and serve, say what was
lost, and never serve a wrong value: each sample and each silence that is returned must be one of the undamaged folder.

    python -m tools.power_cut_matrix [--quick] [--only TEXT] [--kind KIND ...] [--state stopped|running]
"""

import argparse
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from edgeinfer.stack.binaries import Binary, Program, cache_folder, find_all
from tools.power_cut_damage import Kind, damage
from tools.power_cut_stack import Served, Template, Truth, Up, ask, make_template, served

_OK = 200
_PASSING = ("lock", "queries.active", ".log")
_QUICK = (
    ("prometheus/*/index", "zeros"),
    ("prometheus/*/chunks/000001", "flipped"),
    ("prometheus/*/meta.json", "empty"),
    ("prometheus/wal/0*", "missing"),
    ("prometheus/wal/0*", "flipped"),
    ("prometheus/chunks_head/*", "garbage"),
    ("alertmanager/nflog", "cut"),
    ("alertmanager/silences", "garbage"),
    ("stack.json", "zeros"),
)


class State(StrEnum):
    """When the damage happens."""

    STOPPED = "stopped"
    RUNNING = "running"


@dataclass(slots=True)
class Outcome:
    """What one case showed; `faults` is empty where everything was as it should be."""

    cases: Sequence[tuple[str, Kind]]
    state: State
    faults: list[str] = field(default_factory=list)
    lost_samples: int = 0
    lost_silences: int = 0
    said: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The first file that was damaged."""
        return self.cases[0][0]

    @property
    def kind(self) -> Kind:
        """The damage of the start, that of its first case."""
        return self.cases[0][1]

    @property
    def part(self) -> str:
        """The server whose file it is."""
        return self.file.split("/", 1)[0] if "/" in self.file else "stack"


def play(template: Template, cases: Sequence[tuple[str, Kind]], state: State, chance: random.Random) -> Outcome:
    """One start on a copy of the folder in which these files are damaged; the copy is deleted afterwards."""
    outcome = Outcome(cases, state)
    with _copy(template.folder) as folder:
        if state is State.RUNNING:
            _damage_while_running(template, folder, outcome, chance)
        else:
            for file, kind in cases:
                damage(folder / file, kind, chance)
        if not outcome.faults:
            _start_on(template, folder, outcome)
    return outcome


@contextmanager
def _copy(folder: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="power-cut-") as place:
        copied = Path(place) / "data"
        shutil.copytree(folder, copied)
        yield copied


def _damage_while_running(template: Template, folder: Path, outcome: Outcome, chance: random.Random) -> None:
    running = Up(folder, "--no-replay", "--sidecars", "0")
    try:
        if not running.await_events(("addresses", ""), ("ready", "prometheus"), ("ready", "alertmanager")):
            outcome.faults.append(f"the undamaged folder does not start: {running.events[-3:]}")
            return
        for file, kind in outcome.cases:
            if (folder / file).exists():  # what a running stack itself has replaced by now cannot be damaged
                damage(folder / file, kind, chance)
        _judge_serving(template, running, outcome)
    finally:
        running.close()


def _start_on(template: Template, folder: Path, outcome: Outcome) -> None:
    stack = Up(folder, "--no-replay", "--sidecars", "0")
    try:
        if not stack.await_events(("addresses", ""), ("ready", "prometheus"), ("ready", "alertmanager")):
            outcome.faults.append(
                f"does not start: {[event.get('message') for event in stack.events][-4:]} {stack.errors}"
            )
            return
        answer = _judge_serving(template, stack, outcome)
        outcome.said = tuple(stack.messages("damaged"))
        _judge_loss(template, answer, outcome)
        if stack.interrupt() != 0:
            outcome.faults.append("does not end in order")
    finally:
        stack.close()
        if "Traceback" in stack.errors:
            outcome.faults.append(f"traceback: {stack.errors[-300:]}")


def _judge_serving(template: Template, stack: Up, outcome: Outcome) -> Served:
    if ask(f"{stack.address('gateway')}/healthz")[0] != _OK:
        outcome.faults.append(f"the gateway does not serve ({outcome.state})")
    answer = served(stack.address("prometheus"), stack.address("alertmanager"), template.until)
    for labels, values in answer.samples.items():
        true = template.truth.samples.get(labels, {})
        wrong = [moment for moment, value in values.items() if true.get(moment) != value]
        if wrong:
            outcome.faults.append(f"WRONG VALUE of {dict(labels)} at {wrong[0]} ({len(wrong)} in all)")
    if answer.silences - template.truth.silences:
        outcome.faults.append(f"WRONG SILENCE {min(answer.silences - template.truth.silences)}")
    return answer


def _judge_loss(template: Template, answer: Served, outcome: Outcome) -> None:
    def count(samples: Truth) -> int:
        return sum(len(values) for values in samples.values())

    outcome.lost_samples = count(template.truth.samples) - count(answer.samples)
    outcome.lost_silences = len(template.truth.silences - answer.silences)
    if answer.query_error:
        outcome.faults.append(f"a query of the past fails: {answer.query_error}")
    if (outcome.lost_samples or outcome.lost_silences) and not outcome.said:
        outcome.faults.append(f"lost without a word: {outcome.lost_samples} samples, {outcome.lost_silences} silences")


def choose(template: Template, pattern: str) -> str:
    """The largest file of the folder that fits a pattern."""
    files = [path for path in template.folder.glob(pattern) if path.is_file()]
    if not files:
        raise RuntimeError(f"the folder has no {pattern}: {template.files()}")
    return str(max(files, key=lambda file: file.stat().st_size).relative_to(template.folder))


def quick_cases(template: Template) -> list[tuple[str, Kind, State]]:
    """One stopped case for each row of the quick list."""
    return [(choose(template, pattern), Kind(kind), State.STOPPED) for pattern, kind in _QUICK]


def all_cases(
    template: Template, only: str, kinds: Sequence[Kind], states: Sequence[State]
) -> list[tuple[str, Kind, State]]:
    """Every file, every kind, every state."""
    return [(file, kind, state) for state in states for file in template.files() if only in file for kind in kinds]


def report(outcomes: Sequence[Outcome]) -> str:
    """The sums by part, state and kind, and each case that was not as it should be."""
    rows = Counter((one.part, one.state.value, one.kind.value, not one.faults) for one in outcomes)
    lines = [f"{'part':14} {'state':8} " + " ".join(f"{kind.value:>9}" for kind in Kind)]
    for part in sorted({one.part for one in outcomes}):
        for state in State:
            if any(one.part == part and one.state is state for one in outcomes):
                cells = [
                    f"{rows[part, state.value, kind.value, True]}/"
                    f"{rows[part, state.value, kind.value, True] + rows[part, state.value, kind.value, False]}"
                    for kind in Kind
                ]
                lines.append(f"{part:14} {state.value:8} " + " ".join(f"{cell:>9}" for cell in cells))
    good = sum(not one.faults for one in outcomes)
    lost = sum(one.lost_samples > 0 or one.lost_silences > 0 for one in outcomes)
    lines.append(f"{good} of {len(outcomes)} as they should be; in {lost} something was lost, and said")
    lines += [f"{one.file} {one.kind} {one.state}: {'; '.join(one.faults)}" for one in outcomes if one.faults]
    return "\n".join(lines)


def programs_here() -> Mapping[Program, Binary]:
    """Prometheus, Alertmanager and promtool as installed on this machine."""
    return find_all(cache_folder(Path("~/.cache")))


def main() -> int:
    """Run it; 1 where a case was not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="", help="files whose path contains this")
    parser.add_argument("--kind", action="append", type=Kind, choices=list(Kind))
    parser.add_argument("--state", action="append", type=State, choices=list(State))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="power-cut-") as place:
        template = make_template(Path(place) / "template", programs_here())
        cases = (
            quick_cases(template)
            if options.quick
            else all_cases(template, options.only, options.kind or list(Kind), options.state or list(State))
        )
        outcomes = []
        for number, (file, kind, state) in enumerate(cases, start=1):
            chance = random.Random(f"{options.seed} {file} {kind} {state}")  # noqa: S311 - to be repeated, not to be secret
            outcomes.append(play(template, [(file, kind)], state, chance))
            one = outcomes[-1]
            print(
                f"{number}/{len(cases)} {'FAULT' if one.faults else 'ok'} {file} {kind} {state}"
                f" lost {one.lost_samples}+{one.lost_silences}; {'; '.join(one.faults or one.said)[:400]}",
                flush=True,
            )
        print(report(outcomes))
    return int(any(one.faults for one in outcomes))


if __name__ == "__main__":
    sys.exit(main())
