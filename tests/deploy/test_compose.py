"""What can be checked of image, compose files and Grafana's provisioning without a docker engine."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgeinfer.monitoring.fleet.rules import INTERVAL_SECONDS
from edgeinfer.monitoring.scrape import SCRAPE_INTERVAL_SECONDS
from edgeinfer.stack import lock, state_file
from edgeinfer.stack.folder import DataFolder
from edgeinfer.stack.ports import PortPool

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = ("docker-compose.yml", "docker-compose.monitoring.yml", "docker-compose.fleet.yml")


def document(path: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((DEPLOY / path).read_text(encoding="utf-8"))
    return read


SERVICES = [(file, name, spec) for file in COMPOSE for name, spec in document(file)["services"].items()]
each_service = pytest.mark.parametrize(
    ("file", "name", "spec"), SERVICES, ids=[f"{file}:{name}" for file, name, _ in SERVICES]
)


@each_service
def test_a_service_has_no_right_that_it_does_not_need(file: str, name: str, spec: dict[str, Any]) -> None:
    assert spec["read_only"] is True
    assert spec["cap_drop"] == ["ALL"]
    assert spec["security_opt"] == ["no-new-privileges:true"]
    assert not spec.get("privileged")
    assert spec["mem_limit"]
    assert spec["cpus"]
    assert spec["pids_limit"]
    assert spec["logging"]["options"] == {"max-size": "10m", "max-file": "3"}


@each_service
def test_every_port_is_on_loopback_unless_a_setting_says_otherwise(file: str, name: str, spec: dict[str, Any]) -> None:
    settings = {"edge-infer": "GATEWAY_BIND_ADDRESS", "console": "BIND_ADDRESS", "grafana": "BIND_ADDRESS"}
    address = f"${{{settings[name]}:-127.0.0.1}}:" if name in settings else "127.0.0.1:"
    for port in spec.get("ports", []):
        assert port.startswith(address)
    if name.startswith("hailo-inference"):
        assert "ports" not in spec


@each_service
def test_every_image_is_pinned_and_a_setting_can_add_its_digest(file: str, name: str, spec: dict[str, Any]) -> None:
    found = re.fullmatch(r"\$\{[A-Z_]+_IMAGE:-[\w./-]+:([\w.-]+)\}", spec["image"])
    assert found
    assert found[1] != "latest"


@each_service
def test_health_is_asked_without_curl(file: str, name: str, spec: dict[str, Any]) -> None:
    assert "curl" not in str(spec.get("healthcheck", ""))


def test_the_example_of_settings_names_each_with_its_default() -> None:
    by_the_targets = {"HAILORT_VERSION", "CHIP_EXPORTER", "SIDECAR_BACKEND"}
    without_default = {"GRAFANA_ADMIN_PASSWORD", "HEF_PATH"}
    used = "".join((DEPLOY / file).read_text(encoding="utf-8") for file in COMPOSE)
    defaults = dict(re.findall(r"\$\{([A-Z_]+):[-?]([^}]*)\}", used))
    lines = (DEPLOY / "env.example").read_text(encoding="utf-8")
    example = {name: value.removesuffix("@sha256:...") for name, value in re.findall(r"(?m)^#([A-Z_]+)=(.*)$", lines)}
    assert example.keys() == defaults.keys() - by_the_targets
    reported = {name: value for name, value in example.items() if name not in without_default}
    # Without keys the gateway asks for none; the example shows where they could lie.
    keys = ("GATEWAY_API_KEYS_FILE", "CONSOLE_API_KEY_FILE")
    assert reported == {name: defaults[name] for name in reported} | {name: reported[name] for name in keys}


def test_both_sidecars_answer_to_the_name_that_the_gateway_asks() -> None:
    services = document("docker-compose.yml")["services"]
    assert services["edge-infer"]["environment"]["MODEL_BACKEND_URL"].endswith("http://hailo-inference:9000/infer}")
    assert services["hailo-inference-device"]["networks"]["default"]["aliases"] == ["hailo-inference"]
    assert services["hailo-inference"]["profiles"] == ["hailo-stub"]
    assert services["hailo-inference-device"]["profiles"] == ["hailo-device"]


def test_alertmanager_speaks_to_the_console_that_is_in_compose() -> None:
    receivers = document("monitoring/alertmanager.yml")["receivers"]
    assert {hook["url"] for one in receivers for hook in one["webhook_configs"]} == {"http://console:8088/hooks/alerts"}
    assert "console" in document("docker-compose.monitoring.yml")["services"]


@pytest.mark.parametrize(
    ("file", "seconds"),
    [
        ("monitoring/grafana/datasources/prometheus.yml", SCRAPE_INTERVAL_SECONDS),
        ("fleet/grafana/datasources/fleet.yml", INTERVAL_SECONDS),
    ],
)
def test_grafana_knows_the_interval_of_what_it_asks(file: str, seconds: int) -> None:
    source = document(file)["datasources"][0]
    assert source["uid"] == "prometheus"
    assert source["editable"] is False
    assert source["jsonData"]["timeInterval"] == f"{seconds}s"


@pytest.mark.parametrize("folder", ["monitoring", "fleet"])
def test_dashboards_are_where_grafana_looks(folder: str) -> None:
    compose = document("docker-compose.monitoring.yml" if folder == "monitoring" else "docker-compose.fleet.yml")
    provider = document(f"{folder}/grafana/dashboards/grafana-dashboards.yml")["providers"][0]
    mounts = dict(reversed(mount.split(":")[:2]) for mount in compose["services"]["grafana"]["volumes"])
    dashboards = (DEPLOY / mounts[provider["options"]["path"]]).resolve()
    assert list(dashboards.glob("*dashboard*.json"))
    assert provider["allowUiUpdates"] is False
    assert "foldersFromFilesStructure" not in provider["options"]


@pytest.mark.parametrize("file", ["docker-compose.monitoring.yml", "docker-compose.fleet.yml"])
def test_grafana_asks_for_a_password_and_lets_nobody_in_without_one(file: str) -> None:
    environment = document(file)["services"]["grafana"]["environment"]
    assert environment["GF_SECURITY_ADMIN_PASSWORD"].startswith("${GRAFANA_ADMIN_PASSWORD:?")
    assert environment["GF_AUTH_ANONYMOUS_ENABLED"] == "${GRAFANA_ANONYMOUS_VIEWER:-false}"


def test_the_image_runs_as_nobody_special_and_needs_no_frontend() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert "# syntax=" not in text
    assert "curl" not in text
    for stage in ("device", "service"):
        body = text.split(f" AS {stage}\n")[1].split("\nFROM ")[0]
        assert "\nUSER 10001:10001\n" in body


def test_every_extra_can_be_built_into_the_image_and_none_is_by_default() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    extras = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert '\nARG EXTRAS=""\n' in text
    for extra in extras["optional-dependencies"]:
        assert f"requirements-{extra}.lock" in text
        assert (DEPLOY.parent / f"requirements-{extra}.lock").exists()
    builds = [
        service["build"] for file in COMPOSE for service in document(file)["services"].values() if "build" in service
    ]
    assert {build["args"]["EXTRAS"] for build in builds} == {"${IMAGE_EXTRAS:-}"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"TARGET": "hailo-device"}, "there is no such device"),
        ({"TARGET": "hailo-stub"}, "runs the native stack"),
        ({"TARGET": "monitoring-up"}, "runs the native stack"),
        ({"TARGET": "monitoring-down"}, "one native run, and it ends whole"),
        ({"TARGET": "image"}, "docker: no engine answers"),
    ],
)
def test_without_a_docker_engine_a_target_says_what_it_does(words: dict[str, str], says: str, tmp_path: Path) -> None:
    assert says in stack(words["TARGET"], tmp_path)


def stack(target: str, folder: Path, edgeinfer: str = "/bin/true", **settings: str) -> str:
    """What a target says where no docker engine answers."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "DOCKER_HOST": f"unix://{folder}/none.sock",
        "EDGEINFER": edgeinfer,
        "SYSTEM_ROOT": str(folder),
        "DATA": str(folder),
    }
    result = subprocess.run(
        [DEPLOY / "stack.sh", target], env=environment | settings, capture_output=True, text=True, check=False
    )
    return result.stdout + result.stderr


