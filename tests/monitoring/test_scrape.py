import subprocess
from pathlib import Path

import pytest
import yaml

from edgeinfer.monitoring import files
from edgeinfer.monitoring.scrape import prometheus_configuration

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
