"""`edgeinfer drift`: what is normal at this site, shown, learned and forgotten."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console
from rich.table import Table

from edgeinfer.errors import DataFolderError, SettingsError
from edgeinfer.gateway.drift import Drift, RecentAnswers, learn, measure, population_shares
from edgeinfer.gateway.drift_files import DriftFiles, drift_files_of
from edgeinfer.installation import shipped_file
from edgeinfer.model.card import ModelCard, default_folder, load_card
from edgeinfer.monitoring.thresholds import DRIFT_WINDOW_WINDOWS
from edgeinfer.settings import GatewaySettings

_MOVED_DIMENSIONS = 8


def create() -> click.Command:
    @click.group("drift")
    def drift() -> None:
        """Show drift, and take the answers of now for what is normal at this site."""

    drift.add_command(_show())
    drift.add_command(_learn())
    drift.add_command(_forget())
    return drift


def _data_folder(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--data-folder",
        type=click.Path(path_type=Path, file_okay=False),
        help="The gateway's data folder (EDGEINFER_GATEWAY_DATA_FOLDER).",
    )(command)


def _show() -> click.Command:
    @click.command("show")
    @_data_folder
    @click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
    def show(data_folder: Path | None, *, as_json: bool) -> None:
        """Print both baselines, and what has moved from them."""
        card, files = _open(data_folder)
        document = _describe(card, files)
        if as_json:
            click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
        else:
            _print(document)

    return show


def _learn() -> click.Command:
    @click.command("learn")
    @_data_folder
    @click.option(
        "--min-answers",
        type=click.IntRange(1),
        default=DRIFT_WINDOW_WINDOWS,
        show_default=True,
        help="Refuse to learn from fewer answers.",
    )
    def learn_now(data_folder: Path | None, min_answers: int) -> None:
        """Take the answers of the drift window for what is normal; a running gateway follows within seconds."""
        card, files = _open(data_folder)
        recent = _stored_window(files)
        answers = recent.total.answers
        if answers < min_answers:
            fault = f"it holds {answers} answers, and {min_answers} are needed"
            raise DataFolderError(str(files.window), fault, "Wait for more, or lower --min-answers.")
        baseline = learn(recent, time.time())
        files.write_baseline(baseline)
        hours = recent.part_seconds * baseline.parts / 3600
        click.echo(f"Learned what is normal for {card.name}: {answers} answers of {hours:.1f} hours, {files.baseline}")

    return learn_now


def _forget() -> click.Command:
    @click.command("forget")
    @_data_folder
    def forget(data_folder: Path | None) -> None:
        """Forget what was learned; drift alerts have nothing to judge by until the next learning."""
        _card, files = _open(data_folder)
        done = files.remove_baseline()
        click.echo("Forgot the site's baseline." if done else "There was no baseline of this site.", err=True)

    return forget


def _open(data_folder: Path | None) -> tuple[ModelCard, DriftFiles]:
    settings = GatewaySettings.from_environment(data_folder=data_folder, allow_no_keys=True)
    card = load_card(settings.model_folder or default_folder())
    if settings.data_folder is None:
        fault, remedy = "it is not set", "Give --data-folder: the one that the gateway keeps sessions in."
        raise SettingsError("setting EDGEINFER_GATEWAY_DATA_FOLDER", fault, remedy)
    files = drift_files_of(settings.data_folder, card)
    if files is None:
        fault = "its card has no baseline, so drift has no bins"
        remedy = f"See {shipped_file('docs/guides/bring-your-own-model.md')}."
        raise SettingsError(f"model {card.name}", fault, remedy)
    return card, files


def _stored_window(files: DriftFiles) -> RecentAnswers:
    recent = files.read_window()
    if recent is None:
        fault = "no window of this model is stored there"
        remedy = "Name the folder of a gateway that has answered; it stores the window six times an hour."
        raise DataFolderError(str(files.window), fault, remedy)
    recent.drop_old(time.time())
    return recent


def _describe(card: ModelCard, files: DriftFiles) -> dict[str, Any]:
    recent = _stored_window(files)
    site, total = files.read_baseline(), recent.total
    population_answers = card.baseline.windows if card.baseline else 0
    document: dict[str, Any] = {
        "model": f"{card.name} {card.version}",
        "window": {"answers": total.answers, "newest": _date(recent.newest), "hours": recent.seconds / 3600},
        "baselines": {"population": {"answers": population_answers}, "site": None},
        "drift": {},
        "motifs": {},
    }
    against = {"population": population_shares(card)}
    if site is not None:
        against["site"] = site.shares
        document["baselines"]["site"] = {"answers": site.answers, "learned": _date(site.learned_at)}
    if total.answers:
        document["drift"] = {name: _drift(measure(total, shares)) for name, shares in against.items()}
        columns = {"window": total.shares.motifs} | {name: shares.motifs for name, shares in against.items()}
        document["motifs"] = {
            motif: {name: round(float(shares[index]), 4) for name, shares in columns.items()}
            for index, motif in enumerate(card.motif_names)
        }
    return document


def _drift(drift: Drift) -> dict[str, Any]:
    moved = drift.dimensions.argsort()[::-1][:_MOVED_DIMENSIONS]
    return {
        "latent": round(drift.latent, 4),
        "motifs": round(drift.motifs, 4),
        "dimensions_moved_most": {str(index): round(float(drift.dimensions[index]), 4) for index in moved},
    }


def _date(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _print(document: dict[str, Any]) -> None:
    console, site = Console(), document["baselines"]["site"]
    window, population = document["window"], document["baselines"]["population"]
    console.print(
        f"{document['model']}: {window['answers']} answers of the last {window['hours']:g} hours, "
        f"the newest of {window['newest'] or 'unknown'}"
    )
    console.print(f"population: {population['answers']} answers of the model card")
    console.print(f"site: {site['answers']} answers, learned {site['learned']}" if site else "site: not learned yet")
    for name, drift in document["drift"].items():
        moved = ", ".join(f"{index} ({value})" for index, value in drift["dimensions_moved_most"].items())
        console.print(f"drift from {name}: latent {drift['latent']}, motifs {drift['motifs']}; moved most: {moved}")
    if document["motifs"]:
        console.print(_motif_table(document["motifs"]))


def _motif_table(motifs: dict[str, dict[str, float]]) -> Table:
    columns = list(next(iter(motifs.values())))
    table = Table("motif", *columns, title="Share of answers", title_justify="left")
    for motif, shares in motifs.items():
        table.add_row(motif, *(f"{shares[name]:.1%}" for name in columns))
    return table
