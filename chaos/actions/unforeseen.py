"""What other people do to a stack: settings, files and limits that are wrong, without a cause of their own."""

import asyncio
import hashlib
import json
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import yaml
from onnx import numpy_helper

from chaos.actions.action import Process, Testbed, Users, send_signal
from chaos.actions.monitoring import SIDECAR_JOB
from chaos.actions.processes import StartWith
from edgeinfer.model.card import default_folder

_NAMELESS = "sidecar.invalid:9000"


@dataclass(frozen=True, slots=True)
class Starve:
    """The process gets the processor only a part of the time, as under a quota that is too small."""

    process: Process
    stopped_seconds: float
    running_seconds: float

    @asynccontextmanager
    async def applied(self, testbed: Testbed, _: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        pid = testbed.pid_of(self.process)
        starving = asyncio.create_task(self._starve(pid))
        try:
            yield
        finally:
            starving.cancel()
            send_signal(pid, signal.SIGCONT)

    async def _starve(self, pid: int | None) -> None:
        while True:
            send_signal(pid, signal.SIGSTOP)
            await asyncio.sleep(self.stopped_seconds)
            send_signal(pid, signal.SIGCONT)
            await asyncio.sleep(self.running_seconds)


@dataclass(frozen=True, slots=True)
class AskForKeys:
    """The gateway starts again with a file of API keys, of which the phones have none."""

    @asynccontextmanager
    async def applied(self, testbed: Testbed, users: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        path = testbed.folder.root / "keys"
        path.write_text(f"other sha256:{hashlib.sha256(b'another').hexdigest()}\n", encoding="utf-8")
        path.chmod(0o600)
        starting = StartWith(Process.GATEWAY, (("EDGEINFER_GATEWAY_API_KEYS_FILE", str(path)),))
        async with starting.applied(testbed, users):
            yield


@dataclass(frozen=True, slots=True)
class OtherWeights:
    """The sidecar starts again with a model of the same shape whose weights are others."""

    @asynccontextmanager
    async def applied(self, testbed: Testbed, users: Users) -> AsyncIterator[None]:
        """Apply it, and undo it at the end."""
        folder = testbed.folder.root / "other-model"
        await asyncio.to_thread(_with_other_weights, default_folder(), folder)
        starting = StartWith(Process.SIDECAR, (("EDGEINFER_MODEL_FOLDER", str(folder)),))
        async with starting.applied(testbed, users):
            yield


def _with_other_weights(source: Path, folder: Path) -> None:
    shutil.copytree(source, folder, dirs_exist_ok=True)
    path = folder / "tcn_vae.onnx"
    model = onnx.load(path)
    for one in model.graph.initializer:
        weights = numpy_helper.to_array(one)
        if weights.dtype.kind == "f" and weights.ndim > 1:
            one.CopyFrom(numpy_helper.from_array(weights[::-1].copy(), one.name))
    onnx.save(model, path)
    card = json.loads((source / "card.json").read_text(encoding="utf-8"))
    written = path.read_bytes()
    card["files"]["cpu"] |= {"sha256": hashlib.sha256(written).hexdigest(), "size_bytes": len(written)}
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")


def without_rules(text: str) -> str:
    """A prometheus.yml that names no rule file."""
    return _dump(yaml.safe_load(text) | {"rule_files": []})


def with_a_name_that_is_not_there(text: str) -> str:
    """A prometheus.yml that asks for the sidecar by a name that no resolver knows; its series keep their names."""
    return _with_sidecar_job(text, lambda job, instance: job | {"static_configs": [_at(_NAMELESS, instance)]})


def by_tls(text: str) -> str:
    """A prometheus.yml that asks the sidecar by TLS, which it does not speak."""
    return _with_sidecar_job(text, lambda job, _: job | {"scheme": "https"})


def _at(target: str, instance: str) -> dict[str, Any]:
    return {"targets": [target], "labels": {"instance": instance}}


def _with_sidecar_job(text: str, change: Any) -> str:
    document = yaml.safe_load(text)
    document["scrape_configs"] = [
        change(job, job["static_configs"][0]["targets"][0]) if job["job_name"] == SIDECAR_JOB else job
        for job in document["scrape_configs"]
    ]
    return _dump(document)


def _dump(document: Any) -> str:
    return yaml.safe_dump(document, sort_keys=False, width=1000)
