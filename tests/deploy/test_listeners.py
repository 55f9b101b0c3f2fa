"""Every listener of every program, unit, compose file and guide, and who can reach it: what the threat model says."""

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgeinfer.errors import SettingsError
from edgeinfer.settings import (
    ConsoleSettings,
    ExporterSettings,
    GatewaySettings,
    ProcessSettings,
    SidecarSettings,
    StackSettings,
    is_loopback,
    known_variables,
)
from edgeinfer.stack import plan
from edgeinfer.stack.binaries import Binary, Program
from edgeinfer.stack.folder import DataFolder
from tests.docs.pages import pages

ROOT = Path(__file__).parents[2]
SYSTEMD = ROOT / "deploy/systemd"
COMPOSE = ("docker-compose.yml", "docker-compose.monitoring.yml", "docker-compose.fleet.yml")
THREAT_MODEL = ROOT / "docs/concepts/threat-model.md"
EVERYWHERE, LOOPBACK, CONTAINERS, PUBLISHED, NOWHERE = (
    "every address", "loopback", "containers", "published on loopback", "-",
)  # fmt: skip
SERVICES: dict[str, type[ProcessSettings]] = {
    "gateway": GatewaySettings,
    "sidecar": SidecarSettings,
    "exporter": ExporterSettings,
    "console": ConsoleSettings,
}
# Of compose, by the words of the table.
NAMES = {
    "edge-infer": "gateway",
    "hailo-inference": "sidecar",
    "hailo-inference-device": "sidecar",
    "hailo-exporter": "exporter",
}


def reach(address: str) -> str:
    return LOOPBACK if is_loopback(address) else EVERYWHERE


def table() -> dict[str, list[str]]:
    """Listener to where it listens as program, under systemd and in compose, as the threat model says."""
    lines = THREAT_MODEL.read_text(encoding="utf-8").splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("| listener |"))
    rows = {}
    for line in lines[begin + 2 :]:
        if not line.startswith("|"):
            break
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        rows[name] = cells
    return rows


def programs() -> dict[str, set[str]]:
    """What each service takes without a setting, and what `edgeinfer up` starts."""
    found = {name: {reach(str(vars(process.from_environment({}))["host"]))} for name, process in SERVICES.items()}
    settings, folder = StackSettings.from_environment({}), DataFolder(Path("/data"))
    plans = [
        *plan.sidecars(settings),
        plan.gateway(settings, folder),
        plan.console(settings),
        plan.exporter(settings),
        plan.prometheus(settings, Binary(Program.PROMETHEUS, Path("/x/prometheus"), "2"), folder),
        plan.alertmanager(settings, Binary(Program.ALERTMANAGER, Path("/x/alertmanager"), "0"), folder),
    ]
    for one in plans:
        found.setdefault(one.name.removesuffix("-1"), set()).update(reach(address) for address in addresses(one.argv))
    return found


def addresses(words: Any) -> Iterator[str]:
    """Every address that a command line listens on."""
    text = " ".join(words)
    yield from re.findall(r"--host[ =](\S+)", text)
    for name in ("web", "cluster"):
        flags = re.findall(rf"--{name}\.listen-address=(\S*)", text)
        yield from (flag.rpartition(":")[0] or "0.0.0.0" for flag in flags if flag)  # noqa: S104
        if not flags and ("alertmanager" in text or (name == "web" and "prometheus" in text)):
            yield "0.0.0.0"  # noqa: S104 - what both programs do by themselves


def units() -> dict[str, set[str]]:
    """What the units give each service, with their example files."""
    found: dict[str, set[str]] = {}
    for unit in SYSTEMD.glob("*.service"):
        name = unit.stem.removeprefix("edgeinfer-")
        example = SYSTEMD / f"{name}.env"
        text = unit.read_text() + (example.read_text() if example.exists() else "")
        given = {key: value for key, value in assignments(text) if key in known_variables()}
        words = re.findall(r"(?m)^ExecStart=(.*)$", unit.read_text())
        own = vars(SERVICES[name].from_environment(given))["host"]
        found[name] = {reach(address) for address in [str(own), *addresses(words)]}
    for drop_in in SYSTEMD.glob("*.service.d/*.conf"):
        command = drop_in.read_text().replace("\\\n", " ").split("\nExecStart=")[-1].split("\n")[0]
        found[drop_in.parent.name.split(".")[0].removeprefix("prometheus-")] = set(map(reach, addresses([command])))
    return found


def assignments(text: str) -> list[tuple[str, str]]:
    """NAME=value that are in force: not those behind a #."""
    lines = (line.removeprefix("Environment=") for line in text.splitlines() if not line.startswith("#"))
    return [pair for line in lines for pair in re.findall(r"\b([A-Z_]+)=(\S+)", line)]


def containers() -> dict[str, set[str]]:
    """Who reaches each container, with every setting as it comes."""
    found: dict[str, set[str]] = {}
    for file in COMPOSE:
        for name, spec in yaml.safe_load((ROOT / "deploy" / file).read_text())["services"].items():
            published = {
                reach(by_default(port).rpartition(":")[0].rpartition(":")[0]) for port in spec.get("ports", [])
            }
            by_whom = {PUBLISHED if one == LOOPBACK else one for one in published} or {CONTAINERS}
            assert spec.get("network_mode") is None, f"{file}: {name} leaves its network"
            found.setdefault(NAMES.get(name, name), set()).update(by_whom)
    # What is published is reached by the containers too; a service of two files is as open as it is in either.
    return {name: by_whom - {CONTAINERS} or by_whom for name, by_whom in found.items()}


