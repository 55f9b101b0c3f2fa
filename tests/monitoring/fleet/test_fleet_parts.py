"""Who a device is, what it sends, and the rules at both ends."""

from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from click.testing import CliRunner

from edgeinfer.catalog.all import all_metrics
from edgeinfer.cli._config_fleet_device import create
from edgeinfer.errors import SettingsError
from edgeinfer.monitoring import scrape_targets
from edgeinfer.monitoring.fleet import rules
from edgeinfer.monitoring.fleet.identity import identity
from edgeinfer.monitoring.fleet.sending import AGENT_KEEPS, PROCESS_START, Certificates, remote_write
from tools.promql_tree import names_in


def machine(root: Path, *, serial: str = "", machine_id: str = "") -> Path:
    for name, text in (("proc/device-tree/serial-number", serial), ("etc/machine-id", machine_id)):
        if text:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
    return root


def test_two_machines_of_one_image_differ_by_their_serial_number(tmp_path: Path) -> None:
    one = machine(tmp_path / "1", serial="10000000a\0", machine_id="same")
    two = machine(tmp_path / "2", serial="10000000b\0", machine_id="same")
    assert identity(root=one).device != identity(root=two).device


def test_the_machine_id_never_leaves_the_machine(tmp_path: Path) -> None:
    found = identity(root=machine(tmp_path, machine_id="0123456789abcdef"))
    assert found.device.startswith("edge-")
    assert "0123456789ab" not in found.device


def test_a_given_name_wins(tmp_path: Path) -> None:
    assert identity("hall", "pi-7", tmp_path).labels == {"site": "hall", "device": "pi-7"}


def test_a_machine_without_a_number_is_asked_for_a_name_and_none_is_invented(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--device NAME"):
        identity(root=tmp_path)


def test_everything_that_a_device_records_is_kept_and_nothing_else() -> None:
    written = remote_write("http://centre/api/v1/write")
    assert written["write_relabel_configs"] == [{"source_labels": ["__name__"], "regex": "fleet:.+", "action": "keep"}]
    recorded = [rule["record"] for rule in rules.device_rules()[0]["rules"]]
    assert all(name.startswith("fleet:") for name in recorded)


def test_an_agent_keeps_only_names_of_the_catalog() -> None:
    known = {metric.name for metric in all_metrics()} | {"up", PROCESS_START}
    assert {name.removesuffix("_bucket") for name in AGENT_KEEPS.split("|")} <= known


def test_an_agent_sends_what_the_centre_reads_of_it_and_nothing_else() -> None:
    read = {name for rule in rules.device_rules()[0]["rules"] for name in names_in(rule["expr"])}
    assert set(AGENT_KEEPS.split("|")) == read - {"ALERTS"}  # an agent has no alerts


def test_the_queue_has_an_end_and_certificates_are_passed_on() -> None:
    written = remote_write("https://x", certificates=Certificates(authority="a", certificate="b", key="c"))
    assert written["queue_config"]["capacity"] == 5000
    assert written["tls_config"] == {"ca_file": "a", "cert_file": "b", "key_file": "c"}


def test_the_centre_makes_the_same_series_of_agents_as_devices_record() -> None:
    centre = yaml.safe_load(rules.centre_file())["groups"][0]["rules"]
    recorded = [rule["record"] for rule in rules.device_rules()[0]["rules"]]
    assert [rule["record"] for rule in centre] == [name for name in recorded if name != rules.ALERTS.name]
    assert all("site, device" in rule["expr"] for rule in centre)


def test_the_centre_looks_back_no_further_than_a_minute_for_an_agent() -> None:
    """A bare selector finds samples of the last five minutes, so a dead agent would seem to live on."""
    for rule in yaml.safe_load(rules.centre_file())["groups"][0]["rules"]:
        assert "[1m])" in rule["expr"]


def test_every_rule_of_a_device_parses() -> None:
    for rule in rules.device_rules()[0]["rules"]:
        promql_parser.parse(rule["expr"])


def test_the_command_prints_what_prometheus_reads_and_an_agent_has_no_rules() -> None:
    words = ["--url", "https://centre/api/v1/write", "--device", "pi-7"]
    full = yaml.safe_load(CliRunner().invoke(create(), words).output)
    agent = yaml.safe_load(CliRunner().invoke(create(), [*words, "--agent"]).output)
    assert full["global"]["external_labels"] == {"site": "default", "device": "pi-7"}
    assert any(path.endswith("fleet/device.yml") for path in full["rule_files"])
    assert "rule_files" not in agent
    assert "alerting" not in agent
    assert jobs(full) == set(scrape_targets.SYSTEMD)
    assert jobs(agent) == set(scrape_targets.SYSTEMD) - {"alertmanager"}  # it has none


def test_a_device_in_compose_scrapes_all_that_it_scraped_before() -> None:
    words = ["--url", "https://centre/api/v1/write", "--device", "pi-7", "--compose"]
    alone = yaml.safe_load(Path("deploy/monitoring/prometheus.yml").read_text(encoding="utf-8"))
    assert jobs(yaml.safe_load(CliRunner().invoke(create(), words).output)) == jobs(alone)


def jobs(configuration: dict[str, Any]) -> set[str]:
    return {job["job_name"] for job in configuration["scrape_configs"]}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--url", "centre:8443"], "https://centre:8443/api/v1/write"),
        (["--url", "https://centre/api/v1/write", "--agent", "--compose"], "Leave out one of the two"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_remedy(words: list[str], says: str) -> None:
    result = CliRunner().invoke(create(), words)
    assert isinstance(result.exception, SettingsError)
    assert says in str(result.exception)
