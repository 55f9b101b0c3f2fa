"""How the stack begins and ends: refusals, Ctrl-C, a second run, and a kill without warning."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.end_to_end.running_stack import RunningStack, lives, until, up_command

pytestmark = pytest.mark.end_to_end
_EXIT_CONFIGURATION = 78


def refused(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=40, env={**os.environ, **environment}
    )
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("error: "), result.stderr
    assert "\nhint: " in result.stderr
    return result


@pytest.mark.timeout(240)  # two starts and the wait for a first scrape, on a busy machine
def test_ctrl_c_leaves_no_process_and_a_second_run_shows_the_earlier_data(tmp_path: Path) -> None:
    first = RunningStack(tmp_path / "data")
    assert until(lambda: first.query("sum(edgeinfer_samples_received_total) > 0") != {}, 30)
    moment = time.time()
    received = first.query("sum(edgeinfer_samples_received_total)", moment)
    pids = first.pids()
    assert set(pids) == {"sidecar-1", "gateway", "console", "prometheus", "alertmanager", "replay"}

    assert first.interrupt() == 0
    first.close()
    assert [name for name, pid in pids.items() if lives(pid)] == []

    second = RunningStack(tmp_path / "data", "--no-replay")
    try:
        assert second.query("sum(edgeinfer_samples_received_total)", moment) == received
    finally:
        second.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals children at their parent's death")
def test_a_killed_stack_leaves_no_process_and_can_start_again_at_once(tmp_path: Path) -> None:
    killed = RunningStack(tmp_path / "data", "--no-replay")
    pids = killed.pids()
    killed.kill()
    again = RunningStack(tmp_path / "data", "--no-replay")
    try:
        assert [name for name, pid in pids.items() if lives(pid)] == []
    finally:
        again.close()
        killed.close()


def test_a_second_run_on_the_same_folder_is_refused_and_names_who_has_it(stack: RunningStack) -> None:
    result = refused(up_command(stack.folder.root))

    assert result.returncode == _EXIT_CONFIGURATION
    assert f"is in use by process {stack.pid}" in result.stderr
    assert "--data-folder" in result.stderr


def test_a_busy_port_is_refused_and_names_who_has_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        port = foreign.getsockname()[1]
        result = refused(up_command(tmp_path / "data", "--gateway-port", str(port)))

    assert result.returncode == _EXIT_CONFIGURATION
    assert f"{port} (for the gateway)" in result.stderr
    assert f"process {os.getpid()}" in result.stderr


def test_an_unknown_setting_is_refused_with_the_name_that_was_meant(tmp_path: Path) -> None:
    result = refused(up_command(tmp_path / "data"), EDGEINFER_GATEWAY_PROT="1")

    assert result.returncode == _EXIT_CONFIGURATION
    assert "EDGEINFER_GATEWAY_PROT" in result.stderr
    assert "Did you mean EDGEINFER_GATEWAY_PORT?" in result.stderr


def test_an_unknown_recording_is_refused_before_anything_starts(tmp_path: Path) -> None:
    result = refused(up_command(tmp_path / "data", "--recording", "swimming"))

    assert result.returncode == 1
    assert "swimming" in result.stderr


def test_a_folder_that_cannot_be_written_is_refused() -> None:
    result = refused(up_command(Path("/proc/edgeinfer")))

    assert result.returncode == _EXIT_CONFIGURATION
    assert "data folder /proc/edgeinfer: cannot be created" in result.stderr


def test_a_model_that_is_missing_ends_the_start_with_the_reason(tmp_path: Path) -> None:
    result = refused(up_command(tmp_path / "data"), EDGEINFER_MODEL_FOLDER=str(tmp_path / "none"))

    assert result.returncode == _EXIT_CONFIGURATION
    assert f"{tmp_path / 'none' / 'card.json'}: cannot be read" in result.stderr
    assert "Name a folder that holds card.json" in result.stderr
    assert json.loads(result.stdout.splitlines()[-1])["event"] == "stopped"


def test_without_prometheus_the_services_run_and_the_ways_to_get_it_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    running = RunningStack(tmp_path / "data", "--no-replay")
    try:
        reported = " ".join(event.get("message", "") for event in running.events)
        for way in ("PATH", "apt-get", "docker", "--no-monitoring"):
            assert way in reported
        assert set(running.pids()) == {"sidecar-1", "gateway", "console"}
        assert running.ask("GET", "/health/detailed")[0] == 200
        failures = running.await_event("status")["failures"]
        assert set(failures) == {"prometheus", "alertmanager"}
    finally:
        running.close()


def test_without_monitoring_the_services_run_alone_and_sigterm_ends_them_like_ctrl_c(tmp_path: Path) -> None:
    running = RunningStack(tmp_path / "data", "--no-monitoring", "--no-replay")
    pids = running.pids()
    assert set(pids) == {"sidecar-1", "gateway", "console"}
    assert any("without monitoring" in event.get("message", "") for event in running.events)
    assert running.ask("GET", "/health/detailed")[0] == 200

    os.kill(running.pid, signal.SIGTERM)
    running.await_event("stopped")

    assert running.wait() == 0
    running.close()
    assert not any(lives(pid) for pid in pids.values())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals children at their parent's death")
def test_a_killed_stack_with_a_suspended_process_can_start_again_at_once(tmp_path: Path) -> None:
    killed = RunningStack(tmp_path / "data", "--no-replay", "--no-monitoring")
    pids = killed.pids()
    os.kill(pids["gateway"], signal.SIGSTOP)
    killed.kill()
    ports = [
        word
        for name, address in killed.addresses.items()
        if name != "sidecar-1"
        for word in (f"--{name}-port", address.rpartition(":")[2])
    ]
    again = RunningStack(tmp_path / "data", "--no-replay", "--no-monitoring", *ports)
    try:
        assert [name for name, pid in pids.items() if lives(pid)] == []
    finally:
        again.close()
        killed.close()


def test_everything_that_a_run_writes_is_for_this_user_alone(stack: RunningStack) -> None:
    """Another user read the samples of folders with 0755 and a store with 0644."""
    open_ones = [path for path in (stack.folder.root, *stack.folder.root.rglob("*")) if path.lstat().st_mode & 0o077]
    assert open_ones == []
    assert list(stack.folder.gateway.iterdir()), "the sessions are among them"
