"""Does everything: `python -m training.build` fetches, trains, selects, exports, measures and writes the card.

A finished step is kept in the working folder and not repeated. One core takes about an hour.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from training import baselines, card, fixture, metrics, sampling
from training.augment import without_magnetometer
from training.check import check_or_exit
from training.dataset import Dataset
from training.evaluate import calibration, judge, motif_groups, selection_score
from training.network import Architecture
from training.outputs import run_network
from training.prepare import PEOPLE, load_windows
from training.registry import DATASETS
from training.ship import Shipment, required_fields, write_graphs
from training.train import Settings, TrainedRun, load

DEFAULT_FOLDER = Path("src/edgeinfer/model/default")
VERSION = "1.0.0"
SEEDS = (0, 1, 2)
NARROW = Architecture(stem=32, widths=(32, 48, 64, 64))
CANDIDATES = (
    Settings(seed=0, turned_share=0.15, epochs=15, people="fit"),
    Settings(seed=0, turned_share=0.30, epochs=15, people="fit"),
    Settings(seed=0, turned_share=0.50, epochs=15, people="fit"),
    Settings(seed=0, turned_share=0.30, epochs=25, people="fit"),
    Settings(seed=0, turned_share=0.30, epochs=15, people="fit", architecture=NARROW),
)


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where a build happens and how many runs may train at once."""

    dataset_key: str
    work: Path
    jobs: int

    @property
    def dataset(self) -> Dataset:
        """The data set of this build."""
        return DATASETS[self.dataset_key]

    def path(self, settings: Settings) -> Path:
        """Where the run with these settings is kept."""
        return self.work / "runs" / f"{settings.name}.pt"

    def load(self, settings: Settings) -> TrainedRun:
        """Read a finished run from its file in the work folder."""
        return load(self.path(settings), len(self.dataset.motifs))

    def train(self, wanted: list[Settings]) -> None:
        """Train what is not there yet, each run in a process of its own on one thread."""
        missing = [settings for settings in wanted if not self.path(settings).exists()]
        with ThreadPoolExecutor(self.jobs) as pool:
            list(pool.map(self._train_one, missing))

    def _train_one(self, settings: Settings) -> None:
        print(f"training {settings.name}", flush=True)
        common = ["--dataset", self.dataset_key, "--work", str(self.work), "--out", str(self.path(settings))]
        command = [sys.executable, "-m", "training.train", *common, *settings.arguments]
        subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


def select(shop: Workshop) -> tuple[Settings, list[dict[str, Any]]]:
    """Return the best settings by the score on validation people, and the table of all."""
    shop.train(list(CANDIDATES))
    table = [_row(shop, settings, shop.dataset.validation_people) for settings in CANDIDATES]
    best = max(range(len(table)), key=lambda i: table[i]["score"])
    return CANDIDATES[best], table


def try_seeds(shop: Workshop, chosen: Settings) -> list[dict[str, Any]]:
    """Return each seed's figures on validation and on test people."""
    runs = [replace(chosen, seed=seed) for seed in SEEDS]
    shop.train(runs)
    return [
        {
            "seed": run.seed,
            "validation": _row(shop, run, shop.dataset.validation_people),
            "test": _row(shop, run, shop.dataset.test_people),
        }
        for run in runs
    ]


def _row(shop: Workshop, settings: Settings, people: frozenset[int]) -> dict[str, Any]:
    run = shop.load(settings)
    source = load_windows(shop.dataset, shop.work).of(people).labelled()
    report = judge(run, source, shop.dataset)
    return {
        "seed": settings.seed,
        "turned_share": settings.turned_share,
        "epochs": settings.epochs,
        "widths": list(settings.architecture.widths),
        "trained_on": settings.people,
        "score": selection_score(report),
        "cpu_seconds": round(run.cpu_seconds),
        **report,
    }


def validated_temperature(shop: Workshop, settings: Settings) -> tuple[float, dict[str, float]]:
    """Return the temperature that fits the validation people, for a run that never saw them."""
    source = load_windows(shop.dataset, shop.work).of(shop.dataset.validation_people).labelled()
    outputs = run_network(shop.load(settings), without_magnetometer(source.motion))
    temperature = round(metrics.fit_temperature(outputs.logits, source.labels), 4)
    return temperature, calibration(outputs, source, temperature)


def measure_baselines(shop: Workshop) -> list[dict[str, Any]]:
    """Return the baselines' figures on test people, fitted on everyone else."""
    everyone = load_windows(shop.dataset, shop.work)
    fit = everyone.of(PEOPLE["fit+validation"](shop.dataset, shop.work)).labelled()
    test = everyone.of(shop.dataset.test_people).labelled()
    return baselines.measure(fit, test, motif_groups(shop.dataset))


def build(shop: Workshop, folder: Path) -> dict[str, Any]:
    """Run every step and return the report."""
    chosen, candidates = select(shop)
    seeds = try_seeds(shop, chosen)
    best = max(seeds, key=lambda row: row["validation"]["score"])["seed"]
    judged = replace(chosen, seed=best)
    shipped = replace(judged, people="fit+validation")
    shop.train([shipped])
    temperature, validation = validated_temperature(shop, judged)
    shipment = Shipment(shop.load(shipped), temperature, shop.dataset, shop.work, folder)
    write_graphs(shipment)
    report = {
        "selection": candidates,
        "seeds": seeds,
        "shipped_seed": best,
        "validation_calibration": validation,
        "baselines": measure_baselines(shop),
        "shipped": card.measure(shipment),
    }
    if folder == DEFAULT_FOLDER:
        fixture.write(shipment.run, shop.work)
    fields = required_fields(shipment, VERSION)
    card.write(folder / "card.json", fields, metrics.rounded(report), shipment)
    cpu = folder / fields["files"]["cpu"]["file"]
    sampling.add_to_card(folder, sampling.report(shop.dataset, shop.work, cpu, shop.dataset.test_people))
    return report


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="hapt", choices=sorted(DATASETS))
    parser.add_argument("--work", type=Path, default=Path("build/training"))
    parser.add_argument("--out", type=Path, default=DEFAULT_FOLDER)
    parser.add_argument("--jobs", type=int, default=1, help="runs that may train at once")
    given = parser.parse_args()
    started = time.monotonic()
    shop = Workshop(given.dataset, given.work, given.jobs)
    check_or_exit(shop.dataset, shop.work)
    load_windows(shop.dataset, shop.work)
    report = metrics.rounded(build(shop, given.out))
    report["seconds"] = round(time.monotonic() - started)
    path = given.work / "report.json"
    path.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"done in {report['seconds']} s; report in {path}", flush=True)


if __name__ == "__main__":
    main()
