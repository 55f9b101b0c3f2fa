"""What several frames in flight give: windows per second and latency through the sidecar's pool, on a simulated chip.

    python -m benchmarks.frames_in_flight

The chip is the tests' fake of HailoRT 4.23: each frame takes 3 ms from its submission to its answer, up to eight
are worked on at once, as the queue of the packages takes them and as was seen with the real Python module, where
1, 2, 4 and 8 in flight gave 1, 2.2, 4.4 and 5 times the rate. What blocks in HailoRT holds the interpreter here too,
and the fake computes its answers in Python as well, which the real one does not.
Both settings are measured in turns within one run, so that a busy machine is busy for both.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

from edgeinfer.backends.base import Window
from edgeinfer.backends.hailort import HailortBackend
from edgeinfer.hailort.library import load_library
from edgeinfer.metrics.registry import new_registry
from edgeinfer.model.card import default_folder, load_card
from edgeinfer.sidecar.inference import InferencePool, one_by_one
from edgeinfer.sidecar.instruments import SidecarInstruments
from tests.fakes.hailo_platform.build import importer
from tests.fakes.hailo_platform.hef import write_hef
from tests.fakes.hailo_platform.machine import Machine

CALLERS = (1, 4, 16, 64)
_ONE, _SEVERAL = "1 in flight", "several in flight"
_SETTINGS = {_ONE: 1, _SEVERAL: 32}
_FRAME_SECONDS = 0.003
_QUEUE = 8
_WARM_UP_SECONDS = 0.3


@dataclass
class Cell:
    """One setting with one number of callers.

    Args:
        rates: windows per second of each round.
        seconds: of each window, all rounds together.
        depths: frames in flight that each window met.
        cpu_seconds: of the process for one window, of each round.
    """

    rates: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Windows per second, the median of the rounds."""
        return statistics.median(self.rates)

    def percentile_ms(self, share: float) -> float:
        """Latency in milliseconds that `share` percent of the windows stay below."""
        return float(np.percentile(self.seconds, share)) * 1e3

    def as_document(self) -> dict[str, float]:
        """The rounded figures as a JSON object; keys carry the units."""
        return {
            "windows_per_second": round(self.rate, 1),
            "p50_ms": round(self.percentile_ms(50), 3),
            "p99_ms": round(self.percentile_ms(99), 3),
            "mean_frames_in_flight": round(statistics.fmean(self.depths), 2),
            "cpu_ms_per_window": round(statistics.median(self.cpu_seconds) * 1e3, 3),
        }


def simulated(folder: Path) -> Machine:
    """A machine with the simulated chip, and its network on disk."""
    machine = Machine("4.23.0")
    machine.chip.latency_seconds, machine.chip.overlap, machine.queue_limit = _FRAME_SECONDS, _QUEUE, _QUEUE
    write_hef(folder / "net.hef", architecture=machine.chip.architecture)
    return machine


async def measure(backend: HailortBackend, callers: int, seconds: float, cell: Cell) -> None:
    """Let so many callers send one window after the other for a while."""
    pool = InferencePool(
        one_by_one(backend.infer), SidecarInstruments(new_registry()), workers=lambda: backend.parallelism, capacity=256
    )
    pool.start()
    window = np.random.default_rng(1).normal(0, 2, (100, 9)).astype(np.float32)
    await _load(pool, window, callers, perf_counter() + _WARM_UP_SECONDS, Cell())
    started, cpu_started, before = perf_counter(), process_time(), len(cell.seconds)
    await _load(pool, window, callers, started + seconds, cell)
    done = len(cell.seconds) - before
    cell.rates.append(done / (perf_counter() - started))
    cell.cpu_seconds.append((process_time() - cpu_started) / done)
    await pool.close()


async def _load(pool: InferencePool, window: Window, callers: int, until: float, cell: Cell) -> None:
    async def caller() -> None:
        while perf_counter() < until:
            began = perf_counter()
            computed = await pool.infer(window)
            cell.seconds.append(perf_counter() - began)
            cell.depths.append(computed.inference.frames_in_flight or 0)

    await asyncio.gather(*(caller() for _ in range(callers)))


def run(rounds: int, seconds: float, callers_of_a_round: tuple[int, ...] = CALLERS) -> dict[str, dict[int, Cell]]:
    """Measure every setting with every number of callers, in turns."""
    cells = {name: {callers: Cell() for callers in callers_of_a_round} for name in _SETTINGS}
    with tempfile.TemporaryDirectory() as folder:
        load = importer(simulated(Path(folder)))
        for turn in range(rounds):
            for callers in callers_of_a_round:
                # The first one runs on the machine as the round before left it, so the order alternates.
                for name in sorted(_SETTINGS, reverse=bool(turn % 2)):
                    backend = HailortBackend(
                        load_card(default_folder()),
                        Path(folder) / "net.hef",
                        max_in_flight=_SETTINGS[name],
                        load=lambda: load_library(load),
                    )
                    backend.open()
                    try:
                        asyncio.run(measure(backend, callers, seconds, cells[name][callers]))
                    finally:
                        backend.close()
    return cells


def summary(cells: dict[str, dict[int, Cell]]) -> dict[str, float]:
    """The two figures of the report."""
    one, several = cells[_ONE], cells[_SEVERAL]
    return {
        "rate_at_16_callers": round(several[16].rate / one[16].rate, 2),
        "p50_at_1_caller": round(several[1].percentile_ms(50) / one[1].percentile_ms(50), 3),
    }


def main(say: Callable[[str], object] = print) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    given = parser.parse_args()
    cells = run(given.rounds, given.seconds)
    say(f"{'':20}{'callers':>8}{'windows/s':>11}{'p50 ms':>9}{'p99 ms':>9}{'in flight':>11}{'CPU ms':>8}")
    for name, by_callers in cells.items():
        for callers, cell in by_callers.items():
            rate, p50, p99, depth, cpu = cell.as_document().values()
            say(f"{name:20}{callers:>8}{rate:>11.1f}{p50:>9.3f}{p99:>9.3f}{depth:>11.2f}{cpu:>8.3f}")
    figures = summary(cells)
    say(f"rate at 16 callers {figures['rate_at_16_callers']} times, p50 at 1 caller {figures['p50_at_1_caller']} times")
    if given.json:
        document = {name: {n: cell.as_document() for n, cell in by.items()} for name, by in cells.items()}
        given.json.write_text(json.dumps({**document, **figures}, indent=1) + "\n")


if __name__ == "__main__":
    main()
