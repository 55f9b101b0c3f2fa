"""The looks at the machine, at real processes, ports, limits and files."""

import asyncio
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import psutil
import pytest
from aiohttp import web

from edgeinfer.diagnosis.machine import Facts, look, look_at_clock, run_command
from edgeinfer.diagnosis.places import Place, Stack
from edgeinfer.monitoring.causes.commands import Way
from edgeinfer.monitoring.causes.facts import known_facts
from edgeinfer.stack.ports import PortPool
from tests.diagnosis.answers import NOW

OURS = "edgeinfer_build_info 1\n"


async def no_kernel_log(_: tuple[str, ...]) -> str | None:
    return None


async def looked(tmp_path: Path, *places: Place, run: object = no_kernel_log) -> Facts:
    async with aiohttp.ClientSession() as http:
        facts = await look(http, Stack(Way.UP, tmp_path, places), run)  # type: ignore[arg-type]  # a fake program
    known = known_facts()
    for subject, found in facts.found.items():
        assert found.value in known[subject], f"{subject} is {found.value}, which no entry can ask for"
    return facts


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"], stdout=-1)
    assert process.stdout
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


async def served(text: str, status: int = 200) -> tuple[web.AppRunner, int]:
    [port] = PortPool().take(1)

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=text, status=status)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner, port


@pytest.mark.parametrize(
    ("text", "status", "value"),
    [(OURS, 200, "well"), ("node_load1 1\n", 200, "foreign"), ("busy", 503, "failing")],
)
async def test_whose_answer_it_is_is_looked_at(tmp_path: Path, text: str, status: int, value: str) -> None:
    runner, port = await served(text, status)
    facts = await looked(tmp_path, Place("gateway", "gateway", f"http://127.0.0.1:{port}"))
    await runner.cleanup()
    assert facts.found["gateway.answer"].value == value


async def test_nobody_there_and_nobody_who_answers_are_two_things(tmp_path: Path) -> None:
    [closed] = PortPool().take(1)

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    silent = server.sockets[0].getsockname()[1]
    facts = await looked(
        tmp_path,
        Place("gateway", "gateway", f"http://127.0.0.1:{closed}"),
        Place("sidecar", "sidecar-1", f"http://127.0.0.1:{silent}"),
    )
    server.close()
    assert facts.found["gateway.answer"].value == "refused"
    assert facts.found["sidecar.answer"].value == "silent"


