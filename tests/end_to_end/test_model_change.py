"""A real sidecar under load that is asked to serve another model: every request is answered."""

import json
import os
import shutil
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeinfer.model.card import default_folder, load_card
from tests.end_to_end.service_process import ServiceProcess
from tests.fakes.hailo_platform.hef import write_hef
from tests.fakes.hailo_platform.machine import default_chip
from tests.hailort.bad_hefs import BAD_HEFS

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.end_to_end
BODY = np.random.default_rng(5).normal(0, 3, (100, 9)).astype("<f4").tobytes()
CALLERS = 2


class Load:
    """Callers that ask one window after the other until they are asked to stop."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self.statuses: list[int] = []
        self.slowest_seconds = 0.0
        self._threads = [threading.Thread(target=self._ask) for _ in range(CALLERS)]

    def _ask(self) -> None:
        request = urllib.request.Request(  # noqa: S310  # loopback
            f"{self._url}/infer", BODY, {"Content-Type": "application/octet-stream"}
        )
        while not self._stop.is_set():
            began = time.perf_counter()
            try:
                with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310  # loopback
                    self.statuses.append(answer.status)
            except urllib.error.HTTPError as refused:
                self.statuses.append(refused.code)
            self.slowest_seconds = max(self.slowest_seconds, time.perf_counter() - began)

    @contextmanager
    def running(self) -> Iterator["Load"]:
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join(30)


def status(service: ServiceProcess) -> dict[str, Any]:
    with urllib.request.urlopen(f"{service.url}/status", timeout=20) as answer:  # noqa: S310  # loopback
        found: dict[str, Any] = json.load(answer)
    return found


def change(service: ServiceProcess) -> dict[str, Any]:
    """EventHandler it, and wait until it has said what became of it."""
    before = status(service)["model_change"]
    os.kill(service.pid, signal.SIGUSR1)
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        reported = status(service)["model_change"]
        if reported is not None and reported != before:
            found: dict[str, Any] = reported
            return found
        time.sleep(0.05)
    raise AssertionError(f"no change within 40 s: {status(service)}")


def edit(folder: Path, edited: Callable[[dict[str, Any]], None]) -> None:
    """Replace the card in one step, as a deployment does."""
    card = json.loads((folder / "card.json").read_text())
    edited(card)
    (folder / "card.new").write_text(json.dumps(card))
    (folder / "card.new").replace(folder / "card.json")


def serve_eight_bits(card: dict[str, Any]) -> None:
    card["version"] = "1.1.0"
    card["files"]["cpu"] = card["files"]["cpu_int8"]


def damage(card: dict[str, Any]) -> None:
    card["version"] = "1.2.0"
    card["files"]["cpu"] = {**card["files"]["cpu"], "sha256": "0" * 64}


def rename_a_motif(card: dict[str, Any]) -> None:
    card["version"] = "1.3.0"
    card["files"]["cpu"] = card["files"]["cpu_int8"]
    card["motifs"][0]["name"] = "strolling"


def test_a_sidecar_under_load_changes_its_model_without_a_lost_window(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(default_folder(), folder)
    environment = {"EDGEINFER_MODEL_FOLDER": str(folder), "EDGEINFER_SHADOW_CPU_BUDGET": "1"}
    service = ServiceProcess("sidecar", log=tmp_path / "log", environment=environment)
    with service, Load(service.url).running() as load:
        first = status(service)
        edit(folder, serve_eight_bits)
        reported = change(service)
        assert (reported["result"], reported["version"], reported["reason"]) == ("switched", "1.1.0", ""), reported
        assert reported["agreement"]["windows"] > 100
        assert reported["agreement"]["agreement"] > 0.9
        second = status(service)
        assert (second["config_version"], second["ok"]) == ("1.1.0", True)
        assert second["hef_sha256"] != first["hef_sha256"]
        edit(folder, damage)
        reported = change(service)
        assert reported["result"] == "refused"
        assert "SHA-256" in reported["reason"]
        edit(folder, rename_a_motif)
        reported = change(service)
        assert (reported["result"], reported["reason"]) == (
            "refused",
            "the new card differs from the serving one in motifs",
        )
        third = status(service)
        assert (third["config_version"], third["hef_sha256"]) == ("1.1.0", second["hef_sha256"])
    assert set(load.statuses) == {200}
    assert len(load.statuses) > 50


@pytest.mark.parametrize("version", ["4.23.0", "5.2.0"])
def test_a_chip_changes_its_network_without_a_lost_window(version: str, tmp_path: Path) -> None:
    card, chip = load_card(default_folder()), default_chip(version)
    hef = tmp_path / "net.hef"
    program = f"onnx:{card.file('device').path}"
    write_hef(hef, architecture=chip.architecture, program=program)
    (tmp_path / "chip.json").write_text(json.dumps({"version": version}))
    environment = {
        "PYTHONPATH": str(ROOT / "tests/fakes/site"),
        "FAKE_HAILO": str(tmp_path / "chip.json"),
        "EDGEINFER_SIDECAR_BACKEND": "hailort",
        "HEF_PATH": str(hef),
        "EDGEINFER_SHADOW_CPU_BUDGET": "1",
    }
    service = ServiceProcess("sidecar", log=tmp_path / "log", environment=environment)
    with service, Load(service.url).running() as load:
        first = status(service)
        # The same network with eight bits at its input: too narrow a range first, then the right one.
        for scale, result in ((0.03, "refused"), (0.12, "switched")):
            write_hef(tmp_path / "new.hef", architecture=chip.architecture, program=program, input_scale=scale)
            (tmp_path / "new.hef").replace(hef)
            reported = change(service)
            assert reported["result"] == result, reported
            assert (status(service)["hef_sha256"] == first["hef_sha256"]) == (result == "refused")
        assert 0.99 < reported["agreement"]["cosine_mean"] < 1.0
        serving = status(service)["hef_sha256"]
        for bad in BAD_HEFS:
            hef.write_bytes(bad.content(tmp_path, version))
            reported = change(service)
            assert reported["result"] == "refused", (bad.name, reported)
            assert bad.words in reported["reason"]
            assert reported["remedy"]
        assert status(service)["hef_sha256"] == serving
    assert set(load.statuses) == {200}
