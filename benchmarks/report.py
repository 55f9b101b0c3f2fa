"""The comparison as a page and a chart."""

import math
import statistics
from collections.abc import Callable, Iterable
from html import escape
from typing import Any

Row = dict[str, Any]
Report = dict[str, Any]
NO_MODEL = ", no network"
OURS = "EdgeInfer"
_NOT_THERE = (
    "OpenVINO Model Server is not compared: it is published as container images and archives, and in no package index.",
)


def as_page(report: Report) -> str:
    """The whole report in Markdown."""
    parts = [
        _head(report),
        "## With the model\n",
        *_closed_table(report, _with_model(_rows(report, "closed")), is_against_bare=True),
        "\n## Ahead of every peer?\n",
        *_verdict(report),
        *_section("Without a model", _closed_table(report, _without_model(_rows(report, "closed")))),
        *_section("At a given rate", _open_table(report)),
        "\n## What each was given\n",
        *_given(report),
        "",
        *_NOT_THERE,
        *(f"\nNot measured: {text}." for text in report["missing"]),
    ]
    return "\n".join(parts) + "\n"


def _head(report: Report) -> str:
    bare, loads = report["bare_cpu_ms"], report["load_averages"]
    how = f"{report['rounds']} interleaved rounds, {report['seconds']} s a cell, medians"
    alone = f"{statistics.median(bare):.3f} ms of CPU a window ({min(bare):.3f} to {max(bare):.3f})"
    lines = (
        "# Report: the sidecar and other model servers\n",
        "Written by `make bench ARGS=--publish`; [performance](../concepts/performance.md) says what it means.\n",
        f"- {how}; {report['cores']} cores, shared by server and load.",
        f"- Load average {min(loads):.1f} to {max(loads):.1f}, the comparison itself included: other work changes",
        "  rates and p99, and CPU times less.",
        f"- The model alone, in a bare ONNX Runtime session: {alone}.",
        "- `spread`: (largest - smallest) / median of the CPU time over the rounds, the widest of the row.",
        "- CPU time is that of the whole process tree; memory counts shared pages once.\n",
    )
    return "\n".join(lines)


def _section(title: str, table: list[str]) -> list[str]:
    return [f"\n## {title}\n", *table] if table else []


def _closed_table(report: Report, rows: list[Row], *, is_against_bare: bool = False) -> list[str]:
    """A line for each server and body; each cell is CPU ms, req/s, p50 and p99 in ms."""
    loads = sorted({row["load"] for row in rows})
    if not rows:
        return []
    bare = statistics.median(report["bare_cpu_ms"])
    share = " of the bare session |" if is_against_bare else ""
    heads = " | ".join(f"{load}: CPU ms, req/s, p50, p99 ms" for load in loads)
    lines = [
        f"| server | body | {heads} |{share} spread | failed | MB |",
        "|---|---|" + "---:|" * (len(loads) + 3 + is_against_bare),
    ]
    for key in sorted({_key(row) for row in rows}, key=lambda key: _cost(rows, key)):
        found = {row["load"]: row for row in rows if _key(row) == key}
        cells = " | ".join(_cell(found[load]) if load in found else "" for load in loads)
        ratio = f" {bare / found[16]['cpu_ms']:.2f} |" if is_against_bare and 16 in found else ""
        spread, failed = (max(row[name] for row in found.values()) for name in ("spread", "failures"))
        name, body = key
        lines.append(
            f"| {_name(name)} | {body} | {cells} |{ratio} {100 * spread:.0f} % | {failed:.0f} "
            f"| {max(row['megabytes'] for row in found.values()):.0f} |"
        )
    return lines


def _cell(row: Row) -> str:
    return f"{row['cpu_ms']:.2f}, {row['rate']:.0f}, {row['p50_ms']:.1f}, {row['p99_ms']:.1f}"


def _verdict(report: Report) -> list[str]:
    """The sidecar in JSON against the best of all peers in each figure, whichever peer that is."""
    rows = _with_model(_rows(report, "closed"))
    lines = ["| connections | figure | sidecar, JSON | best peer | |", "|---:|---|---:|---:|---|"]
    for load in sorted({row["load"] for row in rows}):
        ours = [row for row in rows if row["server"] == OURS and _body(row) == "JSON" and row["load"] == load]
        peers = [row for row in rows if not row["server"].startswith(OURS) and row["load"] == load]
        if not ours or not peers:
            continue
        figures: tuple[tuple[str, str, str, Callable[..., Row]], ...] = (
            ("CPU ms", "cpu_ms", ".3f", min),
            ("req/s", "rate", ".0f", max),
            ("p99 ms", "p99_ms", ".2f", min),
        )
        for title, field, form, best_of in figures:
            best = best_of(peers, key=lambda row, field=field: row[field])
            is_ahead = best_of((ours[0], best), key=lambda row, field=field: row[field]) is ours[0]
            says = "ahead" if is_ahead else "**behind**"
            lines.append(
                f"| {load} | {title} | {ours[0][field]:{form}} | {best[field]:{form}} ({best['server']}) | {says} |"
            )
    return lines


