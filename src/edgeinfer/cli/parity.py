"""`edgeinfer parity`: the same recorded windows through two backends, and how far they agree."""

import json
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import click

from edgeinfer.catalog.backends import backend_names
from edgeinfer.cli.sidecar import make_backend
from edgeinfer.errors import SettingsError
from edgeinfer.model.card import default_folder, load_card
from edgeinfer.parity import Gate, Latency, ParityReport, compare, recorded_windows
from edgeinfer.recordings.reader import list_recordings
from edgeinfer.settings import SidecarSettings, prepare_hailort

# A name with a dash is a backend with a variant of its model.
_BACKENDS = [*backend_names(), "onnx-int8"]
_EXIT_BELOW_GATE = 1
_GATE = Gate()


def create() -> click.Command:
    return parity


@click.command()
@click.option("--reference", type=click.Choice(_BACKENDS), default="onnx", show_default=True, help="What is true.")
@click.option("--candidate", type=click.Choice(_BACKENDS), default="hailort", show_default=True, help="What is tested.")
@click.option("--hef", type=click.Path(path_type=Path), help="Compiled network for the Hailo chip.")
@click.option("--recording", "names", multiple=True, help="Recording to take windows from; all if not given.")
@click.option("--windows", type=click.IntRange(min=1), default=500, show_default=True, help="Most windows to compare.")
@click.option("--hop", type=click.IntRange(min=1), default=50, show_default=True, help="Samples between two windows.")
@click.option("--min-cosine", type=float, default=_GATE.cosine_mean, show_default=True, help="Least mean cosine.")
@click.option("--min-cosine-p1", type=float, default=_GATE.cosine_p1, show_default=True, help="Least cosine, p1.")
@click.option("--min-agreement", type=float, default=_GATE.agreement, show_default=True, help="Least agreement.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def parity(**given: Any) -> None:
    """Compare two backends on recorded windows: cosine of the latents, agreement of the top motif, latency.

    Ends with 1 when the candidate does not reach what is asked for.
    """
    settings = SidecarSettings.from_environment(hef_path=given["hef"])
    prepare_hailort()
    card = load_card(settings.model_folder or default_folder())
    names = given["names"] or [info.name for info in list_recordings()]
    windows = list(islice(recorded_windows(names, length=card.window.length, hop=given["hop"]), given["windows"]))
    if not windows:
        raise SettingsError("option --recording", "gives no whole window", "Choose a longer recording.")
    report = compare(
        make_backend(card, _settings_of(given["reference"], settings)),
        make_backend(card, _settings_of(given["candidate"], settings)),
        windows,
    )
    gate = Gate(given["min_cosine"], given["min_cosine_p1"], given["min_agreement"])
    violations = gate.violations(report)
    _print(report, violations, as_json=given["as_json"])
    sys.exit(_EXIT_BELOW_GATE if violations else 0)


def _settings_of(kind: str, settings: SidecarSettings) -> SidecarSettings:
    backend, _, variant = kind.partition("-")
    return settings.model_copy(
        update={
            "use_real_model": True,
            "backend": backend,
            "model_variant": f"cpu_{variant}" if variant else "cpu",
        }
    )


def _print(report: ParityReport, violations: list[str], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({**report.as_document(), "violations": violations}, indent=1))
        return
    for name, described in (("reference", report.reference), ("candidate", report.candidate)):
        click.echo(f"{name}  {described.device}, {described.runtime}, file {described.model_sha256[:12]}")
    click.echo(f"windows    {report.windows}")
    click.echo(f"cosine     mean {report.cosine_mean:.5f}   p1 {report.cosine_p1:.5f}   min {report.cosine_min:.5f}")
    click.echo(f"motifs     {report.agreement:.2%} agree, scores differ by {report.max_score_difference:.4f} at most")
    for name, latency in (("reference", report.reference_latency), ("candidate", report.candidate_latency)):
        click.echo(f"latency    {_milliseconds(latency)}   {name}")
    for violation in violations:
        click.secho(f"below      {violation}", fg="red")
    if not violations:
        click.secho("the candidate meets the thresholds", fg="green")


def _milliseconds(latency: Latency) -> str:
    times = {"p50": latency.p50, "p95": latency.p95, "p99": latency.p99, "network": latency.execute_p50}
    return "   ".join(f"{name} {seconds * 1000:.3f} ms" for name, seconds in times.items())
