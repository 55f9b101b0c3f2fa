"""Sampled stacks as pictures: a flame graph, and where the time of one request goes."""

from collections import Counter
from dataclasses import dataclass, field
from html import escape

Stacks = Counter[tuple[str, ...]]
"""Samples by stack, outermost frame first."""

# The time of a stack counts for the first of these whose mark it contains, searched from the innermost frame.
PARTS = {
    "network (ONNX Runtime)": ("onnxruntime",),
    "metrics": ("prometheus_client", "web/request_metrics", "sidecar/instruments"),
    "decoding": ("fast_json", "sidecar/decoding", "json/decoder", "json/__init__", "pydantic"),
    "encoding": ("fastapi/encoders", "json/encoder", "serialize_response"),
    "HTTP": (
        "web/direct",
        "web/connection",
        "web/request_",
        "web/flow_control",
        "web/asgi_exchange",
        "uvicorn",
        "httptools",
    ),
    "framework": ("starlette", "fastapi", "anyio"),
    "endpoint": ("sidecar/endpoint", "web/request_id", "tutorial.py", "network.py"),
    "model and checks": ("edgeinfer/backends", "sidecar/model", "numpy"),
    "queue and threads": ("sidecar/inference", "queue", "threading", "concurrent"),
}
_REST = "event loop and kernel"
_ALL_PARTS = [*PARTS, _REST]
_COLOURS = [
    "#4c78a8",
    "#f58518",
    "#e45756",
    "#72b7b2",
    "#54a24b",
    "#eeca3b",
    "#b279a2",
    "#9d755d",
    "#79706e",
    "#bab0ac",
]
_ROW, _WIDTH = 17, 1200


def read_stacks(raw: str) -> Stacks:
    """What a profiler wrote: frames joined by semicolons, a space, and a number, on each line."""
    stacks = Stacks()
    for line in raw.splitlines():
        frames, _, count = line.rpartition(" ")
        if count.isdigit():
            stacks[tuple(frames.split(";"))] += int(count)
    return stacks


def part_of(stack: tuple[str, ...]) -> str:
    """Which part of the work a stack belongs to."""
    for frame in reversed(stack):
        for part, marks in PARTS.items():
            if any(mark in frame for mark in marks):
                return part
    return _REST


def shares(stacks: Stacks) -> dict[str, float]:
    """Share of the samples in each part."""
    found = Counter[str]()
    for stack, count in stacks.items():
        found[part_of(stack)] += count
    total = found.total() or 1
    return {part: count / total for part, count in found.most_common()}


def as_bars(rows: dict[str, dict[str, float]]) -> str:
    """Microseconds of CPU per request by part, a bar for each server."""
    longest = max(sum(row.values()) for row in rows.values())
    height = 40 + 44 * len(rows) + 22 * ((len(_ALL_PARTS) + 2) // 3)
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 {height}" font-family="sans-serif" font-size="13">',
        f'<rect width="900" height="{height}" fill="white"/>',
        '<text x="8" y="20">Server CPU per request in microseconds, JSON, 16 connections</text>',
    ]
    for index, (name, row) in enumerate(rows.items()):
        top, left = 34 + 44 * index, 8.0
        drawn.append(f'<text x="8" y="{top + 10}">{escape(name)}: {sum(row.values()):.0f}</text>')
        for number, part in enumerate(_ALL_PARTS):
            width = 880 * row.get(part, 0.0) / longest
            drawn.append(
                f'<rect x="{left:.1f}" y="{top + 15}" width="{width:.1f}" height="18" fill="{_COLOURS[number]}">'
                f"<title>{escape(part)}: {row.get(part, 0.0):.0f} µs</title></rect>"
            )
            if width > 30:
                drawn.append(f'<text x="{left + 4:.1f}" y="{top + 28}" fill="white">{row[part]:.0f}</text>')
            left += width
    for number, part in enumerate(_ALL_PARTS):
        x, y = 8 + 290 * (number % 3), 52 + 44 * len(rows) + 22 * (number // 3)
        drawn.append(f'<rect x="{x}" y="{y - 11}" width="12" height="12" fill="{_COLOURS[number]}"/>')
        drawn.append(f'<text x="{x + 18}" y="{y}">{escape(part)}</text>')
    return "\n".join([*drawn, "</svg>", ""])


@dataclass(slots=True)
class _Frame:
    count: int = 0
    below: "dict[str, _Frame]" = field(default_factory=dict)


def as_flame(stacks: Stacks, title: str) -> str:
    """A flame graph: width is time, the outermost frame is on top, frames under 0.4 % are left out."""
    root = _Frame()
    for stack, count in stacks.items():
        frame = root
        frame.count += count
        for name in stack:
            frame = frame.below.setdefault(name, _Frame())
            frame.count += count
    boxes: list[str] = []
    depth = _draw(root, 0.0, 0, _WIDTH / max(root.count, 1), boxes)
    height = 34 + _ROW * depth
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'font-family="monospace" font-size="11"><rect width="{_WIDTH}" height="{height}" fill="white"/>'
        f'<text x="6" y="18" font-size="14">{escape(title)}</text>'
    )
    return "\n".join([head, *boxes, "</svg>", ""])


def _draw(frame: _Frame, left: float, depth: int, scale: float, boxes: list[str]) -> int:
    deepest = depth
    for name, below in sorted(frame.below.items()):
        width = below.count * scale
        if width >= 0.004 * _WIDTH:
            boxes.append(_box(name, left, depth, width))
            deepest = max(deepest, _draw(below, left, depth + 1, scale, boxes))
        left += width
    return max(deepest, depth)


def _box(name: str, left: float, depth: int, width: float) -> str:
    top = 28 + _ROW * depth
    colour = _COLOURS[_ALL_PARTS.index(part_of((name,)))]
    shown = escape(name[: int(width / 6.7)]) if width > 24 else ""
    size = f'width="{max(width - 0.5, 0.5):.1f}" height="{_ROW - 1}" fill="{colour}" fill-opacity="0.75"'
    rectangle = f'<rect x="{left:.1f}" y="{top}" {size}><title>{escape(name)}</title></rect>'
    return f'<g>{rectangle}<text x="{left + 2:.1f}" y="{top + 12}">{shown}</text></g>'
