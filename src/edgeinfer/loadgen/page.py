"""A report as one HTML file that needs nothing else: no script, no network, light and dark."""

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from edgeinfer.loadgen.charts import Series, bars, lines, share
from edgeinfer.loadgen.text import as_text

Document = dict[str, Any]
_STYLE_FILE = Path(__file__).parent / "report.css"


def as_page(document: Document) -> str:
    """The whole report; `document` is what `edgeinfer load-test --json` prints."""
    title = f"Load report: {document['profile']}"
    parts = _content(document)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE_FILE.read_text()}</style></head><body><h1>{escape(title)}</h1>"
        f"<p>{escape(document['gateway'])}, {escape(document['began'])}</p>"
        + "".join(parts)
        + f"<h2>All numbers</h2><pre>{escape(as_text(document))}</pre></body></html>\n"
    )


def _content(document: Document) -> Iterator[str]:
    if "steps" in document:
        return _stress(document)
    return _soak(document["soak"]) if "soak" in document else _single(document["run"])


def _single(run: Document) -> Iterator[str]:
    yield _tiles([(verdict["what"], _value(verdict), verdict["passed"]) for verdict in run["verdicts"]])
    if run["generator"]["is_bottleneck"]:
        yield '<p class="warning">The generator was the bottleneck: the latencies are partly its own.</p>'
    yield _distribution(run["distribution"])
    yield from _timeline(run["timeline"], run["objective"]["p95_ms"])
    sources = run["sources"]
    yield share(
        "Where the analyses were answered",
        [
            Series("sidecar", "sidecar", [sources.get("sidecar", 0)]),
            Series("fallback on the gateway's CPU", "fallback", [sources.get("fallback", 0)]),
        ],
    )
    if run["failures"]:
        yield _failures(run["failures"])


def _failures(failures: dict[str, int]) -> str:
    names = sorted(failures)
    counts = [failures[name] for name in names]
    return bars("Failed requests by class", names, [Series("failed", "failed", counts)], "requests")


def _distribution(entries: list[Document]) -> str:
    labels = [f"{entry['up_to_ms']:g}" if entry["up_to_ms"] is not None else "more" for entry in entries]
    layers = [Series(source, source, [entry[source] for entry in entries]) for source in ("sidecar", "fallback")]
    return bars("Latency of the analyses, up to so many milliseconds", labels, layers, "requests")


def _timeline(moments: list[Document], promise_ms: float) -> Iterator[str]:
    labels = [f"{moment['second']} s" for moment in moments]
    yield lines(
        "Latency over time, from when a request was due",
        labels,
        [
            Series("p50", "quiet", [moment["p50_ms"] for moment in moments]),
            Series("p95", "sidecar", [moment["p95_ms"] for moment in moments]),
            Series("promised", "promise", [promise_ms] * len(moments)),
        ],
        "milliseconds",
    )
    answered = [moment["requests"] - moment["failed"] for moment in moments]
    failed = [moment["failed"] for moment in moments]
    layers = [Series("answered", "sidecar", answered), Series("failed", "failed", failed)]
    yield bars("Requests each second", labels, layers, "requests")


def _stress(document: Document) -> Iterator[str]:
    steps, knee = document["steps"], document["knee"]
    labels = [str(step["users"]) for step in steps]
    if knee:
        yield _tiles(
            [
                ("knee", f"{knee['users']} users", True),
                ("goodput there", f"{knee['goodput_per_second']:.0f}/s", True),
                ("p95 there", f"{knee['p95_ms']:.1f} ms", True),
            ]
        )
    if any(step["generator_is_bottleneck"] for step in steps):
        yield '<p class="warning">In some steps the generator was at its own limit; the knee may lie higher.</p>'
    yield lines(
        "Answered well and offered, by users",
        labels,
        [
            Series("offered", "quiet", [step["offered_per_second"] for step in steps]),
            Series("answered well", "sidecar", [step["goodput_per_second"] for step in steps]),
        ],
        "requests per second",
    )
    yield lines(
        "p95 by users",
        labels,
        [
            Series("p95", "sidecar", [step["p95_ms"] for step in steps]),
            Series("promised", "promise", [document["objective"]["p95_ms"]] * len(steps)),
        ],
        "milliseconds",
        by_decades=True,
    )


def _soak(soak: Document) -> Iterator[str]:
    minutes = soak["minutes"]
    yield _tiles([(verdict["what"], _value(verdict), verdict["passed"]) for verdict in soak["verdicts"]])
    labels = [str(entry["minute"]) for entry in minutes]
    colours = ("sidecar", "fallback", "promise", "quiet", "failed")
    names = sorted({name for entry in minutes for name in entry["processes"]})
    for title, field, scale, unit in (
        ("Memory", "resident_bytes", 1e6, "MB"),
        ("Open files", "file_descriptors", 1, "files"),
    ):
        series = [
            Series(name, colours[i % len(colours)], [_reading(entry, name, field, scale) for entry in minutes])
            for i, name in enumerate(names)
        ]
        yield lines(f"{title} by minute", labels, series, unit)
    yield lines(
        "Latency by minute",
        labels,
        [
            Series("p95", "sidecar", [entry["p95_ms"] for entry in minutes]),
            Series("p99", "quiet", [entry["p99_ms"] for entry in minutes]),
        ],
        "milliseconds",
        by_decades=True,
    )


def _reading(entry: Document, name: str, field: str, scale: float) -> float | None:
    process = entry["processes"].get(name)
    return process[field] / scale if process else None


def _tiles(tiles: list[tuple[str, str, bool]]) -> str:
    cells = "".join(
        f'<div class="tile {"good" if passed else "bad"}"><b>{escape(value)}</b>{escape(name)}</div>'
        for name, value, passed in tiles
    )
    return f'<div class="tiles">{cells}</div>'


def _value(verdict: Document) -> str:
    if verdict["value"] is None:
        return "none"
    value = verdict["value"]
    match verdict["unit"]:
        case "ratio":
            return f"{value:.2%}"
        case "bytes":
            return f"{value / 1e6:+.1f} MB"
        case "files":
            return f"{value:+d}"
        case _:
            return f"{value:.1f} ms"