def _open_table(report: Report) -> list[str]:
    """One line a server: p50 / p99 in milliseconds at each rate, and what was not answered."""
    rows = _rows(report, "open")
    rates = sorted({row["load"] for row in rows})
    if not rates:
        return []
    lines = [
        "Latency counts from the moment a request was due.\n",
        "| p50 / p99 ms | " + " | ".join(f"{rate}/s" for rate in rates) + " |",
        "|---|" + "---:|" * len(rates),
    ]
    for server in dict.fromkeys(row["server"] for row in rows):
        found = {row["load"]: row for row in rows if row["server"] == server}
        lines.append(f"| {_name(server)} | " + " | ".join(_open_cell(found.get(rate)) for rate in rates) + " |")
    return lines


def _open_cell(row: Row | None) -> str:
    if row is None:
        return ""
    failed = f", {row['failures']:.0f} failed" if row["failures"] else ""
    return f"{row['p50_ms']:.1f} / {row['p99_ms']:.1f}{failed}"


def _given(report: Report) -> list[str]:
    lines = ["| server | version | given |", "|---|---|---|"]
    return lines + [f"| {peer['name']} | {peer['version']} | {peer['given']} |" for peer in report["peers"]]


def as_chart(report: Report, connections: int = 16) -> str:
    """Bars of CPU time per request in JSON, shortest first, as a self-contained SVG."""
    rows = [row for row in _rows(report, "closed") if row["load"] == connections and _body(row) == "JSON"]
    rows.sort(key=lambda row: float(row["cpu_ms"]))
    longest = max((row["cpu_ms"] for row in rows), default=1.0)
    height = 40 + 24 * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {height}" font-family="sans-serif" font-size="13">',
        f'<rect width="760" height="{height}" fill="white"/>',
        f'<text x="8" y="20">Server CPU per request in ms, JSON, {connections} connections</text>',
    ]
    for index, row in enumerate(rows):
        top, width = 34 + 24 * index, 380 * row["cpu_ms"] / longest
        colour = "#1f6feb" if row["server"].startswith(OURS) else "#9aa4b2"
        parts.append(f'<text x="312" y="{top + 14}" text-anchor="end">{escape(_plain(row["server"]))}</text>')
        parts.append(f'<rect x="320" y="{top}" width="{width:.1f}" height="18" fill="{colour}"/>')
        parts.append(f'<text x="{326 + width:.1f}" y="{top + 14}">{row["cpu_ms"]:.3f}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _plain(server: str) -> str:
    return server.replace(NO_MODEL, ", no model")


def _name(server: str) -> str:
    name = server.removesuffix(NO_MODEL)
    return f"**{name}**" if name.startswith(OURS) else name


def _key(row: Row) -> tuple[str, str]:
    return row["server"], _body(row)


def _cost(rows: Iterable[Row], key: tuple[str, str]) -> float:
    """The middle one of its numbers of connections, by which rows are ordered."""
    return statistics.median(float(row["cpu_ms"]) for row in rows if _key(row) == key)


def _body(row: Row) -> str:
    return "JSON" if str(row["encoding"]).endswith("json") else "binary"


def _rows(report: Report, loop: str) -> list[Row]:
    return [row for row in report["rows"] if row["loop"] == loop]


def _with_model(rows: list[Row]) -> list[Row]:
    return [row for row in rows if not row["server"].endswith(NO_MODEL)]


def _without_model(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["server"].endswith(NO_MODEL)]


_CURVE_COLOURS = ("#4c78a8", "#f58518", "#54a24b")


def curves_as_svg(curves: dict[str, list[tuple[float, float]]], unit: str) -> str:
    """Curves next to each other, each over its own logarithmic axis, all with the same height.

    Args:
        curves: (count, value) by what is counted; a count of 0 is at the left edge.
        unit: of the values.
    """
    width, height, gap = 260, 180, 60
    top = 1.15 * max(value for points in curves.values() for _, value in points)
    size = f'width="{len(curves) * (width + gap) + 20}" height="{height + 80}"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">']
    parts.append('<rect width="100%" height="100%" fill="#fff"/>')
    for place, ((what, points), colour) in enumerate(zip(curves.items(), _CURVE_COLOURS, strict=False)):
        left = 50 + place * (width + gap)
        furthest = math.log10(1 + max(count for count, _ in points))
        spots = [
            (left + width * math.log10(1 + count) / furthest, 40 + height * (1 - value / top), count, value)
            for count, value in points
        ]
        parts.append(f'<text x="{left}" y="24">{unit}, by {escape(what)}</text>')
        parts.append(f'<path d="M{left} 40V{40 + height}H{left + width}" fill="none" stroke="#888"/>')
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y, _, _ in spots)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for x, y, count, value in spots:
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')
            parts.append(f'<text x="{x:.1f}" y="{y - 8:.1f}" text-anchor="middle">{value:.1f}</text>')
            parts.append(f'<text x="{x:.1f}" y="{56 + height}" text-anchor="middle">{count:g}</text>')
    return "".join(parts) + "</svg>\n"
