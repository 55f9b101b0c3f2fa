from pathlib import Path

import pytest

from edgeinfer.settings import StackSettings
from edgeinfer.stack import plan
from edgeinfer.stack.binaries import Binary, Program
from edgeinfer.stack.folder import DataFolder
from edgeinfer.stack.plan import ProcessSpec, Stage
from tests.fakes.kernel import write_kernel

FOLDER = DataFolder(Path("/data"))
PROMETHEUS = Binary(Program.PROMETHEUS, Path("/opt/usr/bin/prometheus"), "2.42.0")
ALERTMANAGER = Binary(Program.ALERTMANAGER, Path("/opt/usr/bin/prometheus-alertmanager"), "0.25.0")


def settings(**given: object) -> StackSettings:
    return StackSettings.from_environment({}, **given)


def option(child: ProcessSpec, name: str) -> str:
    return child.argv[child.argv.index(name) + 1]


def test_several_sidecars_take_consecutive_ports_and_the_gateway_knows_them_all() -> None:
    chosen = settings(sidecars=3, sidecar_port=9500)

    assert [(one.name, one.port) for one in plan.sidecars(chosen)] == [
        ("sidecar-1", 9500),
        ("sidecar-2", 9501),
        ("sidecar-3", 9502),
    ]
    assert option(plan.gateway(chosen, FOLDER), "--backend-url") == (
        "http://127.0.0.1:9500/infer,http://127.0.0.1:9501/infer,http://127.0.0.1:9502/infer"
    )


def test_without_own_sidecars_the_gateway_asks_those_of_the_setting() -> None:
    chosen = StackSettings.from_environment({"MODEL_BACKEND_URL": "http://pi:9000/infer"}, sidecars=0)

    assert plan.sidecars(chosen) == []
    assert option(plan.gateway(chosen, FOLDER), "--backend-url") == "http://pi:9000/infer"


def test_several_sidecars_do_not_share_one_unix_socket() -> None:
    assert plan.sidecars(settings(sidecars=2))[0].environment["EDGEINFER_SIDECAR_SOCKET"] == ""
    assert "EDGEINFER_SIDECAR_SOCKET" not in plan.sidecars(settings(sidecars=1))[0].environment


def test_each_sidecar_has_a_port_of_grpc_where_that_is_switched_on() -> None:
    chosen = plan.sidecars(StackSettings.from_environment({"EDGEINFER_SIDECAR_GRPC_PORT": "9101"}, sidecars=2))
    assert [one.environment["EDGEINFER_SIDECAR_GRPC_PORT"] for one in chosen] == ["9101", "9102"]
    assert [one.ports for one in chosen] == [(9000, 9101), (9001, 9102)]
    (off,) = plan.sidecars(settings())
    assert (off.environment["EDGEINFER_SIDECAR_GRPC_PORT"], off.ports) == ("", (9000,))


@pytest.mark.parametrize("backend", ["onnx", "stub", "hailort"])
def test_the_chosen_backend_reaches_the_sidecar(backend: str) -> None:
    (sidecar,) = plan.sidecars(settings(backend=backend))
    assert sidecar.environment["EDGEINFER_SIDECAR_BACKEND"] == backend


def test_prometheus_and_alertmanager_listen_on_loopback_only() -> None:
    chosen = settings(prometheus_port=19090, alertmanager_port=19093)
    prometheus = plan.prometheus(chosen, PROMETHEUS, FOLDER)
    alertmanager = plan.alertmanager(chosen, ALERTMANAGER, FOLDER)

    assert "--web.listen-address=127.0.0.1:19090" in prometheus.argv
    assert "--web.listen-address=127.0.0.1:19093" in alertmanager.argv
    assert "--cluster.listen-address=" in alertmanager.argv, "otherwise it listens for gossip on every address"


def test_prometheus_keeps_measurements_in_the_data_folder_for_so_long() -> None:
    argv = plan.prometheus(settings(), PROMETHEUS, FOLDER).argv

    assert argv[0] == "/opt/usr/bin/prometheus"
    assert {
        "--config.file=/data/configuration/prometheus.yml",
        "--storage.tsdb.path=/data/prometheus",
        "--storage.tsdb.retention.time=30d",
        "--storage.tsdb.retention.size=2GB",
        "--enable-feature=exemplar-storage",
    } <= set(argv)
    assert not any("lock" in word for word in argv), "Debian's build does not know upstream's flag"


def test_a_fetched_alertmanager_starts_where_its_templates_are() -> None:
    assert plan.alertmanager(settings(), ALERTMANAGER, FOLDER).folder == Path("/opt/usr")


def test_a_gateway_on_every_address_is_reported_by_its_loopback_address() -> None:
    open_to_all = {"EDGEINFER_GATEWAY_HOST": "::", "EDGEINFER_GATEWAY_ALLOW_NO_KEYS": "true"}
    gateway = plan.gateway(StackSettings.from_environment(open_to_all), FOLDER)

    assert option(gateway, "--host") == "::"
    assert gateway.ready_url == "http://127.0.0.1:8080/healthz"


def test_each_job_is_scraped_where_its_processes_listen() -> None:
    chosen = settings(sidecars=2)
    services = [*plan.sidecars(chosen), plan.gateway(chosen, FOLDER), plan.console(chosen), plan.exporter(chosen)]

    assert plan.scrape_targets(services, chosen) == {
        "hailo-inference": ["127.0.0.1:9000", "127.0.0.1:9001"],
        "edge-infer": ["127.0.0.1:8080"],
        "hailo-exporter": ["127.0.0.1:9048"],
        "prometheus": ["127.0.0.1:9090"],
        "alertmanager": ["127.0.0.1:9093"],
    }


def test_monitoring_starts_after_the_services_and_so_ends_before_them() -> None:
    chosen = settings()
    order = [
        plan.sidecars(chosen)[0].stage,
        plan.gateway(chosen, FOLDER).stage,
        plan.prometheus(chosen, PROMETHEUS, FOLDER).stage,
        plan.replay("http://127.0.0.1:8080", "").stage,
    ]
    assert order == sorted(order)
    assert len(set(order)) == len(order)


def test_the_replay_goes_to_our_gateway_with_the_chosen_recording() -> None:
    gateway = plan.gateway(settings(gateway_port=18080), FOLDER)
    replay = plan.replay(gateway.address, "walking-upper-leg")
    assert option(replay, "--gateway") == "http://127.0.0.1:18080"
    assert option(replay, "--recording") == "walking-upper-leg"
    assert "--recording" not in plan.replay(gateway.address, "").argv


def test_a_process_without_a_port_is_ready_when_it_runs() -> None:
    assert ProcessSpec(name="replay", argv=("x",), stage=Stage.REPLAY, ready_path="/healthz").ready_url == ""


@pytest.mark.parametrize("moved", [False, True])
def test_a_chip_is_found_by_its_bus_or_by_the_node_of_either_driver(tmp_path: Path, *, moved: bool) -> None:
    assert plan.has_chip(tmp_path) is False
    assert plan.has_chip(write_kernel(tmp_path, driver_5_3=moved))
    for device in (tmp_path / "sys/bus/pci/devices").iterdir():
        (device / "vendor").unlink()  # a container that shares the node alone
    assert plan.has_chip(tmp_path)
