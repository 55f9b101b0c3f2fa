"""Numbers as a person writes them, for the terminal; one table of cases holds it and the browser's `units.js` alike."""

import math
from collections.abc import Callable

NARROW = "\u202f"
MINUS = "\u2212"
NO_VALUE = "\u2013"
_Scale = Callable[[float], tuple[float, str]]
_TIGHT = frozenset(("%", "/s", "/min", "K", "M", "bn", "T", "°", "K/s", "M/s", "K/min", "M/min"))
_COUNTS = ((1e12, 1e12, "T"), (1e9, 1e9, "bn"), (1e6, 1e6, "M"), (1e4, 1e3, "K"), (0, 1, ""))


def _scaled(factors: tuple[tuple[float, float, str], ...]) -> _Scale:
    def scale(value: float) -> tuple[float, str]:
        # Nothing is nothing in the plain unit: "0 s", not "0 ns".
        fitting = (one for one in factors if (abs(value) >= one[0] if value else one[1] == 1))
        found = next(fitting, factors[-1])
        return value / found[1], found[2]

    return scale


def _per(unit: str) -> _Scale:
    return _scaled(tuple((least, factor, letter + unit) for least, factor, letter in _COUNTS))


def _binary(unit: str) -> _Scale:
    sizes = ((40, "Ti"), (30, "Gi"), (20, "Mi"), (10, "Ki"))
    return _scaled((*((2.0**power, 2.0**power, prefix + unit) for power, prefix in sizes), (0, 1, unit)))


def _decimal(unit: str, *, small: bool) -> _Scale:
    large = ((1e12, 1e12, f"T{unit}"), (1e9, 1e9, f"G{unit}"), (1e6, 1e6, f"M{unit}"), (1e3, 1e3, f"k{unit}"))
    below = ((1, 1, unit), (1e-3, 1e-3, f"m{unit}"), (1e-6, 1e-6, f"µ{unit}")) if small else ()
    return _scaled((*large, *below, (0, 1, unit)))


def _plain(unit: str) -> _Scale:
    return lambda value: (value, unit)


_SECONDS = _scaled(
    (
        (604800 * 2, 604800, "weeks"),
        (86400 * 2, 86400, "days"),
        (7200, 3600, "h"),
        (120, 60, "min"),
        (1, 1, "s"),
        (1e-3, 1e-3, "ms"),
        (1e-6, 1e-6, "µs"),
        (0, 1e-9, "ns"),
    )
)
_UNITS: dict[str, _Scale] = {
    "": _plain(""),
    "none": _plain(""),
    "short": _scaled(_COUNTS),
    "percent": _plain("%"),
    "percentunit": lambda value: (value * 100, "%"),
    "s": _SECONDS,
    "ms": lambda value: _SECONDS(value / 1000),
    "bytes": _binary("B"),
    "reqps": _per(" req/s"),
    "ops": _per(" ops/s"),
    "cps": _per("/s"),
    "cpm": _per("/min"),
    "fps": _plain("fps"),
    "celsius": _plain("°C"),
    "hertz": _decimal("Hz", small=False),
    "watt": _decimal("W", small=True),
    "amp": _decimal("A", small=True),
    "mamp": lambda value: _decimal("A", small=True)(value / 1000),
}


def format_value(value: float | None, unit: str = "", decimals: int | None = None) -> str:
    """The value with its unit.

    Args:
        value: None where there is none.
        unit: Grafana's name of it.
        decimals: as many, or three digits that matter.
    """
    if value is None or math.isnan(value):
        return NO_VALUE
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    number, suffix = _UNITS.get(unit, _plain(unit))(value)
    suffix = suffix.strip()
    gap = "" if not suffix or suffix in _TIGHT else NARROW
    return _digits(number, decimals) + gap + suffix


def _digits(number: float, decimals: int | None) -> str:
    if decimals is not None:
        return _grouped(f"{number:.{decimals}f}")
    if number == 0:
        return "0"
    if abs(number) < 1e-6:  # noqa: PLR2004 - below, zeros would fill the screen
        return f"{number:.1e}".replace("e-0", "e-").replace("-", MINUS)
    whole = math.floor(math.log10(abs(number))) + 1
    text = f"{number:.{max(0, min(9, 3 - whole))}f}"
    return _grouped(text.rstrip("0").rstrip(".") if "." in text else text)


def _grouped(text: str) -> str:
    whole, _, rest = text.partition(".")
    is_negative = whole.startswith("-") and (whole != "-0" or rest.strip("0") != "")
    number = f"{int(whole.lstrip('-')):,}"
    return (MINUS if is_negative else "") + number + (f".{rest}" if rest else "")