def test_the_native_stack_gets_the_settings_of_compose_under_its_own_names(tmp_path: Path) -> None:
    reporter = tmp_path / "reporter"
    reporter.write_text('#!/bin/sh\necho "$@"\nenv\n')
    reporter.chmod(0o755)
    settings = {"GATEWAY_PORT": "18080", "BIND_ADDRESS": "0.0.0.0", "EDGEINFER_IMAGE": "edgeinfer:0.2.0"}  # noqa: S104
    settings |= {"CONSOLE_ALLOW_NETWORK": "true", "GATEWAY_ALLOW_NO_KEYS": "false"}
    reported = stack("hailo-stub", tmp_path, str(reporter), **settings).splitlines()
    assert f"up --background --data-folder {tmp_path} --backend stub" in reported
    assert {"EDGEINFER_GATEWAY_PORT=18080", "EDGEINFER_CONSOLE_HOST=0.0.0.0"} <= set(reported)
    # What opens a port in compose opens it here too, and what does not is refused by `up` as by the containers.
    assert {"EDGEINFER_CONSOLE_ALLOW_NETWORK=true", "EDGEINFER_GATEWAY_ALLOW_NO_KEYS=false"} <= set(reported)
    assert not [line for line in reported if line.startswith("EDGEINFER_IMAGE")]  # no setting of the native stack