def by_default(text: str) -> str:
    return re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", text)


def proxies() -> dict[str, set[str]]:
    """What the shipped nginx files open; those that are added by hand, and ask for something."""
    found = {}
    for name, file in {
        "nginx in front of the gateway": "proxy/gateway.conf",
        "nginx of a fleet's centre": "fleet/nginx.conf",
    }.items():
        listens = re.findall(r"(?m)^\s*listen (\S+) ssl;", (ROOT / "deploy" / file).read_text())
        found[name] = {EVERYWHERE if one.isdigit() else reach(one) for one in listens}
    return found


def test_the_threat_model_names_every_listener_and_who_can_reach_it() -> None:
    real = [programs(), units() | proxies(), containers()]
    names = set(chain(*real))
    found = {
        name: ["; ".join(sorted(kind.get(name, {NOWHERE}))) for kind in real]
        for name in names
    }  # fmt: skip
    assert {name: cells[:3] for name, cells in table().items()} == found


def test_what_asks_for_nothing_is_closed_to_the_network_or_has_a_setting_that_opens_it() -> None:
    for name, (program, systemd, compose, asks, setting) in table().items():
        if asks == "nothing":
            assert {program, systemd, compose} <= {LOOPBACK, CONTAINERS, PUBLISHED, NOWHERE}, name
        for variable in re.findall(r"EDGEINFER_\w+", setting):
            assert variable in known_variables(), name


# --- Guides and files that say how to open something

OPENS = re.compile(
    r"\b(EDGEINFER_(?:GATEWAY|SIDECAR|EXPORTER|CONSOLE)_HOST|GATEWAY_BIND_ADDRESS|BIND_ADDRESS)=([^\s`'\"]+)"
)
COMPOSE_NAMES = {
    "GATEWAY_BIND_ADDRESS": "EDGEINFER_GATEWAY_PUBLISHED_ON",
    "GATEWAY_API_KEYS_FILE": "EDGEINFER_GATEWAY_API_KEYS_FILE",
    "GATEWAY_ALLOW_NO_KEYS": "EDGEINFER_GATEWAY_ALLOW_NO_KEYS",
    "BIND_ADDRESS": "EDGEINFER_CONSOLE_PUBLISHED_ON",
    "CONSOLE_ALLOW_NETWORK": "EDGEINFER_CONSOLE_ALLOW_NETWORK",
}


def passages() -> list[tuple[str, str]]:
    """Each line of the docs and each file of deploy with commented lines in force: what a reader could copy."""
    found = []
    for page in pages():
        text = page.read_text(encoding="utf-8")
        blocks = re.findall(r"```[a-z]*\n(.*?)```", text, re.DOTALL)
        lines = re.sub(r"```.*?```", "", text, flags=re.DOTALL).splitlines()
        found += [(str(page.relative_to(ROOT)), passage) for passage in (*blocks, *lines)]
    files = [*SYSTEMD.glob("*.env"), ROOT / "deploy/env.example"]
    return found + [(str(file.relative_to(ROOT)), file.read_text().replace("\n#", "\n")) for file in files]


OPENING = [(where, text) for where, text in passages() if any(not is_loopback(host) for _, host in OPENS.findall(text))]


@pytest.mark.parametrize(("where", "text"), OPENING, ids=[where for where, _ in OPENING])
def test_whoever_copies_a_passage_that_opens_a_port_has_keys_or_says_so(where: str, text: str) -> None:
    given = {COMPOSE_NAMES.get(name, name): value for name, value in re.findall(r"\b([A-Z_]+)=([^\s`'\",;]+)", text)}
    settings = {name: value for name, value in given.items() if name in known_variables()}
    for process in SERVICES.values():
        try:
            process.from_environment(settings)
        except SettingsError as refused:
            pytest.fail(f"{where} opens a port that is refused: {refused}")


def test_there_are_passages_that_open_a_port() -> None:
    assert {where for where, _ in OPENING} >= {
        "docs/guides/docker.md", "docs/guides/run-the-stack.md", "deploy/systemd/gateway.env",
    }  # fmt: skip


# --- What is installed

INSTALL = re.compile(r"pip install ([^\n`]*)")
# How a message looks is said, not an installation.
ELLIPSIS = "--python ..."
# Of the training environment alone, which nothing that serves ever sees.
TRAINING = "torch=="


def test_every_install_is_of_packages_whose_hash_is_known_or_of_our_own_alone() -> None:
    texts = [*pages(), ROOT / "deploy/Dockerfile", ROOT / "Makefile", *(ROOT / "deploy").glob("*.sh")]
    found = [(path.name, words) for path in texts for words in INSTALL.findall(path.read_text(encoding="utf-8"))]
    assert len(found) >= 8
    loose = [
        (name, words)
        for name, words in found
        if "--require-hashes" not in words and "--no-deps" not in words and not words.startswith((TRAINING, ELLIPSIS))
    ]
    assert loose == []


def test_a_guide_installs_from_locks_that_are_there() -> None:
    for page in pages():
        for lock in re.findall(r'-r "?(?:\$PWD/)?([^\s"]+\.lock)', page.read_text(encoding="utf-8")):
            assert "--hash=sha256:" in (ROOT / lock).read_text(encoding="utf-8"), f"{page.name}: {lock}"
