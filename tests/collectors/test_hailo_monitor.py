"""Every case of a monitor file: idle, empty, stale, orphaned, cut short, of several chips, absurd, forbidden."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeinfer.hailort.monitor_file import MalformedMonitorFile, decode
from tests.collectors.chips import EPOCH, Station, station
from tests.fakes.hailo_platform.machine import Machine
from tests.fakes.hailo_platform.monitor_files import DeviceUse, NetworkUse, encode, write

CHIP, OTHER = "0001:01:00.0", "0002:01:00.0"
PID = "4711"
RATIO = "hailo_hardware_utilization_ratio"
BUSY = encode(PID, [NetworkUse("tcn_vae", 812.5, 41.5)], [DeviceUse(CHIP, 43.25)])


@pytest.fixture
def here(tmp_path: Path) -> Station:
    (tmp_path / "proc" / PID).mkdir(parents=True)
    (tmp_path / "hmon_files").mkdir()
    return station(Machine(), tmp_path)


def put(here: Station, tmp_path: Path, content: bytes, *, name: str = "4711aB3dE6", age: float = 0.5) -> None:
    write(tmp_path / "hmon_files", content, name=name, modified_at=EPOCH + here.elapsed - age)


def network(here: Station, name: str = "tcn_vae") -> tuple[float | None, float | None]:
    return (
        here.value("hailo_model_utilization_ratio", model=name),
        here.value("hailo_model_frames_per_second", model=name),
    )


def test_use_of_chip_and_networks_is_reported(here: Station, tmp_path: Path) -> None:
    put(here, tmp_path, BUSY)
    assert here.run("hailo_monitor")
    assert here.of_chip(RATIO) == 0.4325
    assert here.of_chip("hailo_hardware_utilization_percent") == 43.25
    assert network(here) == (0.415, 812.5)
    assert here.last_success("monitor") == 0.0


def test_an_idle_chip_is_zero_because_the_file_says_so(here: Station, tmp_path: Path) -> None:
    put(here, tmp_path, encode(PID, [NetworkUse("tcn_vae")], [DeviceUse(CHIP)]))
    assert here.run("hailo_monitor")
    assert here.of_chip(RATIO) == 0.0
    assert network(here) == (0.0, 0.0)


def test_the_empty_file_of_the_first_interval_says_nothing_and_is_no_fault(here: Station, tmp_path: Path) -> None:
    put(here, tmp_path, b"")
    assert here.run("hailo_monitor")
    assert here.of_chip(RATIO) is None
    assert here.errors("monitor") == {}


def test_no_file_and_no_folder_are_nothing_to_read(here: Station, tmp_path: Path) -> None:
    assert not here.run("hailo_monitor")
    (tmp_path / "hmon_files").rmdir()
    assert not here.run("hailo_monitor")
    assert here.run_errors("hailo_monitor") == {}
    assert here.of_chip(RATIO) is None


@pytest.mark.parametrize("age", [3.1, 86_400.0, -3.1])
def test_a_stale_file_and_one_of_the_future_are_absent_never_zero(here: Station, tmp_path: Path, age: float) -> None:
    put(here, tmp_path, BUSY)
    here.run("hailo_monitor")
    here.elapsed += 5
    put(here, tmp_path, BUSY, age=age)
    assert not here.run("hailo_monitor")
    assert here.of_chip(RATIO) is None
    assert network(here) == (None, None)
    assert here.errors("monitor") == {"stale": 1.0}
    assert here.last_success("monitor") == 0.0


def test_a_file_ends_with_its_freshness_even_without_another_run(here: Station, tmp_path: Path) -> None:
    put(here, tmp_path, BUSY, age=1.0)
    here.run("hailo_monitor")
    here.elapsed += 1.9
    assert here.of_chip(RATIO) == 0.4325
    here.elapsed += 0.2
    assert here.of_chip(RATIO) is None


def test_the_file_of_a_dead_process_is_stale(here: Station, tmp_path: Path) -> None:
    put(here, tmp_path, encode("4712", [], [DeviceUse(CHIP, 99.0)]), name="4712xxxxxx")
    assert not here.run("hailo_monitor")
    assert here.of_chip(RATIO) is None
    assert here.errors("monitor") == {"stale": 1.0}


def test_a_pid_that_is_a_path_is_no_process(here: Station, tmp_path: Path) -> None:
    put(here, tmp_path, encode("../proc", [], [DeviceUse(CHIP, 99.0)]))
    assert not here.run("hailo_monitor")


def test_a_file_cut_short_is_malformed(here: Station, tmp_path: Path) -> None:
    put(here, tmp_path, BUSY[:-3])
    assert not here.run("hailo_monitor")
    assert here.errors("monitor") == {"malformed": 1.0}
    assert here.of_chip(RATIO) is None


def test_a_file_half_written_next_to_it_is_not_read(here: Station, tmp_path: Path) -> None:
    put(here, tmp_path, BUSY)
    put(here, tmp_path, BUSY[:5], name="4711aB3dE6.tmp")
    assert here.run("hailo_monitor")
    assert here.errors("monitor") == {}


def test_several_chips_and_owners_are_distinguished(here: Station, tmp_path: Path) -> None:
    (tmp_path / "proc" / "4712").mkdir()
    put(here, tmp_path, encode(PID, [NetworkUse("a", 10.0, 5.0)], [DeviceUse(CHIP, 5.0), DeviceUse(OTHER, 100.5)]))
    put(here, tmp_path, encode("4712", [NetworkUse("b", 20.0, 7.0)], [DeviceUse("0003:01:00.0", 7.0)]), name="4712x")
    assert here.run("hailo_monitor")
    assert [here.of_chip(RATIO, chip) for chip in (CHIP, OTHER, "0003:01:00.0")] == [0.05, 1.0, 0.07]
    assert (network(here, "a"), network(here, "b")) == ((0.05, 10.0), (0.07, 20.0))


def test_the_newest_file_wins_where_two_speak_of_one_chip(here: Station, tmp_path: Path) -> None:
    put(here, tmp_path, BUSY, name="zzz", age=2.0)
    put(here, tmp_path, encode(PID, [], [DeviceUse(CHIP, 80.0)]), name="aaa", age=0.1)
    here.run("hailo_monitor")
    assert here.of_chip(RATIO) == 0.8


@pytest.mark.parametrize("rate", [sys.float_info.max, float("inf"), float("nan"), -5.0])
def test_an_absurd_rate_is_dropped_and_the_rest_kept(here: Station, tmp_path: Path, rate: float) -> None:
    put(here, tmp_path, encode(PID, [NetworkUse("tcn_vae", rate, 41.5)], [DeviceUse(CHIP, 43.25)]))
    assert here.run("hailo_monitor")
    assert network(here) == (0.415, None)
    assert here.of_chip(RATIO) == 0.4325
    assert here.errors("monitor") == {"implausible": 1.0}


def test_a_good_file_is_reported_although_another_is_bad(here: Station, tmp_path: Path) -> None:
    put(here, tmp_path, BUSY)
    put(here, tmp_path, b"\xff\xff\xff", name="broken")
    assert here.run("hailo_monitor")
    assert here.of_chip(RATIO) == 0.4325
    assert here.errors("monitor") == {"malformed": 1.0}


def test_links_and_folders_are_not_followed(here: Station, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(BUSY)
    (tmp_path / "hmon_files" / "link").symlink_to(secret)
    (tmp_path / "hmon_files" / "folder").mkdir()
    os.mkfifo(tmp_path / "hmon_files" / "pipe")
    assert not here.run("hailo_monitor")
    assert here.errors("monitor") == {"malformed": 3.0}


@contextlib.contextmanager
def another_user() -> Iterator[None]:
    """A user without rights, where the tests run as root, whom nothing is forbidden."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_file_of_another_user_is_counted_as_permission(here: Station, tmp_path: Path) -> None:
    put(here, tmp_path, BUSY)
    (tmp_path / "hmon_files" / "4711aB3dE6").chmod(0)
    with another_user():
        assert not here.run("hailo_monitor")
    assert here.errors("monitor") == {"permission": 1.0}
    assert here.of_chip(RATIO) is None