async def test_a_suspended_process_is_seen(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    place = Place("sidecar", "sidecar-1", "http://127.0.0.1:1", sleeper.pid, "ready")
    assert (await looked(tmp_path, place)).found["sidecar.process"].value == "running"
    sleeper.send_signal(signal.SIGSTOP)
    while psutil.Process(sleeper.pid).status() != psutil.STATUS_STOPPED:  # noqa: ASYNC110 - the kernel sets no Event
        await asyncio.sleep(0.01)
    found = (await looked(tmp_path, place)).found["sidecar.process"]
    assert found.value == "suspended"
    assert str(sleeper.pid) in found.detail


async def test_limits_that_are_used_up_are_seen(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    place = Place("sidecar", "sidecar-1", "http://127.0.0.1:1", sleeper.pid, "ready")
    well = (await looked(tmp_path, place)).found
    assert (well["sidecar.open_files"].value, well["sidecar.file_size"].value) == ("left", "unlimited")
    resource.prlimit(sleeper.pid, resource.RLIMIT_NOFILE, (0, 100))
    resource.prlimit(sleeper.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    ill = (await looked(tmp_path, place)).found
    assert (ill["sidecar.open_files"].value, ill["sidecar.file_size"].value) == ("used_up", "limited")
    assert "4096" in ill["sidecar.file_size"].detail


@pytest.mark.parametrize(
    ("says", "value"),
    [
        ("Traceback\nMemoryError", "out_of_memory"),
        ("ImportError: x.so: failed to map segment from shared object", "out_of_memory"),
        ("error: EDGEINFER_SIDECAR_PORT: is not a number.", "configuration"),
        ("ended", "nothing"),
    ],
)
async def test_the_last_output_of_a_process_that_does_not_run(tmp_path: Path, says: str, value: str) -> None:
    log = tmp_path / "sidecar-1.log"
    log.write_text(f"started\n{says}\n", encoding="utf-8")
    place = Place("sidecar", "sidecar-1", "http://127.0.0.1:1", None, "backing_off", 3, "ended with 1", log)
    facts = (await looked(tmp_path, place)).found
    assert facts["sidecar.log"].value == value
    assert facts["sidecar.process"].value == "restarting"


async def test_what_a_process_said_before_it_served_does_not_count(tmp_path: Path) -> None:
    log = tmp_path / "sidecar-1.log"
    log.write_text('MemoryError\n{"message": "Application startup complete."}\n', encoding="utf-8")
    place = Place("sidecar", "sidecar-1", "http://127.0.0.1:1", None, "backing_off", 1, "ended with -9", log)
    assert (await looked(tmp_path, place)).found["sidecar.log"].value == "nothing"
    log.write_text(log.read_text(encoding="utf-8") + "MemoryError\n", encoding="utf-8")
    assert (await looked(tmp_path, place)).found["sidecar.log"].value == "out_of_memory"


async def test_one_crash_is_no_loop(tmp_path: Path) -> None:
    place = Place("sidecar", "sidecar-1", "http://127.0.0.1:1", None, "backing_off", 1, "ended with 1")
    assert (await looked(tmp_path, place)).found["sidecar.process"].value == "ended"


async def test_a_log_that_is_not_there_is_said(tmp_path: Path) -> None:
    place = Place("sidecar", "sidecar-1", "http://127.0.0.1:1", None, "gave_up", 3, log=tmp_path / "none.log")
    facts = await looked(tmp_path, place)
    assert "sidecar.log" not in facts.found
    assert any("none.log" in text for text in facts.unseen)


def kernel(ago: float, name: str) -> object:
    moment = time.clock_gettime(time.CLOCK_BOOTTIME) - ago

    async def run(words: tuple[str, ...]) -> str | None:
        assert words == ("dmesg",)
        return f"[    1.0] usb: ok\n[{moment:12.6f}] Out of memory: Killed process 812 ({name}) total-vm:1kB\n"

    return run


async def test_the_kernel_s_kill_is_read_where_it_is_ours_and_new(tmp_path: Path) -> None:
    found = await looked(tmp_path, run=kernel(120, "edgeinfer"))
    assert found.found["machine.kernel_log"].value == "killed_for_memory"
    assert "process 812 (edgeinfer)" in found.found["machine.kernel_log"].detail
    for quiet in (kernel(120, "firefox"), kernel(7200, "edgeinfer")):
        assert (await looked(tmp_path, run=quiet)).found["machine.kernel_log"].value == "nothing"


async def test_a_kernel_log_that_may_not_be_read_is_said_and_no_fact(tmp_path: Path) -> None:
    facts = await looked(tmp_path)
    assert "machine.kernel_log" not in facts.found
    assert any("kernel's log" in text for text in facts.unseen)


async def test_a_program_that_fails_or_is_not_there_gives_nothing() -> None:
    assert await run_command(("no-such-program-anywhere",)) is None
    assert await run_command(("false",)) is None
    assert await run_command(("echo", "ok")) == "ok\n"


async def test_of_several_sidecars_the_failing_one_counts(tmp_path: Path) -> None:
    runner, port = await served("hailo_sidecar_build_info 1\n")
    [closed] = PortPool().take(1)
    addresses = [f"http://127.0.0.1:{one}" for one in (port, closed, port)]
    facts = await looked(tmp_path, *(Place("sidecar", f"sidecar-{at}", url) for at, url in enumerate(addresses)))
    await runner.cleanup()
    assert facts.found["sidecar.answer"].value == "refused"


async def test_a_process_that_no_record_names_is_found_by_its_port(tmp_path: Path) -> None:
    runner, port = await served(OURS)
    facts = await looked(tmp_path, Place("gateway", "gateway", f"http://127.0.0.1:{port}"))
    await runner.cleanup()
    assert facts.found["gateway.process"].value == "running"


def test_a_clock_behind_what_is_stored_is_seen() -> None:
    assert look_at_clock(NOW + 3600, NOW).value == "behind_measurements"
    assert look_at_clock(NOW + 5, NOW).value == "right"
