"""The exporter's collectors on a faked machine, with clocks that a test turns."""

from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.samples import Sample

from edgeinfer.collectors.base import Collector
from edgeinfer.collectors.context import Sources
from edgeinfer.collectors.found import collectors
from edgeinfer.collectors.run import RunMetrics, Runner, run_metrics
from edgeinfer.hailort.library import load_library
from edgeinfer.metrics.registry import new_registry
from tests.fakes.hailo_platform.build import importer
from tests.fakes.hailo_platform.machine import Machine

EPOCH = 1_790_000_000.0


@dataclass
class Station:
    """A machine, its collectors and what they publish."""

    machine: Machine
    registry: CollectorRegistry
    collectors: dict[str, Collector]
    marks: RunMetrics
    elapsed: float = 0.0
    epoch: float = EPOCH
    runners: dict[str, Runner] = field(default_factory=dict)

    def run(self, name: str = "hailo_device") -> bool:
        return self.runner(name).run()

    def runner(self, name: str = "hailo_device") -> Runner:
        """What runs a collector, with the station's clocks."""
        if name not in self.runners:
            self.runners[name] = Runner(
                self.collectors[name],
                self.marks,
                wall_clock=lambda: self.epoch + self.elapsed,
                clock=lambda: self.elapsed,
            )
        return self.runners[name]

    def turn(self, seconds: float = 5.0, times: int = 1, name: str = "hailo_device") -> bool:
        """Let time pass, then run a collector; so many times."""
        for _ in range(times):
            self.elapsed += seconds
            done = self.run(name)
        return done

    def samples(self) -> list[Sample]:
        return [sample for family in self.registry.collect() for sample in family.samples]

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    def of_chip(self, name: str, chip: str = "0001:01:00.0", **labels: str) -> float | None:
        return self.value(name, chip_id=chip, **labels)

    def last_success(self, sensor: str, chip: str = "0001:01:00.0") -> float | None:
        found = self.of_chip("hailo_sensor_last_success_timestamp_seconds", chip, sensor=sensor)
        return None if found is None else found - EPOCH

    def run_errors(self, collector: str) -> dict[str, float]:
        """What was counted for the runs of a collector, without the zeros."""
        return {
            sample.labels["reason"]: sample.value
            for sample in self.samples()
            if sample.name == "hailo_collector_errors_total" and sample.labels["collector"] == collector
        }

    def errors(self, sensor: str) -> dict[str, float]:
        """What was counted for a sensor, without the zeros."""
        return {
            sample.labels["reason"]: sample.value
            for sample in self.samples()
            if sample.name == "hailo_sensor_read_errors_total" and sample.labels["sensor"] == sensor and sample.value
        }


def station(machine: Machine, folder: Path, *, measure_power: bool = False, epoch: float = EPOCH) -> Station:
    """A station whose kernel and monitor files are in the folder."""
    registry = new_registry()
    load = importer(machine)
    built = Station(machine, registry, {}, run_metrics(registry), epoch=epoch)
    sources = Sources(
        measure_power=measure_power,
        monitor_folder=folder / "hmon_files",
        kernel_root=folder,
        load=lambda: load_library(load),
        clock=lambda: built.elapsed,
        wall_clock=lambda: epoch + built.elapsed,
    )
    built.collectors.update({collector.name: collector for collector in collectors(sources, registry)})
    return built