def test_a_chatty_file_cannot_make_series_without_end(here: Station, tmp_path: Path) -> None:
    put(here, tmp_path, encode(PID, [NetworkUse(f"n{number}", 1.0, 1.0) for number in range(500)], []))
    here.run("hailo_monitor")
    assert len([sample for sample in here.samples() if sample.name == "hailo_model_frames_per_second"]) == 64


def test_many_files_cannot_make_series_without_end_either(here: Station, tmp_path: Path) -> None:
    for number in range(40):
        content = encode(PID, [NetworkUse(f"n{number}", 1.0, 1.0)], [DeviceUse(f"chip{number}", 1.0)])
        put(here, tmp_path, content, name=f"file{number}", age=1.0 - number / 100)
    here.run("hailo_monitor")
    reported = {sample.labels["chip_id"] for sample in here.samples() if sample.name == RATIO}
    assert reported == {f"chip{number}" for number in range(24, 40)}  # the newest sixteen


def test_a_device_without_a_name_is_not_reported(here: Station, tmp_path: Path) -> None:
    put(here, tmp_path, encode(PID, [], [DeviceUse("", 50.0), DeviceUse(CHIP, 43.25)]))
    here.run("hailo_monitor")
    assert [sample.labels["chip_id"] for sample in here.samples() if sample.name == RATIO] == [CHIP]
    assert here.errors("monitor") == {"implausible": 1.0}


def test_fields_that_are_not_needed_are_skipped() -> None:
    message = decode(BUSY + b"\x48\x07\x55abcd")  # field 9 as a number, field 10 as four bytes
    assert (message.pid, message.networks[0].frames_per_second) == (PID, 812.5)
    assert message.devices[0].architecture == "HAILO8L"


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_are_malformed(content: bytes) -> None:
    with contextlib.suppress(MalformedMonitorFile):
        decode(content)


@given(
    st.lists(st.tuples(st.text(max_size=20), st.floats(0, 1e5), st.floats(0, 100)), max_size=4),
    st.lists(st.tuples(st.text(max_size=20), st.floats(0, 100)), max_size=4),
)
def test_what_is_encoded_is_decoded(networks: list[tuple[str, float, float]], devices: list[tuple[str, float]]) -> None:
    content = encode("1", [NetworkUse(*network) for network in networks], [DeviceUse(*use) for use in devices])
    message = decode(content)
    assert [(use.name, use.frames_per_second, use.utilization_percent) for use in message.networks] == networks
    assert [(use.device_id, use.utilization_percent) for use in message.devices] == devices
