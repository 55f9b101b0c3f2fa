"""Settings are refused where they would open a port to a network without requiring a key."""

import subprocess
import sys
from itertools import product

import pytest

from edgeinfer.errors import SettingsError
from edgeinfer.settings import (
    ConsoleSettings,
    ExporterSettings,
    GatewaySettings,
    ProcessSettings,
    SidecarSettings,
    StackSettings,
    all_settings,
    is_loopback,
    known_variables,
)

OF_THE_MACHINE = ("127.0.0.1", "127.8.0.1", "::1", "::ffff:127.0.0.1", "localhost", "LOCALHOST")
OF_THE_NETWORK = ("0.0.0.0", "::", "192.168.1.7", "fe80::1", "::ffff:192.168.1.7", "pi.local", "localhost.example")  # noqa: S104
# Class, variable of the address, and what lets the network in.
DOORS: tuple[tuple[type[ProcessSettings], str, dict[str, str]], ...] = (
    (GatewaySettings, "EDGEINFER_GATEWAY_HOST", {"EDGEINFER_GATEWAY_API_KEYS_FILE": "/etc/edgeinfer/api-keys"}),
    (GatewaySettings, "EDGEINFER_GATEWAY_HOST", {"EDGEINFER_GATEWAY_ALLOW_NO_KEYS": "true"}),
    (SidecarSettings, "EDGEINFER_SIDECAR_HOST", {"EDGEINFER_SIDECAR_ALLOW_NETWORK": "true"}),
    (ExporterSettings, "EDGEINFER_EXPORTER_HOST", {"EDGEINFER_EXPORTER_ALLOW_NETWORK": "true"}),
    (ConsoleSettings, "EDGEINFER_CONSOLE_HOST", {"EDGEINFER_CONSOLE_ALLOW_NETWORK": "true"}),
    (StackSettings, "EDGEINFER_GATEWAY_HOST", {"EDGEINFER_GATEWAY_API_KEYS_FILE": "/etc/edgeinfer/api-keys"}),
    (StackSettings, "EDGEINFER_GATEWAY_HOST", {"EDGEINFER_GATEWAY_ALLOW_NO_KEYS": "true"}),
    (StackSettings, "EDGEINFER_CONSOLE_HOST", {"EDGEINFER_CONSOLE_ALLOW_NETWORK": "true"}),
)
each_door = pytest.mark.parametrize(("process", "variable", "permission"), DOORS)


@pytest.mark.parametrize("host", OF_THE_MACHINE)
def test_an_address_of_the_machine_is_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", [*OF_THE_NETWORK, ""])
def test_every_other_address_and_name_is_of_the_network(host: str) -> None:
    assert not is_loopback(host)


@each_door
@pytest.mark.parametrize("host", OF_THE_NETWORK)
def test_an_address_of_the_network_needs_a_permission(
    process: type[ProcessSettings], variable: str, permission: dict[str, str], host: str
) -> None:
    [allowed_by] = permission
    with pytest.raises(SettingsError) as refused:
        process.from_environment({variable: host})
    assert refused.value.thing == f"setting {variable}"
    assert host in refused.value.fault
    assert allowed_by in refused.value.remedy
    process.from_environment({variable: host} | permission)


@each_door
def test_an_address_of_the_machine_needs_none(
    process: type[ProcessSettings], variable: str, permission: dict[str, str]
) -> None:
    del permission
    for host in OF_THE_MACHINE:
        process.from_environment({variable: host})


def test_every_process_that_listens_is_a_door_here() -> None:
    """A new service cannot skip the rule: every process with a setting for an address is listed above."""
    addresses = {
        (process, variable)
        for process, variable in product(all_settings(), known_variables())
        if variable in process.variables().values() and variable.endswith("_HOST")
    }
    assert addresses == {(process, variable) for process, variable, _ in DOORS}


@pytest.mark.parametrize(
    ("process", "variable", "permission"),
    [
        (GatewaySettings, "EDGEINFER_GATEWAY_PUBLISHED_ON", "EDGEINFER_GATEWAY_ALLOW_NO_KEYS"),
        (ConsoleSettings, "EDGEINFER_CONSOLE_PUBLISHED_ON", "EDGEINFER_CONSOLE_ALLOW_NETWORK"),
    ],
)
def test_in_a_container_the_published_address_counts(
    process: type[ProcessSettings], variable: str, permission: str
) -> None:
    inside = {variable.replace("PUBLISHED_ON", "HOST"): "0.0.0.0"}  # noqa: S104
    process.from_environment(inside | {variable: "127.0.0.1"})
    with pytest.raises(SettingsError, match=variable):
        process.from_environment(inside | {variable: "192.168.1.7"})
    process.from_environment(inside | {variable: "192.168.1.7", permission: "true"})


@pytest.mark.parametrize("words", [["gateway"], ["sidecar"], ["exporter"], ["console"]], ids=lambda words: words[0])
def test_a_service_ends_with_78_and_the_remedy_before_it_listens(words: list[str]) -> None:
    command = [sys.executable, "-m", "edgeinfer", *words, "--host", "0.0.0.0", "--port", "1"]  # noqa: S104
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 78
    # Port 1 is privileged or taken: had it been tried, the message would name it.
    assert f"error: setting EDGEINFER_{words[0].upper()}_HOST: '0.0.0.0' is a network address" in done.stderr
    assert "hint: " in done.stderr
    assert "=true serves anyone who can reach this address." in done.stderr
