"""A model of one's own, tried on the recordings before anything serves it: what works, and what will be refused."""

import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from time import perf_counter

import numpy as np

from edgeinfer.backends.base import Inference, Window, check_inference
from edgeinfer.backends.onnx import OnnxBackend
from edgeinfer.cli._card_draft import draft_card
from edgeinfer.diagnostics import Diagnostic, Verdict
from edgeinfer.errors import BackendError, ModelFileError, SidecarError
from edgeinfer.gateway.outputs import check_outputs
from edgeinfer.installation import shipped_file
from edgeinfer.model.card import CARD_NAME, ModelCard, default_folder, load_card
from edgeinfer.parity import Gate, compare, recorded_windows
from edgeinfer.recordings.reader import list_recordings

_ON_CPU = ("cpu", "cpu_int8")
_HOP = 50
_MAX_WINDOWS = 500
_SECONDS_OF_A_WINDOW = 1.0
_FEW_MOTIFS = 2
_GUIDE = shipped_file("docs/guides/bring-your-own-model.md")


def try_model(folder: Path, *, writes_card: bool = False) -> list[Diagnostic]:
    """Look at a model's folder and run the recordings through it; writes nothing but a card that was asked for."""
    try:
        written = _write_card(folder) if writes_card else []
        card = load_card(folder)
    except ModelFileError as failure:
        return [_broken("model", failure), *_hint_at_card(folder)]
    message = f"{card.name} {card.version}: {card.latent_size} latents, {len(card.motifs)} motifs"
    found = [*written, Diagnostic("model", Verdict.OK, message)]
    windows = list(islice(recorded_windows(_names(), length=card.window.length, hop=_HOP), _MAX_WINDOWS))
    for variant in card.files:
        found += _try_variant(card, variant, windows)
    return [*found, *_agreement(card, windows), *_what_else(card)]


def _names() -> list[str]:
    return [info.name for info in list_recordings()]


def _broken(subject: str, failure: ModelFileError) -> Diagnostic:
    return Diagnostic(subject, Verdict.BROKEN, f"{failure.thing} {failure.fault}", failure.remedy)


# --- The card


def _write_card(folder: Path) -> list[Diagnostic]:
    path = folder / CARD_NAME
    if path.exists():
        raise ModelFileError(str(path), "exists already", "Remove it first, or leave out --write-card.")
    graphs = sorted(folder.glob("*.onnx")) if folder.is_dir() else []
    if len(graphs) != 1:
        fault = f"holds {len(graphs)} ONNX files, not one"
        raise ModelFileError(str(folder), fault, "Name a folder with the one file that the card shall describe.")
    path.write_text(json.dumps(draft_card(graphs[0]), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    remedy = f"Give it a name, the names of its motifs, and its normalization: {_GUIDE}."
    return [Diagnostic("card", Verdict.NOTE, f"{path} was written from {graphs[0].name}", remedy)]


def _hint_at_card(folder: Path) -> list[Diagnostic]:
    if (folder / CARD_NAME).exists() or not any(folder.glob("*.onnx")):
        return []
    remedy = f"edgeinfer doctor --model {folder} --write-card"
    return [Diagnostic("card", Verdict.NOTE, f"{folder} has an ONNX file and no card", remedy)]


# --- The files


def _try_variant(card: ModelCard, variant: str, windows: Sequence[Window]) -> list[Diagnostic]:
    subject = f"variant {variant}"
    if variant not in _ON_CPU:
        try:
            size = len(card.file(variant).read())
        except ModelFileError as failure:
            return [_broken(subject, failure)]
        return [Diagnostic(subject, Verdict.NOTE, f"its hash matches ({size / 1e3:.0f} kB); it runs on a device only")]
    backend = OnnxBackend(card, variant, threads=1)
    try:
        backend.open()
        return [_judge(card, subject, backend, windows)]
    except ModelFileError as failure:
        return [_broken(subject, failure)]
    except BackendError as failure:
        return [Diagnostic(subject, Verdict.BROKEN, f"{failure.thing}: {failure.fault}", failure.remedy)]
    finally:
        backend.close()


def _judge(card: ModelCard, subject: str, backend: OnnxBackend, windows: Sequence[Window]) -> Diagnostic:
    seconds, refusals, tops = [], [], set()
    for window in windows:
        started = perf_counter()
        try:
            with np.errstate(all="ignore"):  # what overflows is refused below
                answer = backend.infer(window)
                seconds.append(perf_counter() - started)
                tops.add(_top(card, answer))
        except (BackendError, SidecarError) as failure:
            refusals.append(failure.fault)
    message = f"{len(windows)} recorded windows of {card.window.length} x 9 at {card.window.rate_hz:g} Hz"
    if refusals:
        message += f": {len(refusals)} would be refused, the first: {refusals[0]}"
        return Diagnostic(subject, Verdict.BROKEN, message, f"Compare the file with its card: {_GUIDE}.")
    p50, p95 = (1000 * float(np.percentile(seconds, share)) for share in (50, 95))
    message += f": p50 {p50:.2f} ms, p95 {p95:.2f} ms, {len(tops)} of {len(card.motifs)} motifs came first"
    if p95 > 1000 * _SECONDS_OF_A_WINDOW:
        return Diagnostic(subject, Verdict.BROKEN, message, "It is slower than the movement: make the model smaller.")
    if len(tops) < min(_FEW_MOTIFS, len(card.motifs)):
        remedy = "One motif always wins: compare normalization, units and axes with the training data."
        return Diagnostic(subject, Verdict.NOTE, message, remedy)
    return Diagnostic(subject, Verdict.OK, message)


def _top(card: ModelCard, answer: Inference) -> int:
    """The motif that comes first, by the checks of the sidecar and of the gateway."""
    check_inference(answer, card.latent_size, len(card.motifs))
    return check_outputs(answer.latent, answer.motif_scores, "cpu").top


def _agreement(card: ModelCard, windows: Sequence[Window]) -> list[Diagnostic]:
    if not all(variant in card.files for variant in _ON_CPU):
        return []
    try:
        cpu, int8 = (OnnxBackend(card, variant, threads=1) for variant in _ON_CPU)
        with np.errstate(all="ignore"):
            report = compare(cpu, int8, windows)
    except (BackendError, ModelFileError):
        return []  # it stands under its variant
    message = f"cpu_int8 against cpu: mean cosine {report.cosine_mean:.4f}, same motif {report.agreement:.1%}"
    below = Gate().violations(report)
    remedy = f"{'; '.join(below)}. Quantize with more windows, or leave the variant out." if below else ""
    return [Diagnostic("agreement", Verdict.NOTE if below else Verdict.OK, message, remedy)]


def _what_else(card: ModelCard) -> list[Diagnostic]:
    """What will not work later, and is not a fault of the files."""
    found = []
    if "cpu" not in card.files:
        message = "the card has no variant cpu: the gateway cannot fall back, and the backend onnx cannot run it"
        remedy = "Add one, or set EDGEINFER_GATEWAY_FALLBACK=false."
        found.append(Diagnostic("fallback", Verdict.NOTE, message, remedy))
    if card.baseline is None:
        message = "the card has no baseline: drift is not measured"
        found.append(Diagnostic("drift", Verdict.NOTE, message, f"See {_GUIDE}."))
    shipped = load_card(default_folder())
    if (card.latent_size, card.motif_names) != (shipped.latent_size, shipped.motif_names):
        message = "a sidecar and a gateway that run the shipped model refuse to change to this one while they serve"
        found.append(Diagnostic("reload", Verdict.NOTE, message, "Set the folder for both, and restart both."))
    return found
