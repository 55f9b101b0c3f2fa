"""The comparison as tables and a chart."""

import statistics
from html import escape
from typing import Any

Row = dict[str, Any]


def as_text(report: dict[str, Any]) -> str:
    """Markdown tables, ratios to our JSON row of the same kind and load."""
    baselines = report["bare_cpu_ms"]
    bare = statistics.median(baselines)
    how = f"{report['rounds']} interleaved rounds of {report['seconds']:g} s a cell, medians"
    lines = [
        f"{how}; {report['machine']}, Python {report['python']}.",
        f"Bare session: {bare:.3f} ms of CPU a window, {min(baselines):.3f} to {max(baselines):.3f}.",
        "",
        *_closed_table(report),
        "",
        *_open_table(report),
    ]
    return "\n".join([*lines, *(f"\nNot measured: {text}" for text in report["missing"])])


def _closed_table(report: dict[str, Any]) -> list[str]:
    lines = [
        "| server | body | connections | CPU ms | to ours | spread % | req/s | p50 ms | p99 ms | failed | MB |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in _rows(report, "closed"):
        body = "JSON" if _is_json(row) else "binary"
        lines.append(
            f"| {row['server']} | {body} | {row['load']} | {row['cpu_ms']:.3f} | {ratio(report, row):.2f} "
            f"| {100 * row['spread']:.0f} | {row['rate']:.0f} | {row['p50_ms']:.2f} | {row['p99_ms']:.2f} "
            f"| {row['failures']:.0f} | {row['megabytes']:.0f} |"
        )
    return lines


def _open_table(report: dict[str, Any]) -> list[str]:
    """One line a server: p50 / p99 in milliseconds at each rate, and what was not answered."""
    rows = _rows(report, "open")
    rates = sorted({row["load"] for row in rows})
    if not rates:
        return []
    lines = [
        "| open loop, p50 / p99 ms | " + " | ".join(f"{rate}/s" for rate in rates) + " |",
        "|---|" + "---:|" * len(rates),
    ]
    for server in dict.fromkeys(row["server"] for row in rows):
        found = {row["load"]: row for row in rows if row["server"] == server}
        lines.append(f"| {server} | " + " | ".join(_open_cell(found.get(rate)) for rate in rates) + " |")
    return lines


def _open_cell(row: Row | None) -> str:
    if row is None:
        return ""
    failed = f", {row['failures']:.0f} failed" if row["failures"] else ""
    return f"{row['p50_ms']:.2f} / {row['p99_ms']:.1f}{failed}"


def ratio(report: dict[str, Any], row: Row) -> float:
    """CPU time of a row over ours in JSON, without a network where the row has none."""
    ours = "EdgeInfer, no network" if row["server"].endswith("no network") else "EdgeInfer"
    for other in _rows(report, "closed"):
        if other["load"] == row["load"] and _is_json(other) and other["server"] == ours and other["cpu_ms"]:
            return float(row["cpu_ms"] / other["cpu_ms"])
    return float("nan")


def as_chart(report: dict[str, Any], connections: int = 16) -> str:
    """Bars of CPU time per request in JSON, shortest first, as a self-contained SVG."""
    rows = [row for row in _rows(report, "closed") if row["load"] == connections and _is_json(row)]
    rows.sort(key=lambda row: row["cpu_ms"])
    longest = max((row["cpu_ms"] for row in rows), default=1.0)
    height = 40 + 24 * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {height}" font-family="sans-serif" font-size="13">',
        f'<rect width="760" height="{height}" fill="white"/>',
        f'<text x="8" y="20">Server CPU per request in ms, JSON, {connections} connections</text>',
    ]
    for index, row in enumerate(rows):
        top, width = 34 + 24 * index, 420 * row["cpu_ms"] / longest
        colour = "#1f6feb" if row["server"].startswith("EdgeInfer") else "#9aa4b2"
        parts.append(f'<text x="262" y="{top + 14}" text-anchor="end">{escape(row["server"])}</text>')
        parts.append(f'<rect x="270" y="{top}" width="{width:.1f}" height="18" fill="{colour}"/>')
        parts.append(f'<text x="{276 + width:.1f}" y="{top + 14}">{row["cpu_ms"]:.3f}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _rows(report: dict[str, Any], loop: str) -> list[Row]:
    return [row for row in report["rows"] if row["loop"] == loop]


def _is_json(row: Row) -> bool:
    return str(row["encoding"]).endswith("json")
