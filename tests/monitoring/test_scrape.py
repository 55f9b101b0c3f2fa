import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgeinfer.catalog.metric import Owner
from edgeinfer.monitoring import files
from edgeinfer.monitoring.prometheus_metrics import all_built_in
from edgeinfer.monitoring.scrape import prometheus_configuration
from edgeinfer.monitoring.scrape_targets import SYSTEMD
from edgeinfer.settings import EXPORTER_PORT

# What Prometheus 2.42 refuses by its strict reading.
ONLY_ON_3 = (
    "scrape_protocols", "fallback_scrape_protocol", "metric_name_validation_scheme", "scrape_native_histograms",
    "scrape_config_files", "protobuf_message", "retention",
)  # fmt: skip


def _configuration() -> str:
    return prometheus_configuration(
        targets={"edge-infer": ["127.0.0.1:8080"], "hailo-exporter": [], "prometheus": ["127.0.0.1:9090"]},
        alertmanagers=["127.0.0.1:9093"],
        rule_files=[str(files.rules_folder() / "*.yml")],
    )


def test_prometheus_accepts_the_configuration_with_all_rules(promtool: Path, tmp_path: Path) -> None:
    path = tmp_path / "prometheus.yml"
    path.write_text(_configuration(), encoding="utf-8")
    done = subprocess.run([promtool, "check", "config", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(files.rule_files())} rule files found" in done.stdout


def test_a_job_without_targets_is_left_out() -> None:
    jobs = [job["job_name"] for job in yaml.safe_load(_configuration())["scrape_configs"]]
    assert jobs == ["edge-infer", "prometheus"]


def test_nothing_is_written_that_only_a_newer_prometheus_reads() -> None:
    assert not [word for word in ONLY_ON_3 if word in _configuration()]


def test_a_label_gone_wild_cannot_fill_the_disk() -> None:
    jobs = {job["job_name"]: job for job in yaml.safe_load(_configuration())["scrape_configs"]}
    assert jobs["edge-infer"]["sample_limit"] == 5000
    assert jobs["prometheus"]["metric_relabel_configs"][0]["action"] == "keep"


def test_without_alertmanagers_there_is_no_empty_section() -> None:
    text = prometheus_configuration(targets={"edge-infer": ["x:1"]}, alertmanagers=[], rule_files=[])
    assert "alerting" not in yaml.safe_load(text)


@pytest.mark.parametrize(("interval", "timeout"), [(5, "4s"), (1, "1s"), (15, "14s")])
def test_a_scrape_ends_before_the_next_begins(interval: int, timeout: str) -> None:
    text = prometheus_configuration(
        targets={"edge-infer": ["x:1"]}, alertmanagers=[], rule_files=[], scrape_interval_seconds=interval
    )
    assert yaml.safe_load(text)["global"]["scrape_timeout"] == timeout


def test_the_compose_configuration_is_valid_too(promtool: Path) -> None:
    path = Path("deploy/monitoring/prometheus.yml")
    done = subprocess.run(
        [promtool, "check", "config", "--syntax-only", path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_service_of_ours_takes_a_port_that_the_list_of_exporters_gives_away() -> None:
    # https://github.com/prometheus/prometheus/wiki/Default-port-allocations: 9100 to 9999 are all taken, and the list
    # continues from 10000; 9100 is node exporter's, which Debian's prometheus brings along.
    given_away = range(9100, 10_100)
    ours = [int(target.rpartition(":")[2]) for job in Owner for target in SYSTEMD[job]]
    assert len(ours) == 3
    assert [port for port in ours if port in given_away] == []


def test_the_exporter_has_one_port_wherever_it_is_named() -> None:
    [present] = yaml.safe_load(Path("deploy/monitoring/targets/present/hailo-exporter.yml").read_text("utf-8"))
    assert present["targets"] == [f"hailo-exporter:{EXPORTER_PORT}"]
    assert SYSTEMD[Owner.EXPORTER] == [f"127.0.0.1:{EXPORTER_PORT}"]
    services = yaml.safe_load(Path("deploy/docker-compose.yml").read_text("utf-8"))["services"]
    assert services["hailo-exporter"]["healthcheck"]["test"] == ["CMD", "healthy", f"{EXPORTER_PORT}"]
    assert f"localhost:{EXPORTER_PORT}/metrics" in Path("docs/guides/raspberry-pi.md").read_text("utf-8")


@pytest.mark.parametrize("job", ["prometheus", "alertmanager"])
def test_what_our_rules_and_dashboards_read_of_the_servers_is_kept(job: str) -> None:
    [keep] = prometheus_jobs()[job]["metric_relabel_configs"]
    read = [series.name for series in all_built_in() if series.name.startswith(f"{job}_")]
    assert len(read) >= 5
    # Prometheus anchors the expression at both ends.
    assert [name for name in read if not re.fullmatch(keep["regex"], name)] == []


def test_what_nobody_reads_of_the_servers_is_dropped() -> None:
    [keep] = prometheus_jobs()["prometheus"]["metric_relabel_configs"]
    for name in ("go_goroutines", "prometheus_http_requests_total", "prometheus_tsdb_wal_fsync_duration_seconds"):
        assert not re.fullmatch(keep["regex"], name)


def prometheus_jobs() -> dict[str, dict[str, Any]]:
    text = prometheus_configuration(
        targets={"prometheus": ["x:1"], "alertmanager": ["x:2"]}, alertmanagers=[], rule_files=[]
    )
    return {job["job_name"]: job for job in yaml.safe_load(text)["scrape_configs"]}