@pytest.fixture
def chip_machine(tmp_path: Path) -> Path:
    """A copy of deploy, a machine with a chip and its driver, and a docker that only notes its arguments."""
    shutil.copytree(DEPLOY, tmp_path / "deploy", ignore=shutil.ignore_patterns(".env", "*.deb"))
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "hailo0").touch()
    (tmp_path / "sys" / "module" / "hailo_pci").mkdir(parents=True)
    (tmp_path / "sys" / "module" / "hailo_pci" / "version").write_text("4.23.0\n")
    (tmp_path / "network.hef").touch()
    (tmp_path / "bin").mkdir()
    docker = tmp_path / "bin" / "docker"
    noted = "$HAILORT_VERSION $HAILO_DEVICE $*"
    docker.write_text(f'#!/bin/sh\n[ "$1" != compose ] || echo "{noted}" >> {tmp_path}/reported\n')
    docker.chmod(0o755)
    return tmp_path


def on_the_chip(machine: Path, *versions: str) -> tuple[int, str]:
    """`hailo-device` where packages of these versions lie; its code, and what it printed and passed to docker."""
    for version in versions:
        control = machine / "deb" / "DEBIAN" / "control"
        control.parent.mkdir(parents=True, exist_ok=True)
        control.write_text(f"Package: hailort\nVersion: {version}\nArchitecture: all\nMaintainer: x\nDescription: x\n")
        file = machine / "deploy" / "hailo-packages" / f"hailort_{version}.deb"
        subprocess.run(["dpkg-deb", "--build", str(machine / "deb"), str(file)], check=True, capture_output=True)
    environment = {
        "PATH": f"{machine}/bin:/usr/bin:/bin",
        "SYSTEM_ROOT": str(machine),
        "HEF_PATH": str(machine / "network.hef"),
        "GATEWAY_PORT": str(PortPool().take(1)[0]),
    }
    command = [str(machine / "deploy" / "stack.sh"), "hailo-device"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    reported = machine / "reported"
    return done.returncode, done.stdout + done.stderr + (reported.read_text() if reported.exists() else "")


def test_a_chip_is_served_with_the_packages_of_its_driver(chip_machine: Path) -> None:
    code, said = on_the_chip(chip_machine, "4.23.0-1")
    assert code == 0, said
    assert "4.23.0 /dev/hailo0 compose -f docker-compose.yml --profile hailo-device up --detach --wait" in said


def test_the_node_of_driver_5_3_is_found_by_the_kernels_name_for_it(chip_machine: Path) -> None:
    (chip_machine / "dev/hailo0").rename(chip_machine / "dev/h1x-0")
    (chip_machine / "sys/class/hailo1x/h1x-0").mkdir(parents=True)
    shutil.rmtree(chip_machine / "sys/module/hailo_pci")
    (chip_machine / "sys/module/hailo1x_pci").mkdir()
    (chip_machine / "sys/module/hailo1x_pci/version").write_text("5.3.0\n")
    code, said = on_the_chip(chip_machine, "5.3.0")
    assert code == 0, said
    assert "5.3.0 /dev/h1x-0 compose" in said


def test_a_node_keeps_its_name_in_the_container() -> None:
    devices = [device for _, _, spec in SERVICES for device in spec.get("devices", [])]
    assert devices == ["${HAILO_DEVICE:-/dev/hailo0}:${HAILO_DEVICE:-/dev/hailo0}"] * 2


def test_packages_of_another_version_than_the_driver_are_refused(chip_machine: Path) -> None:
    code, said = on_the_chip(chip_machine, "4.20.0")
    assert code == 78
    assert "it is HailoRT 4.20.0 and the driver of this machine is 4.23.0" in said
    assert "compose -f" not in said


def test_a_driver_that_is_not_loaded_and_missing_packages_are_reported(chip_machine: Path) -> None:
    assert "no HailoRT package lies there" in on_the_chip(chip_machine)[1]
    (chip_machine / "sys" / "module" / "hailo_pci" / "version").unlink()
    assert "the Hailo driver: not loaded" in on_the_chip(chip_machine)[1]


def test_watchers_that_run_already_are_named_in_place_of_a_second_run(tmp_path: Path) -> None:
    state_file.write(
        DataFolder(tmp_path).record,
        state_file.StackRecord(1, {"console": "http://127.0.0.1:8088", "gateway": "http://x"}, ()),
    )
    with lock.hold(DataFolder(tmp_path).lock):
        reported = stack("monitoring-up", tmp_path, "/bin/false")
    assert "runs already" in reported
    assert "console http://127.0.0.1:8088" in reported


@pytest.mark.parametrize("file", [file for file, name, _ in SERVICES if name == "grafana"])
def test_grafana_starts_one_data_source_and_says_why_others_are_off(file: str) -> None:
    environment = document(file)["services"]["grafana"]["environment"]
    disabled = environment["GF_PLUGINS_DISABLE_PLUGINS"].split(",")
    assert environment["GF_PLUGINS_PREINSTALL_DISABLED"] == "true"
    assert len(disabled) >= 17
    assert "prometheus" not in disabled
    lines = (DEPLOY / file).read_text(encoding="utf-8").splitlines()
    unusual = [at for at, line in enumerate(lines) if "GF_PLUGINS_" in line]
    assert len(unusual) == 2
    assert [lines[at] for at in unusual if not lines[at - 1].lstrip().startswith("#")] == []


def test_rules_of_the_fleet_look_as_far_back_as_its_queries_hide() -> None:
    services = document("docker-compose.fleet.yml")["services"]
    hidden = [word for word in services["victoria-metrics"]["command"] if word.startswith("-search.latencyOffset=")]
    delay = [word for word in services["vmalert"]["command"] if word.startswith("-rule.evalDelay=")]
    assert [word.partition("=")[2] for word in hidden] == [word.partition("=")[2] for word in delay] == ["5s"]
