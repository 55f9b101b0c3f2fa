"""What this model is in the protocol's words: names, shapes, versions, and the documents that say so."""

from typing import Any

from edgeinfer.errors import UnknownModel
from edgeinfer.model.card import ModelCard
from edgeinfer.model.window import CHANNELS
from edgeinfer.sidecar.model import ModelPhase, ServedModel

INPUT, LATENT, SCORES = "window", "latent", "motif_scores"
OUTPUTS = (LATENT, SCORES)
DATATYPE = "FP32"
SERVER_NAME = "edgeinfer"
EXTENSIONS = ["binary_tensor_data"]
_PLATFORMS = {"cpu": "onnx_onnxv1", "hailo": "hailort_hef", "stub": "edgeinfer_stub"}


def check_model(card: ModelCard, name: str, version: str) -> None:
    """Raise UnknownModel unless this is the model that is served; an empty version is any.

    Args:
        card: of the model that is served.
        name: that was asked for.
        version: that was asked for.
    """
    if name != card.name:
        raise UnknownModel(f"model {name[:64]!r}", "it is not served here", f"Ask for {card.name!r}.")
    if version not in {"", card.version}:
        fault = f"it has no version {version[:64]!r}"
        raise UnknownModel(f"model {name!r}", fault, f"Ask for {card.version!r}, or for none.")


def is_ready(model: ServedModel) -> bool:
    return model.model_state.state is ModelPhase.READY and not model.failing


def server_metadata(version: str) -> dict[str, Any]:
    return {"name": SERVER_NAME, "version": version, "extensions": EXTENSIONS}


def model_metadata(model: ServedModel) -> dict[str, Any]:
    """What goes in and what comes out."""
    card, described = model.card, model.description
    return {
        "name": card.name,
        "versions": [card.version],
        "platform": _PLATFORMS.get(described.kind, "") if described is not None else "",
        "inputs": [_tensor(INPUT, card.window.length, len(CHANNELS))],
        "outputs": [_tensor(LATENT, card.latent_size), _tensor(SCORES, len(card.motifs))],
    }


def _tensor(name: str, *shape: int) -> dict[str, Any]:
    return {"name": name, "datatype": DATATYPE, "shape": [-1, *shape]}
