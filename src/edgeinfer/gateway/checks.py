"""The four health checks: what each looks at, and what it calls healthy."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np
import psutil
from numpy.typing import NDArray

from edgeinfer.errors import BackendError, NotReady, Overloaded, SidecarError, StorageError
from edgeinfer.gateway.analysis import InferenceService
from edgeinfer.gateway.balance import SidecarMember
from edgeinfer.gateway.circuit import CircuitState
from edgeinfer.gateway.discovery import SelfDescription
from edgeinfer.gateway.health import DEGRADED, HEALTHY, UNHEALTHY, Check, Look
from edgeinfer.gateway.samples import WINDOW_SAMPLES
from edgeinfer.gateway.sessions import SessionStore
from edgeinfer.gateway.sidecar_client import is_about_health
from edgeinfer.model.window import CHANNELS

_SIDECAR_SECONDS = 2.0
_SLOW_LOOP_SECONDS = 0.25
_NAP_SECONDS = 0.05
_LITTLE_MEMORY_SHARE = 0.05
_LITTLE_DISK_BYTES = 100 * 1024 * 1024
_MANY_DESCRIPTORS_SHARE = 0.9
_OK = 200


def make_checks(service: InferenceService, store: SessionStore, data_folder: Path | None) -> dict[str, Check]:
    return {
        "service": lambda: check_service(store),
        "hailo_backend": lambda: check_sidecars(service.balancer.members),
        "inference_capability": lambda: check_inference(service),
        "system_resources": lambda: asyncio.to_thread(check_resources, data_folder),
    }


async def check_service(store: SessionStore, clock: Callable[[], float] = perf_counter) -> Look:
    """Whether samples can be kept, and whether the event loop is on time."""
    started = clock()
    await asyncio.sleep(_NAP_SECONDS)
    late = clock() - started - _NAP_SECONDS
    try:
        fault = await store.check()
    except StorageError as failure:
        return Look(UNHEALTHY, str(failure))
    if fault:
        return Look(DEGRADED, f"{fault}; sessions in {store.kind}")
    if late > _SLOW_LOOP_SECONDS:
        return Look(DEGRADED, f"the event loop is {late:.2f} s late; sessions in {store.kind}")
    return Look(HEALTHY, f"sessions in {store.kind}")


async def check_sidecars(members: tuple[SidecarMember, ...]) -> Look:
    """What each sidecar says of itself, and whether it does its work."""
    if not members:
        return Look(DEGRADED, "no sidecar is configured; the gateway's CPU answers")
    looks = await asyncio.gather(*(_check_sidecar(member) for member in members))
    message = "; ".join(look.message for look in looks)
    working = sum(look.status == HEALTHY for look in looks)
    if working == len(looks):
        return Look(HEALTHY, message)
    return Look(DEGRADED if working else UNHEALTHY, message)


async def _check_sidecar(member: SidecarMember) -> Look:
    """Its own word, and its answer to a window: a sidecar whose every run fails may call itself well."""
    said, failure = await asyncio.gather(_ask_health(member), _ask_window(member))
    circuit = member.circuit.state
    if isinstance(said, SidecarError):
        return Look(UNHEALTHY, f"{member.name}: {said.fault} ({said.error_type}), circuit {circuit}")
    about = f"{member.name}: {said.about}, asked by {said.protocol.name}"
    if said.fault:
        return Look(UNHEALTHY, f"{member.name}: {said.fault}, circuit {circuit}")
    # Of one that has no word for it, a refusal of the window is all that there is to go by.
    if failure is not None and (is_about_health(failure) or (said.is_silent and not failure.is_busy)):
        return Look(UNHEALTHY, f"{about}, and yet it does not answer a window: {failure.fault}; circuit {circuit}")
    if circuit is CircuitState.OPEN:
        return Look(UNHEALTHY, f"{about}, but its circuit is open: it is not asked")
    return Look(HEALTHY, f"{about}, circuit {circuit}")


async def _ask_health(member: SidecarMember) -> SelfDescription | SidecarError:
    try:
        return await member.client.describe(_SIDECAR_SECONDS)
    except SidecarError as failure:
        return failure


async def _ask_window(member: SidecarMember) -> SidecarError | None:
    """Why it does not answer a known window, if it does not."""
    try:
        await member.client.infer(_still_window(), "health-check", _SIDECAR_SECONDS)
    except SidecarError as failure:
        return failure
    return None


def _still_window() -> NDArray[np.float32]:
    """Lying still, +x up: a window that any IMU model can answer."""
    window = np.zeros((WINDOW_SAMPLES, len(CHANNELS)), np.float32)
    window[:, 0] = 9.81
    return window


async def check_inference(service: InferenceService) -> Look:
    """Whether a known window finds an answer, and from whom."""
    try:
        analysis = await service.probe(_still_window())
    except (NotReady, Overloaded, BackendError, SidecarError) as failure:
        return Look(UNHEALTHY, str(failure))
    said = f"a known window was answered by {analysis.source} ({analysis.backend})"
    if analysis.source == "sidecar":
        return Look(HEALTHY, said)
    if service.fallback is not None:
        service.fallback.start()
    return Look(DEGRADED, said)


def check_resources(data_folder: Path | None) -> Look:
    """Whether memory, disk and file descriptors are left."""
    memory = psutil.virtual_memory()
    process = psutil.Process()
    descriptors, limit = process.num_fds(), process.rlimit(psutil.RLIMIT_NOFILE)[0]
    found = [f"{memory.available / memory.total:.0%} of memory available", f"{descriptors} of {limit} descriptors"]
    is_short = memory.available < _LITTLE_MEMORY_SHARE * memory.total
    is_short |= limit > 0 and descriptors > _MANY_DESCRIPTORS_SHARE * limit
    if data_folder is not None:
        free = psutil.disk_usage(str(data_folder)).free
        found.append(f"{free / 2**20:.0f} MiB of disk free")
        is_short |= free < _LITTLE_DISK_BYTES
    return Look(DEGRADED if is_short else HEALTHY, ", ".join(found))
