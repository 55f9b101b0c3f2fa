"""The cells of `benchmarks.phones` as Markdown: medians of the rounds, with their spread."""

import statistics
from typing import Any

Cell = dict[str, Any]
_WHAT = (
    "What a phone costs that streams 25 samples four times a second, and asks for `motifs` and `process` once a second "
    "and for `synchrony` every ten seconds, in open loop."
)
_FAR_BEHIND_MS = 1000.0
_OPERATIONS = ("stream", "motifs", "process", "synchrony")


def as_markdown(report: dict[str, Any]) -> str:
    """Tables of cost, of waits and of the rest, and the floor as a sum."""
    cells = [cell for cell in report["cells"] if cell["round"] >= 0]
    names = list(dict.fromkeys(cell["variant"] for cell in cells))
    floors = [name for name in names if name.startswith("floor")]
    shown = [name for name in names if name not in floors] + floors[-1:]
    counts = list(dict.fromkeys(cell["phones"] for cell in cells))
    how = f"Medians of {report['rounds']} interleaved rounds of {report['seconds']:g} s, lowest and highest in brackets"
    lines = [
        "# Phones",
        "",
        _WHAT,
        f"{how}; load average at the end {report['load']}.",
        "Written by `python -m benchmarks.phones`; see [performance](../concepts/performance.md).",
        "",
        "## CPU of gateway and sidecar together, ms per phone-second",
        "",
        *_table(shown, counts, lambda name, phones: _cost(_of(cells, name, phones))),
        "",
        "## Each service, ms per phone-second",
        "",
        "Of what does not keep up: of the part that was done in time.",
        "",
        *_table(shown, counts, lambda name, phones: _services(_of(cells, name, phones))),
        "",
        "## Waits: p50, p95, p99 ms of all requests, and failures",
        "",
        *_table(shown, counts, lambda name, phones: _waits(_of(cells, name, phones))),
        "",
        "## p95 ms by operation: " + ", ".join(_OPERATIONS),
        "",
        *_table(shown, counts, lambda name, phones: _operations(_of(cells, name, phones))),
        "",
        "## Wake-ups and bytes written per phone-second, gateway and sidecar; memory of each in MB (PSS)",
        "",
        *_table(shown, counts, lambda name, phones: _rest(_of(cells, name, phones))),
        "",
        *_calls(report, shown),
        *_floor(cells, floors, counts),
        "The generator's own CPU, ms per phone-second: "
        + ", ".join(f"{_generator(cells, phones):.2f} with {phones}" for phones in counts)
        + ".",
    ]
    return "\n".join(lines) + "\n"


def _table(names: list[str], counts: list[int], cell: Any) -> list[str]:
    head = ["| | " + " | ".join(f"{phones} phones" for phones in counts) + " |", "|---|" + "---:|" * len(counts)]
    return head + [f"| {name} | " + " | ".join(cell(name, phones) for phones in counts) + " |" for name in names]


def _of(cells: list[Cell], name: str, phones: int) -> list[Cell]:
    return [cell for cell in cells if cell["variant"] == name and cell["phones"] == phones]


def _median(values: list[float]) -> float:
    return statistics.median(values) if values else float("nan")


def _both(cell: Cell) -> float:
    return sum(cell["services"][name]["cpu_ms"] for name in ("gateway", "sidecar"))


def _cost(cells: list[Cell]) -> str:
    """None where requests wait: what they cost falls outside of the time that is measured."""
    if _median([cell["load"]["all"]["p95"] for cell in cells]) > _FAR_BEHIND_MS:
        return "does not keep up"
    values = [_both(cell) for cell in cells]
    return f"{_median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def _service(cells: list[Cell], service: str, what: str) -> float:
    return _median([cell["services"][service][what] for cell in cells if service in cell["services"]])


def _services(cells: list[Cell]) -> str:
    names = [name for name in ("gateway", "sidecar", "prometheus") if name in cells[0]["services"]]
    return ", ".join(f"{name} {_service(cells, name, 'cpu_ms'):.2f}" for name in names)


def _waits(cells: list[Cell]) -> str:
    waits = [_median([cell["load"]["all"][share] for cell in cells]) for share in ("p50", "p95", "p99")]
    failed = sum(cell["load"]["failures"] for cell in cells)
    return ", ".join(f"{wait:.1f}" for wait in waits) + (f"; {failed} failed" if failed else "")


def _operations(cells: list[Cell]) -> str:
    found = [_median([cell["load"]["operations"][name]["p95"] for cell in cells]) for name in _OPERATIONS]
    return ", ".join(f"{wait:.1f}" for wait in found)


def _rest(cells: list[Cell]) -> str:
    both = ("gateway", "sidecar")
    wakes = sum(_service(cells, name, "wake_ups") for name in both)
    written = sum(_service(cells, name, "written_bytes") for name in both)
    memory = ", ".join(f"{_service(cells, name, 'megabytes'):.0f}" for name in both)
    return f"{wakes:.1f}, {written / 1024:.1f} KiB; {memory}"


def _calls(report: dict[str, Any], shown: list[str]) -> list[str]:
    counted = [cell for cell in report["cells"] if cell["round"] < 0 and cell["variant"] in shown]
    found = [
        f"{cell['variant']}: "
        + ", ".join(
            f"{name} {used['system_calls']:.0f}" for name, used in cell["services"].items() if "system_calls" in used
        )
        for cell in counted
    ]
    if not found:
        return []
    how = f"System calls per phone-second with {counted[0]['phones']} phones, in a run of their own"
    return [f"{how}: {'; '.join(found)}.", ""]


def _generator(cells: list[Cell], phones: int) -> float:
    return _median([cell["load"]["generator_cpu_ms"] for cell in cells if cell["phones"] == phones])


def _floor(cells: list[Cell], floors: list[str], counts: list[int]) -> list[str]:
    """Each part as what it adds to those before it."""
    if not floors:
        return []
    lines = [
        "## The floor: each part, ms per phone-second",
        "",
        "Each row is what the part adds to those above it; no head is read, nothing checked, counted or kept.",
        "",
        "| | " + " | ".join(f"{phones} phones" for phones in counts) + " |",
        "|---|" + "---:|" * len(counts),
    ]
    before = [0.0] * len(counts)
    for name in floors:
        totals = [_median([_both(cell) for cell in _of(cells, name, phones)]) for phones in counts]
        added = [total - less for total, less in zip(totals, before, strict=True)]
        lines.append(f"| {name.removeprefix('floor: ')} | " + " | ".join(f"{value:.2f}" for value in added) + " |")
        before = totals
    return [*lines, "| sum | " + " | ".join(f"{value:.2f}" for value in before) + " |", ""]
