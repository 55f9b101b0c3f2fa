"""Numbers as Grafana writes them, for the terminal; a test compares it, the browser's `units.js` and Grafana."""

import math
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Decimal

NARROW = "\u202f"
MINUS = "\u2212"
NO_VALUE = "\u2013"
# A value becomes a number and its unit, which begins with a space where one belongs before it.
_Scale = Callable[[float], tuple[float, str]]
_Steps = tuple[tuple[float, float, str], ...]
_PREFIXES = ("f", "p", "n", "µ", "m", "", "k", "M", "G", "T", "P")
_LONG = ("min", "hour", "day", "week", "year")
_SECONDS: _Steps = (
    (1e-6, 1e-9, "ns"),
    (1e-3, 1e-6, "µs"),
    (1, 1e-3, "ms"),
    (60, 1, "s"),
    (3600, 60, "min"),
    (86400, 3600, "hour"),
    (604800, 86400, "day"),
    (31536000, 604800, "week"),
    (math.inf, 31556900, "year"),
)
# From here on JavaScript writes a number in powers of ten.
_TINY, _HUGE = 1e-6, 1e21
# Between the digit that must be seen and the next, Grafana shows one more from this first digit on.
_ONE_MORE = 2.25


def _plain(unit: str) -> _Scale:
    return lambda value: (value, f" {unit}" if unit else "")


def _powers(factor: float, names: Sequence[str], base: int = 0) -> _Scale:
    def scale(value: float) -> tuple[float, str]:
        if not math.isfinite(value):
            return value, ""
        power = math.floor(math.log10(abs(value)) / math.log10(factor)) if value else 0
        place = max(0, min(len(names) - 1, base + power))
        return value / factor ** (place - base), names[place]

    return scale


def _decimal(unit: str, shift: int = 0) -> _Scale:
    return _powers(1000, [f" {prefix}{unit}" for prefix in _PREFIXES], 5 + shift)


def _count(unit: str) -> _Scale:
    return _powers(1000, [f"{letter} {unit}" for letter in ("", "K", "M", "B", "T")])


def _seconds(value: float) -> tuple[float, str]:
    _, factor, name = next((step for step in _SECONDS if abs(value) < step[0]), _SECONDS[-1])
    number = value / factor
    return number, f" {name}{'s' if name in _LONG and abs(number) > 1 else ''}"


_UNITS: dict[str, _Scale] = {
    "": _plain(""),
    "none": _plain(""),
    "short": _powers(1000, ("", " K", " Mil", " Bil", " Tri")),
    "percent": lambda value: (value, "%"),
    "percentunit": lambda value: (100 * value, "%"),
    "s": _seconds,
    "bytes": _powers(1024, (" B", " KiB", " MiB", " GiB", " TiB", " PiB")),
    "reqps": _count("req/s"),
    "reqpm": _count("req/m"),
    "celsius": _plain("°C"),
    "hertz": _decimal("Hz"),
    "watt": _decimal("W"),
    "amp": _decimal("A"),
    "mamp": _decimal("A", -1),
}


def format_value(value: float | None, unit: str = "", decimals: int | None = None) -> str:
    """The value with its unit.

    Args:
        value: None where there is none.
        unit: Grafana's name of it.
        decimals: as many, or two to three digits that matter.
    """
    if value is None or math.isnan(value):
        return NO_VALUE
    if unit == "locale":
        return _signed(_grouped(value, decimals))
    if unit == "dthms":
        return _clocked(value)
    if unit == "s" and value == 0:
        return f"0{NARROW}s"
    scale = _plain(unit.removeprefix("suffix:")) if unit.startswith("suffix:") else _UNITS.get(unit, _plain(unit))
    number, suffix = scale(value)
    return _signed(_digits(number, decimals)) + suffix.replace(" ", NARROW, 1)


def _signed(text: str) -> str:
    return text.replace("-", MINUS)


def _digits(number: float, decimals: int | None) -> str:
    if math.isinf(number):
        return "∞" if number > 0 else "-∞"
    places = _places(number) if decimals is None else decimals
    if number == 0:
        return f"{0:.{places}f}"
    factor = 10.0**places
    rounded = math.floor(number * factor + 0.5) / factor
    if rounded and not _TINY <= abs(rounded) < _HUGE:
        return _in_powers(rounded)
    whole, _, rest = format(Decimal(repr(rounded + 0.0)), "f").partition(".")
    return f"{whole}.{rest.removesuffix('0') if rest == '0' else rest:0<{places}}" if places else whole


def _in_powers(number: float) -> str:
    digits, _, power = f"{Decimal(repr(number)):e}".partition("e")
    return f"{digits.rstrip('0').rstrip('.') if '.' in digits else digits}e{int(power):+d}"


def _places(number: float) -> int:
    if number % 1 == 0:
        return 0
    magnitude = math.floor(math.log(abs(number)) / math.log(10))
    first = abs(number) / 10.0 ** (magnitude - 1)
    return max(0, 1 - magnitude + (first > _ONE_MORE))


def _grouped(value: float, decimals: int | None) -> str:
    if math.isinf(value):
        return _digits(value, None)
    places = 3 if decimals is None else decimals
    text = f"{Decimal(repr(value)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _clocked(seconds: float) -> str:
    if math.isinf(seconds):
        return _signed(_digits(seconds, None))
    if seconds < 0:
        return f"{_clocked(-seconds)} ago"
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours:02.0f}:{minutes:02.0f}:{math.floor(rest):02d}"
