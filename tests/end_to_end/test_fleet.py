"""A fleet for real: what arrives, what survives an outage, who is missed, and who is confused with another."""

import http.client
import os
import re
import ssl
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from edgeinfer.monitoring.fleet.sending import Certificates
from edgeinfer.stack.ports import PortPool
from tests.end_to_end.fleet_rig import Fleet, eventually, program

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(
        None in {program(name) for name in ("vmalert", "nginx", "openssl")},
        reason="no victoria-metrics, nginx or openssl here; tools/setup_fleet.sh fetches them",
    ),
]

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A device with a full Prometheus, one with an agent, one that will die, twice two of one name, and the centre."""
    running = Fleet(tmp_path_factory.mktemp("fleet"))
    try:
        running.start_device("full")
        running.start_device("agent", agent=True)
        running.start_device("mortal")
        running.start_device("original", called="clone")
        running.start_device("copy", called="clone")
        running.start_device("first", called="twin", agent=True)
        running.start_device("second", called="twin", agent=True)
        for device in ("full", "agent", "mortal", "clone", "twin"):
            assert eventually(partial(running.ask, f'fleet:inference_requests:rate1m{{device="{device}"}}')), device
        yield running
    finally:
        running.close()


def test_both_kinds_of_device_arrive_as_the_same_series_and_percentiles_are_made_from_buckets(fleet: Fleet) -> None:
    both = "histogram_quantile(0.95, sum by (le) (fleet:inference_duration_seconds_bucket:rate1m))"
    assert eventually(lambda: fleet.ask(both))
    assert 0.05 < float(fleet.ask(both)[0]["value"][1]) <= 0.1
    assert {one["metric"]["device"] for one in fleet.ask("fleet:version:info")} >= {"full", "agent"}


def test_what_the_centre_computes_is_as_fresh_as_what_arrives(fleet: Fleet) -> None:
    series = 'fleet:up:min{device="agent", job="edge-infer"}'
    assert eventually(lambda: time.time() - max(fleet.times(series, time.time() - 120), default=0) < 8)


def test_the_keep_list_holds(fleet: Fleet) -> None:
    names = {one["metric"]["__name__"] for one in fleet.ask('count by (__name__) ({device="full"})')}
    assert names
    assert all(name.startswith(("fleet:", "ALERTS")) for name in names), names
    assert len(fleet.ask('{__name__=~"fleet:.+", device="full"}')) <= 20
    assert fleet.ask("chatter") == []


def test_an_outage_of_the_centre_leaves_no_gap(fleet: Fleet) -> None:
    since = time.time()
    time.sleep(2)
    fleet.stop("centre")
    time.sleep(6)
    fleet.start_centre()
    until_now = time.time()
    for series in ('fleet:up:min{device="full", job="edge-infer"}', 'up{device="agent", job="edge-infer"}'):
        assert eventually(partial(_has_later, fleet, series, until_now))
        times = fleet.times(series, since)
        assert max(later - earlier for earlier, later in pairwise(times)) < 2.5, times


def _has_later(fleet: Fleet, series: str, moment: float) -> bool:
    return any(sample > moment for sample in fleet.times(series, moment))


def test_a_dead_device_is_missed_and_a_living_one_is_not(fleet: Fleet) -> None:
    fleet.stop("mortal")
    assert eventually(lambda: "mortal" in fleet.firing("FleetDeviceSilent"))
    assert "full" not in fleet.firing("FleetDeviceSilent")


def test_two_devices_of_one_name_are_reported(fleet: Fleet) -> None:
    assert eventually(lambda: fleet.firing("FleetDeviceNameTwice") >= {"clone", "twin"})
    assert not fleet.firing("FleetDeviceNameTwice") & {"full", "agent"}


def test_the_proxy_takes_devices_with_a_certificate_of_ours_and_nobody_else(fleet: Fleet, tmp_path: Path) -> None:
    tls = certificates(tmp_path / "tls", "localhost", "pi-7", "pi-8")
    (tls / "refused.conf").write_text('"CN=pi-8" 1;\n')
    port = PortPool().take(1)[0]
    fleet.start_proxy(proxy_configuration(tmp_path, port, fleet.centre))
    taken, refused = (
        Certificates(authority=f"{tls}/ca.crt", certificate=f"{tls}/{name}.crt", key=f"{tls}/{name}.key")
        for name in ("pi-7", "pi-8")
    )
    fleet.start_device("sealed", centre=f"https://localhost:{port}", certificates=taken)
    assert eventually(lambda: fleet.ask('fleet:up:min{device="sealed"}'))
    assert knock(port, taken, "/api/v1/query") == 404  # devices write, and read nothing
    assert knock(port, refused) == 403
    assert knock(port, None) == 400


def certificates(folder: Path, *names: str) -> Path:
    """Those that the guide makes, by its own commands; the centre is called localhost here."""
    guide = (ROOT / "docs" / "guides" / "fleet.md").read_text(encoding="utf-8")
    block = next(block for block in re.findall(r"```bash\n(.*?)```", guide, re.DOTALL) if "issue()" in block)
    commands = re.sub(r"^issue .*\n", "", block, flags=re.MULTILINE) + "\n".join(f"issue {name}" for name in names)
    folder.mkdir()
    path = os.pathsep.join((os.environ["PATH"], str(Path(str(program("openssl"))).parent)))
    subprocess.run(["bash", "-ec", commands], cwd=folder, check=True, capture_output=True, env={"PATH": path})
    return folder


def proxy_configuration(folder: Path, port: int, centre: str) -> Path:
    """The shipped file, moved to our ports and folders."""
    text = (ROOT / "deploy" / "fleet" / "nginx.conf").read_text(encoding="utf-8")
    for shipped, here in {
        "listen 8443": f"listen 127.0.0.1:{port}",
        "http://127.0.0.1:8428": centre,
        "/etc/edgeinfer/tls/centre": f"{folder}/tls/localhost",
        "/etc/edgeinfer/tls": f"{folder}/tls",
        "pid /run/": f"pid {folder}/",
        "user www-data;\n": "",
        "http {\n": "http {\n"
        + "".join(
            f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        ),
    }.items():
        assert shipped in text
        text = text.replace(shipped, here)
    file = folder / "nginx.conf"
    file.write_text(text, encoding="utf-8")
    return file


def knock(port: int, own: Certificates | None, path: str = "/api/v1/write") -> int:
    """The status of an empty write with this certificate, or without one."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if own:
        context.load_cert_chain(own.certificate, own.key)
    connection = http.client.HTTPSConnection("localhost", port, timeout=10, context=context)
    try:
        connection.request("POST", path)
        return connection.getresponse().status
    finally:
        connection.close()
