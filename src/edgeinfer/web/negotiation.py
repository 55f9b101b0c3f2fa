"""What a client accepts: media types and codings with their weights (RFC 9110, 12.4.2 and 12.5)."""

from collections.abc import Iterator

_REFUSED = 0.0


def first_accepted(accept: str, offers: tuple[str, ...]) -> str | None:
    """The offer that an Accept header names with the highest weight, the first of equals; None where it names none.

    Wildcards name nothing: a client that takes anything gets what the route answers by default.

    Args:
        accept: the header; empty where it is missing.
        offers: media types in lower case, without parameters.
    """
    best: str | None = None
    best_weight = _REFUSED
    for name, weight in _weighted(accept):
        if name in offers and weight > best_weight:
            best, best_weight = name, weight
    return best


def accepts_coding(accept_encoding: str, coding: str) -> bool:
    """Whether an Accept-Encoding header names a coding and does not refuse it with a weight of 0."""
    return any(name == coding and weight > _REFUSED for name, weight in _weighted(accept_encoding))


def without_refused(header: str) -> str:
    """A header in lower case without the values of weight 0, for a reader that knows neither."""
    parts = [part.strip().lower() for part in header.split(",")]
    return ", ".join(part for part in parts if _weight(part.split(";")[1:]) > _REFUSED)


def _weighted(header: str) -> Iterator[tuple[str, float]]:
    for part in header.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        yield name, _weight(parameters)


def _weight(parameters: list[str]) -> float:
    """The weight of a value; one that is not a number counts as 1, as if it were missing."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return max(_REFUSED, min(1.0, float(value)))
            except ValueError:
                return 1.0
    return 1.0
