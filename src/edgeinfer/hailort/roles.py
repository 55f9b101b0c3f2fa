"""Which edge of a compiled network is what the model card describes."""

from edgeinfer.errors import ModelFileError
from edgeinfer.hailort.edge import Edge
from edgeinfer.model.card import ModelCard


def check_inputs(inputs: tuple[Edge, ...]) -> None:
    """Refuse a network that does not take exactly one window.

    Raises:
        ModelFileError: it has no input or several.
    """
    if len(inputs) != 1:
        names = [edge.name for edge in inputs]
        fault = f"are {names}, where one window is due"
        raise ModelFileError("the HEF's inputs", fault, "Compile the model of this card, with its one input.")


def find_roles(outputs: tuple[Edge, ...], card: ModelCard) -> tuple[int, int]:
    """Positions of the latent and of the scores: by size, and where that is ambiguous by name.

    Raises:
        ModelFileError: the outputs are not those of the card.
    """
    wanted = {"latent": card.latent_size, "motif_scores": len(card.motifs)}
    found = {role: [at for at, edge in enumerate(outputs) if edge.size == size] for role, size in wanted.items()}
    if wanted["latent"] == wanted["motif_scores"]:
        found = {
            role: [at for at in places if role.split("_", 1)[0] in outputs[at].name] for role, places in found.items()
        }
    if any(len(places) != 1 for places in found.values()):
        sizes = {edge.name: edge.size for edge in outputs}
        raise ModelFileError(
            "the HEF's outputs",
            f"are {sizes}, where a latent of {wanted['latent']} and {wanted['motif_scores']} scores are due",
            "Compile the model of this card, with its two outputs.",
        )
    return found["latent"][0], found["motif_scores"][0]
