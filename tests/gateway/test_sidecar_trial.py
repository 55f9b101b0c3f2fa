"""`edgeinfer doctor --sidecar`: the contract tried against servers that keep it, and against some that do not."""

import importlib.util
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from click.testing import CliRunner

from edgeinfer.cli import doctor
from edgeinfer.diagnostics import Diagnostic, Verdict
from edgeinfer.gateway.checks import check_sidecars
from edgeinfer.gateway.health import HEALTHY
from edgeinfer.gateway.http_client import HttpTransport
from edgeinfer.gateway.sidecar_trial import SidecarTrial
from edgeinfer.gateway.transport import parse_target
from edgeinfer.model.card import default_folder, load_card
from edgeinfer.parity import recorded_windows
from tests.gateway.faulty_peer import LATENT, SCORES, Exchange, internal_error, not_found, peer
from tests.gateway.rigs import make_rig, running
from tests.gateway.test_discovery import OURS, Stranger, triton

EXAMPLE = Path(__file__).parents[2] / "docs/examples/hailo_sidecar_metrics_template.py"


@contextmanager
def template() -> Iterator[str]:
    """The example of the docs, as it is, behind its own server; gives its URL."""
    specification = importlib.util.spec_from_file_location("template", EXAMPLE)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(module.app, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(20)
    listener.close()


async def tried(url: str) -> dict[str, Diagnostic]:
    target = parse_target(url)
    transport = HttpTransport(target, connections=2)
    try:
        found = await SidecarTrial(target, transport, load_card(default_folder())).run()
    finally:
        await transport.close()
    return {one.subject: one for one in found}


def verdicts(found: dict[str, Diagnostic]) -> dict[str, Verdict]:
    return {subject: one.verdict for subject, one in found.items()}


async def test_the_template_of_the_docs_keeps_the_contract() -> None:
    with template() as url:
        found = await tried(url)
    assert {one.verdict for one in found.values()} <= {Verdict.OK, Verdict.NOTE}
    notes = {subject for subject, verdict in verdicts(found).items() if verdict is Verdict.NOTE}
    assert notes == {"reports its time", "speaks /infer binary"}
    assert "my-model on none; the gateway asks it by /infer JSON" in found["says of itself"].message
    assert "POST /infer (application/json, " in found["answers a window"].message
    assert "-> 422 (application/json)" in found["refuses a window of 7 rows"].message


async def test_the_template_answers_every_window_of_a_recording_behind_our_gateway() -> None:
    windows = list(recorded_windows(["walking-upper-leg"], length=100, hop=400))
    assert len(windows) > 5
    with template() as url:
        rig = make_rig(url, encoding="auto", timeout_seconds=10)
        async with running(rig) as service:
            found = [await service.analyze_imu_window(window, "process", "r") for window in windows]
            look = await check_sidecars(service.balancer.members)
    assert {(analysis.source, analysis.backend) for analysis in found} == {("sidecar", "stub")}
    assert rig.errors == {}
    assert (look.status, "asked by /infer JSON" in look.message) == (HEALTHY, True)


async def test_bytes_that_are_taken_and_not_announced_are_worth_a_word() -> None:
    stranger = Stranger(_healthz={"ok": True, "model": "m"})

    async def both(exchange: Exchange, headers: dict[str, str]) -> None:
        if headers["content-type"] == "application/octet-stream":
            await exchange.answer_binary([*LATENT, *SCORES])
        else:
            await stranger.answer_json(exchange, headers)

    stranger.infer = both
    async with peer(stranger) as sidecar:
        found = await tried(sidecar.url)
    assert "content_types" in found["speaks /infer binary"].remedy


async def test_a_server_of_the_open_inference_protocol_passes() -> None:
    async with peer(triton()) as sidecar:
        found = await tried(sidecar.url.removesuffix("/infer") + "/v2/models/small/infer")
    assert found["answers a window"].verdict is Verdict.OK
    assert "POST /v2/models/small/infer" in found["answers a window"].message


async def test_what_is_missing_is_named() -> None:
    for behaviour, subject in ((not_found, "answers a window"), (internal_error, "says of itself")):
        async with peer(behaviour) as sidecar:
            found = await tried(sidecar.url)
        assert found[subject].verdict is Verdict.BROKEN
        assert found[subject].remedy


async def test_scores_that_do_not_sum_to_one_lead_to_the_card() -> None:
    stranger = Stranger(_healthz=OURS | {"content_types": []})
    stranger.infer = lambda exchange, _: exchange.answer_json({"latent": LATENT, "motif_scores": [0.5] * 12})
    async with peer(stranger) as sidecar:
        found = await tried(sidecar.url)
    assert found["answers a window"].verdict is Verdict.BROKEN
    assert "scores_sum_to_one" in found["answers a window"].remedy


async def test_a_sampled_answer_and_one_to_a_short_window_are_noted() -> None:
    stranger, chance = Stranger(_healthz={"ok": True}), np.random.default_rng(1)
    stranger.infer = lambda exchange, _: exchange.answer_json(
        {"latent": chance.normal(size=64).tolist(), "motif_scores": SCORES}
    )
    async with peer(stranger) as sidecar:
        found = await tried(sidecar.url)
    assert found["answers it again"].message.startswith("with other numbers")
    assert found["refuses a window of 7 rows"].verdict is Verdict.NOTE


@pytest.mark.parametrize(("url", "code"), [("http://127.0.0.1:1", 1), ("ftp://x", 78)])
def test_the_command_ends_with_a_code(url: str, code: int) -> None:
    result: Any = CliRunner().invoke(doctor.create(), ["--sidecar", url, "--json"])
    assert result.exit_code == code or (code == 78 and type(result.exception).__name__ == "SettingsError")
