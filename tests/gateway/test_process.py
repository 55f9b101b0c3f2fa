"""The gateway as a process: signals, start-up failures, kill -9 under load, and fuzzing from its own description."""

import asyncio
import itertools
import json
import random
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from edgeinfer.stack.ports import PortPool
from tests.gateway.conftest import GatewayProcess, Start
from tests.gateway.rigs import API, samples

pytestmark = pytest.mark.end_to_end
NO_SIDECAR = {"USE_REAL_MODEL": "false", "EDGEINFER_GATEWAY_HEALTH_INTERVAL_SECONDS": "1"}


@pytest.fixture(scope="module")
def gateway(start_gateway: Start) -> GatewayProcess:
    return start_gateway(**NO_SIDECAR)


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_operation_keeps_to_its_description(gateway: GatewayProcess, mode: GenerationMode) -> None:
    """Schemathesis drives it: what fits the description is answered as described, what does not is refused."""
    schema = schemathesis.openapi.from_url(gateway.url + "/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    assert len(operations) >= 9
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query):
            continue  # nothing that could be wrong

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(max_examples=15, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        def drive(case: "schemathesis.Case[Any]") -> None:
            # That times rise, and by how much a number may be large, no schema can say.
            case.call_and_validate(excluded_checks=[positive_data_acceptance])

        drive()


async def test_every_second_kill_under_load_loses_no_acknowledged_sample(start_gateway: Start, tmp_path: Path) -> None:
    gateway = start_gateway(EDGEINFER_GATEWAY_DATA_FOLDER=str(tmp_path), **NO_SIDECAR)
    acknowledged: dict[str, int] = {}
    ends = asyncio.Event()

    async def phone(http: aiohttp.ClientSession) -> None:
        session_id, first = "", 0
        while not ends.is_set():
            try:
                if not session_id:
                    async with http.post(f"{gateway.url}{API}/start") as answer:
                        session_id = (await answer.json())["sessionId"]
                    acknowledged[session_id] = 0
                body = {"sessionId": session_id, "samples": samples(25, first)}
                async with http.put(f"{gateway.url}{API}/stream", json=body) as answer:
                    assert answer.status == 202, await answer.text()
                first += 25
                acknowledged[session_id] = first
            except (aiohttp.ClientError, ConnectionError):
                await asyncio.sleep(0.02)

    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        phones = [asyncio.create_task(phone(http)) for _ in range(6)]
        for seed in range(3):
            await asyncio.sleep(random.Random(seed).uniform(0.1, 0.6))  # noqa: S311 - a moment to kill at
            gateway.process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(gateway.process.wait)
            await asyncio.to_thread(gateway.again)
        await asyncio.sleep(0.2)
        ends.set()
        await asyncio.gather(*phones)
        found = {}
        for session_id in acknowledged:
            async with http.post(f"{gateway.url}{API}/stop", json={"sessionId": session_id}) as answer:
                found[session_id] = (await answer.json())["totalSamples"]
    assert found == acknowledged
    assert sum(acknowledged.values()) > 1000


async def test_on_sigterm_readiness_turns_first_and_requests_under_way_finish(start_gateway: Start) -> None:
    gateway = start_gateway(**NO_SIDECAR, EDGEINFER_GATEWAY_SHUTDOWN_GRACE_SECONDS="1")
    async with aiohttp.ClientSession(gateway.url) as http:
        gateway.process.send_signal(signal.SIGTERM)
        for _ in itertools.repeat(None, 100):
            async with http.get("/healthz", headers={"Accept": "application/json"}) as answer:
                if answer.status == 503:
                    assert "draining" in (await answer.json())["message"]
                    break
            await asyncio.sleep(0.01)
        else:
            raise AssertionError("readiness did not turn")
        async with http.post(f"{API}/process", json={"samples": samples(100)}) as answer:
            assert answer.status == 200
        async with http.post(f"{API}/process", data=slowly(), headers={"Content-Type": "application/json"}) as answer:
            assert answer.status == 200
    assert await asyncio.to_thread(gateway.process.wait, 10) in {0, -signal.SIGTERM, 128 + signal.SIGTERM}
    assert "Traceback" not in gateway.log.read_text()


async def slowly() -> AsyncIterator[bytes]:
    """A body that takes longer than the notice."""
    body = json.dumps({"samples": samples(100)}).encode()
    for start in range(0, len(body), 1000):
        yield body[start : start + 1000]
        await asyncio.sleep(0.1)


def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "edgeinfer", "gateway", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={"PATH": "/usr/bin:/bin", **environment},
    )


def test_a_busy_port_is_reported_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = run("--port", str(taken.getsockname()[1]))
    assert ended.returncode == 78
    assert "listens there" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_gateway_that_would_ask_itself_does_not_start() -> None:
    port = str(PortPool().take(1)[0])
    ended = run("--port", port, "--backend-url", f"http://localhost:{port}/infer")
    assert ended.returncode == 78
    assert "names the gateway itself" in ended.stderr


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"EDGEINFER_GATEWAY_PROT": "1"}, "EDGEINFER_GATEWAY_PORT"),
        ({"BACKEND_TIMEOUT_MS": "soon"}, "BACKEND_TIMEOUT_MS"),
        ({"MODEL_BACKEND_URL": "nonsense"}, "MODEL_BACKEND_URL"),
        ({"MODEL_BACKEND_URL": "http://a/infer,http://a/infer"}, "twice"),
        ({"MODEL_BACKEND_URL": "http://127.0.0.1:99999/infer"}, "MODEL_BACKEND_URL"),
        ({"EDGEINFER_MODEL_FOLDER": "/nowhere"}, "/nowhere"),
        ({"EDGEINFER_GATEWAY_DATA_FOLDER": "/proc/nowhere"}, "/proc/nowhere"),
    ],
)
def test_what_cannot_start_says_why_in_one_line(environment: dict[str, str], words: str) -> None:
    ended = run("--port", str(PortPool().take(1)[0]), **environment)
    assert ended.returncode == 78, ended.stderr
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
