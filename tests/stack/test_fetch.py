"""Fetching, with apt-get and dpkg played by a fake; the real ones are used by `make setup-monitoring`."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from edgeinfer.errors import BinaryNotFound
from edgeinfer.stack.events import EventKind
from edgeinfer.stack.fetch import Fetcher, free_of_fixed_templates, run_with_progress
from tests.stack.recorded_events import RecordedEvents

_TEMPLATES = b"/usr/share/prometheus/alertmanager"
_PROGRAMS = {
    "prometheus": ("prometheus", "promtool"),
    "prometheus-alertmanager": ("prometheus-alertmanager", "amtool"),
    "promtool": ("promtool",),
}


class FakeDebian:
    """apt-get and dpkg of a machine.

    Args:
        has_lists: whether `apt-get update` ever ran.
        is_online: whether lists can be had.
        promtool_apart: whether promtool is a package of its own, as in Debian 13.
    """

    def __init__(self, *, has_lists: bool = True, is_online: bool = True, promtool_apart: bool = False) -> None:
        self.has_lists = has_lists
        self.is_online = is_online
        self.promtool_apart = promtool_apart
        self.commands: list[tuple[str, ...]] = []

    def run(self, command: Sequence[str], folder: Path) -> tuple[int, str]:
        self.commands.append(tuple(command))
        words = [word for word in command if word in ("update", "download", "-x")]
        return getattr(self, f"_{words[-1].strip('-')}")(list(command), folder)  # type: ignore[no-any-return]

    def _update(self, _: list[str], __: Path) -> tuple[int, str]:
        if self.is_online:
            return 0, ""
        return 100, "Err:1\nE: Failed to fetch the index files.\nW: ignored"

    def _download(self, command: list[str], folder: Path) -> tuple[int, str]:
        packages = command[command.index("download") + 1 :]
        own_lists = any(word.startswith("Dir::State::lists=") for word in command)
        if not (self.has_lists or own_lists):
            return 100, "E: Can't find a source to download version '2.42' of 'prometheus:amd64'"
        if "promtool" in packages and not self.promtool_apart:
            return 100, "E: Unable to locate package promtool"
        if "--print-uris" in command:  # apt-get 2.6 of Debian 12 prints a line for each
            lines = (f"'http://mirror/{name}.deb' {name}_1_amd64.deb 15000000 SHA256:00" for name in packages)
            return 0, "\n".join(lines)
        for package in packages:
            (folder / f"{package}_1_amd64.deb").write_text(package)
        return 0, ""

    def _x(self, command: list[str], _: Path) -> tuple[int, str]:
        package, target = Path(command[2]).read_text(), Path(command[3]) / "usr" / "bin"
        target.mkdir(parents=True, exist_ok=True)
        for name in _PROGRAMS[package]:
            if not (name == "promtool" and package == "prometheus" and self.promtool_apart):
                (target / name).write_bytes(name.encode() + b" " + _TEMPLATES)
        return 0, ""


def fetcher(cache: Path, debian: FakeDebian, reported: RecordedEvents) -> Fetcher:
    return Fetcher(cache, reported, debian.run, which=lambda name: f"/usr/bin/{name}")


def programs(cache: Path) -> set[str]:
    return {path.name for path in (cache / "usr" / "bin").iterdir()}


ALL = {"prometheus", "promtool", "prometheus-alertmanager", "amtool"}


@pytest.mark.parametrize("promtool_apart", [False, True])
def test_all_four_programs_are_fetched_wherever_debian_keeps_them(
    promtool_apart: bool,  # noqa: FBT001 - a parameter of the test
    tmp_path: Path,
    reported: RecordedEvents,
) -> None:
    cache = tmp_path / "cache" / "monitoring"
    fetcher(cache, FakeDebian(promtool_apart=promtool_apart), reported).fetch()

    assert programs(cache) == ALL
    assert [path.name for path in cache.parent.iterdir()] == ["monitoring"], "nothing else is left"
    size = 45 if promtool_apart else 30
    assert reported.messages(EventKind.FETCHING)[0].startswith(f"fetching Prometheus and Alertmanager ({size} MB, once")
    assert reported.messages(EventKind.FETCHING)[-1].endswith("MB on disk)")
    assert "unpacking prometheus-alertmanager" in reported.messages(EventKind.WAITING)


def test_nothing_is_ever_installed(tmp_path: Path, reported: RecordedEvents) -> None:
    debian = FakeDebian(has_lists=False)
    fetcher(tmp_path / "monitoring", debian, reported).fetch()

    assert not any("install" in command for command in debian.commands)
    assert {command[0] for command in debian.commands} == {"apt-get", "dpkg"}


def test_a_machine_without_package_lists_gets_private_ones(tmp_path: Path, reported: RecordedEvents) -> None:
    debian = FakeDebian(has_lists=False)
    cache = tmp_path / "monitoring"
    fetcher(cache, debian, reported).fetch()

    assert programs(cache) == ALL
    update = next(command for command in debian.commands if "update" in command)
    assert any(word.startswith(f"Dir::State::lists={tmp_path}") for word in update)
    assert any(word.startswith(f"Dir::Cache={tmp_path}") for word in update)


def test_without_a_network_the_reason_and_the_other_ways_are_reported_and_nothing_is_left(
    tmp_path: Path, reported: RecordedEvents
) -> None:
    cache = tmp_path / "monitoring"
    with pytest.raises(BinaryNotFound) as failure:
        fetcher(cache, FakeDebian(has_lists=False, is_online=False), reported).fetch()

    assert "Failed to fetch the index files" in failure.value.fault
    assert "docker" in failure.value.remedy
    assert not list(tmp_path.iterdir())


def test_a_failed_fetch_leaves_the_earlier_programs_alone(tmp_path: Path, reported: RecordedEvents) -> None:
    cache = tmp_path / "monitoring"
    fetcher(cache, FakeDebian(), reported).fetch()
    with pytest.raises(BinaryNotFound):
        fetcher(cache, FakeDebian(has_lists=False, is_online=False), reported).fetch()

    assert programs(cache) == ALL


def test_of_two_runs_that_fetch_at_once_both_find_the_programs(tmp_path: Path, reported: RecordedEvents) -> None:
    cache = tmp_path / "monitoring"

    class SlowDebian(FakeDebian):
        """The other run is done while this one downloads; a stage later it is in the way."""

        def _x(self, command: list[str], folder: Path) -> tuple[int, str]:
            result = super()._x(command, folder)
            if Path(command[2]).read_text() == "prometheus-alertmanager":
                fetcher(cache, FakeDebian(), reported).fetch()
            return result

    fetcher(cache, SlowDebian(), reported).fetch()

    assert programs(cache) == ALL


def test_a_broken_cache_is_replaced(tmp_path: Path, reported: RecordedEvents) -> None:
    cache = tmp_path / "monitoring"
    (cache / "usr").mkdir(parents=True)
    (cache / "usr" / "half").write_text("")
    fetcher(cache, FakeDebian(), reported).fetch()

    assert programs(cache) == ALL
    assert not (cache / "usr" / "half").exists()


def test_a_system_without_apt_get_names_the_other_ways(tmp_path: Path, reported: RecordedEvents) -> None:
    missing = Fetcher(tmp_path / "monitoring", reported, FakeDebian().run, which=lambda _: None)
    with pytest.raises(BinaryNotFound, match="neither is apt-get"):
        missing.fetch()


def test_a_cache_that_cannot_be_written_is_named(reported: RecordedEvents) -> None:
    with pytest.raises(BinaryNotFound, match="cache /proc/cache/monitoring: cannot be kept there"):
        fetcher(Path("/proc/cache/monitoring"), FakeDebian(), reported).fetch()


def test_the_fetched_alertmanager_looks_for_its_templates_next_to_itself(
    tmp_path: Path, reported: RecordedEvents
) -> None:
    cache = tmp_path / "monitoring"
    fetcher(cache, FakeDebian(), reported).fetch()

    content = (cache / "usr" / "bin" / "prometheus-alertmanager").read_bytes()
    assert _TEMPLATES not in content
    assert b" .////share/prometheus/alertmanager" in content, "as long as before, so that the program stays valid"


def test_an_alertmanager_that_carries_its_templates_is_left_as_it_is(tmp_path: Path) -> None:
    program = tmp_path / "prometheus-alertmanager"
    program.write_bytes(b"upstream")

    assert not free_of_fixed_templates(program)
    assert not free_of_fixed_templates(tmp_path / "missing")
    assert program.read_bytes() == b"upstream"


def test_what_a_command_says_is_heard_and_leaves_no_file(tmp_path: Path, reported: RecordedEvents) -> None:
    run = run_with_progress(reported)

    assert run(["sh", "-c", "echo heard; echo too >&2; exit 7"], tmp_path) == (7, "heard\ntoo\n")
    assert not list(tmp_path.iterdir())


def test_a_mirror_that_cannot_be_reached_is_named_at_once_and_by_its_reason(
    tmp_path: Path, reported: RecordedEvents
) -> None:
    class NoMirror(FakeDebian):
        def _download(self, command: list[str], folder: Path) -> tuple[int, str]:
            if "--print-uris" in command:
                return super()._download(command, folder)
            # apt-get 2.6 of Debian 12 behind a proxy that is not there
            refused = "E: Failed to fetch http://mirror/a.deb  Could not connect to 127.0.0.1:9 - connect (111)"
            return 100, f"{refused}\nE: Some files failed to download"

    debian = NoMirror()
    with pytest.raises(BinaryNotFound, match=r"Could not connect to 127\.0\.0\.1:9"):
        fetcher(tmp_path / "monitoring", debian, reported).fetch()
    assert not any("update" in command for command in debian.commands)


def test_lists_that_are_older_than_the_mirror_are_fetched_again(tmp_path: Path, reported: RecordedEvents) -> None:
    class OldLists(FakeDebian):
        def _download(self, command: list[str], folder: Path) -> tuple[int, str]:
            if "--print-uris" in command or any(word.startswith("Dir::State::lists=") for word in command):
                return super()._download(command, folder)
            return 100, "E: Failed to fetch http://mirror/a.deb  404  Not Found [IP: 127.0.0.1 80]"

    fetcher(tmp_path / "monitoring", OldLists(), reported).fetch()
    assert programs(tmp_path / "monitoring") == ALL
