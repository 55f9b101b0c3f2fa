"""`edgeinfer doctor`: what is here, what is missing, and how to get it."""

import asyncio
import platform
import shutil
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edgeinfer.cli._folder_inspectors import FOLDER_INSPECTORS
from edgeinfer.cli._running_stack import find_running_stack
from edgeinfer.diagnosis.services import Services, look_at_services
from edgeinfer.diagnostics import Diagnostic, Verdict
from edgeinfer.errors import BinaryNotFound, DataFolderError, ModelFileError, SettingsError
from edgeinfer.gateway.http_client import HttpTransport
from edgeinfer.gateway.sidecar_trial import SidecarTrial
from edgeinfer.gateway.transport import parse_target
from edgeinfer.hailort.diagnose import Machine, diagnose
from edgeinfer.model.card import ModelCard, default_folder, load_card
from edgeinfer.recordings.reader import list_recordings, load_recording
from edgeinfer.settings import SidecarSettings, StackSettings, prepare_hailort
from edgeinfer.stack import plan
from edgeinfer.stack.binaries import Program, cache_folder, find_all
from edgeinfer.stack.diagnosis import look_at_binaries, look_at_folder, look_at_ports
from edgeinfer.stack.events import Event
from edgeinfer.stack.fetch import find_or_fetch
from edgeinfer.stack.folder import root_of

_STYLES = {Verdict.OK: "green", Verdict.NOTE: "cyan", Verdict.MISSING: "bold red", Verdict.BROKEN: "bold red"}
_BAD = (Verdict.MISSING, Verdict.BROKEN)
# Whose report needs the stack that runs: with its ports and its folder.
_OF_STACK = (None, "ports", "folder")
_NO_SERVICES = Services(None)
_Look = Callable[[StackSettings], list[Diagnostic]]


def create() -> click.Command:
    @click.command("doctor")
    @click.option("--only", type=click.Choice(sorted(_LOOKS)), help="Look at one subject.")
    @click.option(
        "--data-folder", type=click.Path(path_type=Path, file_okay=False), help="Where measurements are kept."
    )
    @click.option(
        "--model",
        "model_folder",
        type=click.Path(path_type=Path, file_okay=False),
        help="Try the model in this folder on the recordings, and look at nothing else.",
    )
    @click.option("--write-card", is_flag=True, help="With --model: write a card from its ONNX file to begin with.")
    @click.option("--fetch", is_flag=True, help="Fetch Prometheus, Alertmanager and their tools if they are not here.")
    @click.option("--sidecar", "sidecar_url", help="Try the contract against a server, and nothing else.")
    @click.option("--json", "as_json", is_flag=True, help="Print the diagnostics as JSON.")
    def doctor(  # noqa: PLR0913 - the options of the command
        *,
        only: str | None,
        data_folder: Path | None,
        model_folder: Path | None,
        write_card: bool,
        fetch: bool,
        sidecar_url: str | None,
        as_json: bool,
    ) -> None:
        """Report what this machine has of what EdgeInfer needs, and how to get the rest.

        Exit codes: 0 everything needed is here, 1 something needed is missing or broken.
        """
        if write_card and model_folder is None:
            raise click.UsageError("--write-card needs --model FOLDER.")
        if model_folder is not None:
            _finish(_try_model(model_folder, writes_card=write_card), as_json=as_json)
        settings = StackSettings.from_environment(None, data_folder=data_folder)
        if sidecar_url is not None:
            _finish(asyncio.run(_try_sidecar(sidecar_url)), as_json=as_json)
        failed = _fetch(settings) if fetch else []
        of_stack, settings, services = _find_stack(settings) if only in _OF_STACK else ([], settings, _NO_SERVICES)
        looks = _LOOKS | {"ports": partial(_ports, services=services)}
        subjects = [only] if only else list(looks)
        diagnostics = failed + of_stack
        diagnostics += [diagnostic for subject in subjects for diagnostic in looks[subject](settings)]
        _finish(diagnostics, as_json=as_json)

    return doctor


def _finish(diagnostics: list[Diagnostic], *, as_json: bool) -> NoReturn:
    _print(diagnostics, as_json=as_json)
    sys.exit(any(diagnostic.verdict in _BAD for diagnostic in diagnostics))


async def _try_sidecar(url: str) -> list[Diagnostic]:
    card = load_card(SidecarSettings.from_environment().model_folder or default_folder())
    try:
        target = parse_target(url)
    except ValueError as failure:
        raise SettingsError("option --sidecar", str(failure), "Give it as MODEL_BACKEND_URL is given.") from failure
    transport = HttpTransport(target, connections=4)
    try:
        return await SidecarTrial(target, transport, card).run()
    finally:
        await transport.close()


def _find_stack(settings: StackSettings) -> tuple[list[Diagnostic], StackSettings, Services]:
    """Which stack runs, the settings with its folder and ports, and what answers where no record names it."""
    try:
        stack = find_running_stack(settings)
    except DataFolderError as failure:
        return [Diagnostic("stack", Verdict.NOTE, failure.fault, failure.remedy)], settings, _NO_SERVICES
    if stack is None:
        services = look_at_services(settings, _root(settings))
        return services.diagnostics(), settings.model_copy(update=services.ports), services
    gateway = stack.addresses.get("gateway", "no gateway")
    message = f"runs on {stack.root} (process {stack.pid}): {gateway}"
    return [Diagnostic("stack", Verdict.OK, message)], stack.settings(settings), _NO_SERVICES


