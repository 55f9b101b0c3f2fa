"""The load generator against the real stack: its numbers and Prometheus' are the same."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.running_stack import RunningStack
from tests.end_to_end.service_process import ServiceProcess

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(240)]


def run(*words: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "edgeinfer", *words, "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    document: dict[str, Any] = json.loads(ended.stdout)
    return ended.returncode, document


def test_the_clients_numbers_are_those_of_prometheus(stack: RunningStack, tmp_path: Path) -> None:
    load = ("load-test", "--profile", "quick", "--seconds", "6", "--users", "4")
    addresses = ("--gateway", stack.addresses["gateway"], "--prometheus", stack.addresses["prometheus"])
    _, document = run(*load, *addresses, "--report", str(tmp_path / "report"))
    comparison = document["prometheus"]
    assert comparison["comparable"], comparison
    for row in comparison["rows"]:
        assert row["requests_client"] == row["requests_prometheus"], row
    assert comparison["agrees"], comparison
    samples = document["run"]["samples"]
    assert samples["lost"] == 0
    assert samples["according_to_gateway"] == samples["acknowledged"] > 0
    assert document["run"]["all"]["success_ratio"] == 1.0
    assert document["run"]["sources"].keys() == {"sidecar"}
    for name in ("report.txt", "report.json"):
        assert (tmp_path / "report" / name).stat().st_size > 1000


def test_a_replay_is_counted_by_the_gateway_to_the_sample(stack: RunningStack) -> None:
    code, document = run(
        "replay",
        "--gateway",
        stack.addresses["gateway"],
        "--speed",
        "20",
        "--recording",
        "walking-upper-leg",
        *("--console", "http://console.test:1/"),
    )
    assert code == 0
    assert document["samples"] == document["samples_according_to_gateway"] == 2926
    assert document["windows_by_source"] == {"sidecar": 29}
    assert document["synchrony"] == 2
    short_id = document["newest_session"]["sessionId"][:8]
    assert document["page"] == f"http://console.test:1/sessions/{short_id}"


def test_a_gateway_that_is_away_breaks_the_promises(tmp_path: Path) -> None:
    away = ServiceProcess("gateway", log=tmp_path / "never-started.log")
    code, document = run("load-test", "--profile", "quick", "--seconds", "2", "--gateway", away.url)
    assert code == 1
    assert document["passed"] is False
    assert set(document["run"]["failures"]) == {"connection_error", "no_session"}


def test_a_phone_with_a_key_is_served_and_one_without_is_refused(tmp_path: Path) -> None:
    keys, mine, stranger = tmp_path / "api-keys", tmp_path / "mine", tmp_path / "stranger"
    made = [sys.executable, "-m", "edgeinfer", "key", "new", "phone", "--file", str(keys)]
    mine.write_text(subprocess.run(made, capture_output=True, text=True, check=True).stdout)
    stranger.write_text("ei_guessed")
    gateway = ServiceProcess(
        *("gateway", "--backend-url", "http://127.0.0.1:9/infer"),
        log=tmp_path / "gateway.log",
        environment={"EDGEINFER_GATEWAY_API_KEYS_FILE": str(keys)},
    )
    with gateway:
        access = ("--gateway", gateway.url, "--api-key-file")
        code, document = run("replay", "--recording", "walking-upper-leg", "--speed", "100", *access, str(mine))
        assert (code, document["samples"]) == (0, 2926)
        argv = (sys.executable, "-m", "edgeinfer", "replay", "--recording", "walking-upper-leg", "--speed", "100")
        wide = {**os.environ, "COLUMNS": "200"}
        output = subprocess.run(
            [*argv, *access, str(mine)], capture_output=True, text=True, check=True, env=wide
        ).stdout
        assert re.search(r"the newest session +│ since 20\S+Z, for \d+ s, 2926 samples", output), output
        assert re.search(r"stream default +│ 29 newest windows, 29 by fallback", output)
        assert re.search(r"page, while the gateway runs: http://127\.0\.0\.1:8088/sessions/[0-9a-f]{8}\n", output)
        load = ("load-test", "--profile", "quick", "--seconds", "1", "--users", "1")
        code, document = run(*load, *access, str(stranger))
        assert code == 1
        assert set(document["run"]["failures"]) <= {"unauthorized", "no_session"}


def test_a_soak_shows_each_minute_and_the_process_behind_the_gateway(stack: RunningStack) -> None:
    _, document = run(
        "load-test", "--profile", "soak", "--minutes", "0.1", "--users", "2", "--gateway", stack.addresses["gateway"]
    )
    [minute] = document["soak"]["minutes"]
    assert minute["failed"] == 0
    assert minute["processes"]["gateway"]["resident_bytes"] > 10**7
    assert document["soak"]["samples"]["lost"] == 0
