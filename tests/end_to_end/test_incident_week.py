"""A week with twelve incidents in a real Prometheus: their causes, and their costs added up against the counters."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeinfer.settings import StackSettings
from edgeinfer.stack.binaries import Program, cache_folder, find_all, require
from edgeinfer.stack.ports import PortPool
from tests.end_to_end.running_stack import until
from tools.incident_week import FAULTS, WEEK, Totals, openmetrics

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(600)]

NAMES = ("analyses", "failed", "by_fallback", "failed_calls", "refused_uploads")


def binary(program: Program) -> Path:
    return require(find_all(cache_folder(StackSettings.from_environment({}).cache_home.expanduser())), program).path


class Week:
    """A Prometheus that holds the week, and scrapes nothing."""

    def __init__(self, folder: Path) -> None:
        self.begin = int(time.time()) - WEEK - 3600
        self.totals = Totals()
        with (folder / "week.om").open("w", encoding="utf-8") as out:
            out.writelines(f"{line}\n" for line in openmetrics(self.begin, self.totals))
        make: list[str | Path] = [binary(Program.PROMTOOL), "tsdb", "create-blocks-from", "openmetrics"]
        make += ["--max-block-duration=168h", "--quiet", folder / "week.om", folder / "data"]
        subprocess.run(make, check=True, capture_output=True)
        (folder / "prometheus.yml").write_text("global: {scrape_interval: 15s}\n")
        [port] = PortPool().take(1)
        self.url = f"http://127.0.0.1:{port}"
        self._process = subprocess.Popen(
            [
                binary(Program.PROMETHEUS),
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                "--storage.tsdb.retention.time=60d",
                # A backfilled series has no mark where it ends, and would be seen for five minutes more.
                "--query.lookback-delta=30s",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert until(self._is_ready, 60), "Prometheus did not become ready"

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as answer:  # noqa: S310 - always http
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "edgeinfer", *words, "--prometheus", self.url]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(30)


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Week]:
    opened = Week(tmp_path_factory.mktemp("week"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def listed(week: Week) -> list[dict[str, Any]]:
    done = week.run("incidents", "--days", "8", "--json")
    assert done.returncode == 0, done.stderr
    incidents: list[dict[str, Any]] = json.loads(done.stdout)["incidents"]
    return list(reversed(incidents))


def test_each_incident_has_its_true_cause_its_start_and_its_end(week: Week, listed: list[dict[str, Any]]) -> None:
    assert [one["causes"][0] for one in listed] == [fault.cause for fault in FAULTS]
    for one, fault in zip(listed, FAULTS, strict=True):
        began, ended = week.begin + fault.at, week.begin + fault.at + fault.seconds
        assert began - 60 <= one["start"] <= began, fault
        assert ended - 60 <= one["end"] <= ended + 90, fault
        assert set(one["alerts"]) == set(fault.alerts)


def test_the_costs_add_up_to_what_the_counters_counted_to_the_request(week: Week, listed: list[dict[str, Any]]) -> None:
    added = {name: sum(one["cost"][name] for one in listed) for name in NAMES}
    assert {name: added[name] for name in NAMES[1:]} == {name: getattr(week.totals, name) for name in NAMES[1:]}
    assert 0 < added["analyses"] < week.totals.analyses


def test_a_deploy_shows_at_the_incident_that_followed_it_and_at_no_other(listed: list[dict[str, Any]]) -> None:
    near = [(place, change["what"], change["to"]) for place, one in enumerate(listed) for change in one["changes"]]
    assert near == [(1, "deploy of the sidecar", "1.5.0")]


def test_the_week_as_text_can_be_mailed(week: Week) -> None:
    done = week.run("incidents", "--days", "8")
    assert done.stdout.count("The sidecar does not run") == 3
    summary = week.run("incidents", "--week").stdout
    assert "incidents that lasted" in summary
    assert f"{week.totals.refused_uploads} uploads of samples were refused" in summary


def test_the_past_is_diagnosed_as_it_was(week: Week) -> None:
    fault = FAULTS[2]
    during = week.run("diagnose", "--at", str(week.begin + fault.at + 120), "--json")
    document = json.loads(during.stdout)
    assert during.returncode == 1
    assert [one["name"] for one in document["findings"]] == [fault.cause]
    before = week.run("diagnose", "--at", str(week.begin + fault.at - 600))
    assert before.returncode == 0, before.stdout
    assert before.stdout.startswith("Nothing is wrong.")