def _try_model(folder: Path, *, writes_card: bool) -> list[Diagnostic]:
    # ONNX Runtime takes a third of a second that no other subject needs.
    from edgeinfer.cli._model_trial import try_model  # noqa: PLC0415

    return try_model(folder, writes_card=writes_card)


def _fetch(settings: StackSettings) -> list[Diagnostic]:
    def report(event: Event) -> None:
        click.echo(event.message, err=True)

    try:
        find_or_fetch(cache_folder(settings.cache_home), report, tuple(Program))
    except BinaryNotFound as failure:
        return [Diagnostic("fetch", Verdict.BROKEN, f"{failure.thing}: {failure.fault}", failure.remedy)]
    return []


def _python(_: StackSettings) -> list[Diagnostic]:
    return [
        Diagnostic("python", Verdict.OK, f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        Diagnostic("edgeinfer", Verdict.OK, version("edgeinfer")),
    ]


def _model(_: StackSettings) -> list[Diagnostic]:
    folder = SidecarSettings.from_environment().model_folder or default_folder()
    try:
        card = load_card(folder)
        sizes = [f"{variant} {len(file.read()) / 1e3:.0f} kB" for variant, file in card.files.items()]
    except ModelFileError as failure:
        return [Diagnostic("model", Verdict.BROKEN, f"{failure.thing} {failure.fault}", failure.remedy)]
    message = f"{card.name} {card.version} in {folder}; hashes match: {', '.join(sizes)}"
    return [Diagnostic("model", Verdict.OK, message)]


def _recordings(_: StackSettings) -> list[Diagnostic]:
    try:
        listed = list_recordings()
        seconds = sum(len(load_recording(one.name).samples) / one.rate_hz for one in listed)
    except ModelFileError as failure:
        return [Diagnostic("recordings", Verdict.BROKEN, f"{failure.thing} {failure.fault}", failure.remedy)]
    return [Diagnostic("recordings", Verdict.OK, f"{len(listed)} to replay, {seconds / 60:.0f} minutes; hashes match")]


def _binaries(settings: StackSettings) -> list[Diagnostic]:
    can_fetch = shutil.which("apt-get") is not None and shutil.which("dpkg") is not None
    return look_at_binaries(find_all(cache_folder(settings.cache_home)), can_fetch=can_fetch)


def _ports(settings: StackSettings, services: Services = _NO_SERVICES) -> list[Diagnostic]:
    sidecars = [("sidecar", plan.LOOPBACK, port) for port in plan.sidecar_ports(settings)]
    sidecars += [("gRPC of the sidecar", plan.LOOPBACK, port) for port in plan.grpc_ports(settings) if port]
    wanted = [
        ("gateway", settings.gateway_host, settings.gateway_port),
        *sidecars,
        ("console", settings.console_host, settings.console_port),
        ("prometheus", plan.LOOPBACK, settings.prometheus_port),
        ("alertmanager", plan.LOOPBACK, settings.alertmanager_port),
    ]
    if plan.has_chip() or settings.exporter_port in services.listeners:
        wanted.append(("exporter", plan.LOOPBACK, settings.exporter_port))
    return look_at_ports(wanted, _root(settings), services.listeners)


def _folder(settings: StackSettings) -> list[Diagnostic]:
    root = _root(settings).expanduser().absolute()
    inspected = [diagnostic for inspect in FOLDER_INSPECTORS for diagnostic in inspect(root)] if root.is_dir() else []
    return look_at_folder(root) + inspected


def _hailo(_: StackSettings) -> list[Diagnostic]:
    settings = SidecarSettings.from_environment()
    prepare_hailort()
    machine = Machine(numpy_version=version("numpy"))
    wanted, card = settings.backend == "hailort", _card_for_hef(settings)
    of_card = card.files["hef"].path if card is not None and wanted and "hef" in card.files else None
    hef_path, layout = settings.hef_path or of_card, settings.hef_layout
    return diagnose(hef_path=hef_path, card=card, layout=layout, machine=machine, wanted=wanted)


def _card_for_hef(settings: SidecarSettings) -> ModelCard | None:
    try:
        return load_card(settings.model_folder or default_folder())
    except ModelFileError:  # what is wrong with the card stands under "model"
        return None


def _root(settings: StackSettings) -> Path:
    return root_of(settings.data_folder, settings.data_home)


_LOOKS: dict[str, _Look] = {
    "python": _python,
    "model": _model,
    "recordings": _recordings,
    "prometheus": _binaries,
    "ports": _ports,
    "folder": _folder,
    "hailo": _hailo,
}


def _print(diagnostics: list[Diagnostic], *, as_json: bool) -> None:
    if as_json:
        document = [
            {"subject": one.subject, "verdict": one.verdict, "message": one.message, "remedy": one.remedy}
            for one in diagnostics
        ]
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
        return
    console = Console(highlight=False)
    if not console.is_terminal:  # lines that a log or grep can use, whatever their length
        for one in diagnostics:
            click.echo(f"{one.verdict:8} {one.subject}: {one.message}" + (f" -> {one.remedy}" if one.remedy else ""))
        return
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for one in diagnostics:
        table.add_row(Text(one.verdict, style=_STYLES[one.verdict]), one.subject, _as_backend_error(one))
    console.print(table)


def _as_backend_error(diagnostic: Diagnostic) -> Text:
    text = Text(diagnostic.message)
    if diagnostic.remedy:
        text.append(f"\n{diagnostic.remedy}", style="dim")
    return text
