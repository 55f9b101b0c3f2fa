"""A report as lines for a terminal or a log."""

from collections.abc import Iterator
from typing import Any

Document = dict[str, Any]
_COLUMNS = ("p50", "p90", "p95", "p99", "max")


def as_text(document: Document) -> str:
    """The whole report; `document` is what `edgeinfer load-test --json` prints."""
    lines = [f"EdgeInfer load report: profile {document['profile']} against {document['gateway']}"]
    lines += [document["stack"], ""] if document.get("stack") else [""]
    lines += _content(document)
    if document.get("prometheus"):
        lines += ["", *_prometheus(document["prometheus"])]
    lines += ["", "PASSED" if document["passed"] else "FAILED"]
    return "\n".join(lines)


def _content(document: Document) -> Iterator[str]:
    if "steps" in document:
        return _steps(document)
    return _soak(document["soak"]) if "soak" in document else _single(document["run"])


def _single(run: Document) -> Iterator[str]:
    yield f"{run['users']} users, {run['seconds']:.1f} s, {run['requests']} requests"
    yield f"offered {run['offered_per_second']:.1f}/s, answered well {run['goodput_per_second']:.1f}/s"
    yield ""
    yield "latency from when a request was due, in milliseconds; only answered requests"
    yield f"{'':10}{'requests':>9}{'success':>9}" + "".join(f"{name:>9}" for name in _COLUMNS)
    for name, operation in [*run["operations"].items(), ("all", run["all"])]:
        yield f"{name:10}{operation['requests']:>9}{_ratio(operation['success_ratio'])}" + "".join(
            _number(operation["latency_ms"].get(column)) for column in _COLUMNS
        )
    yield ""
    yield "source of the analyses: " + (_shares(run["sources"]) or "none was answered")
    for failure, count in sorted(run["failures"].items()):
        yield f"failed with {failure}: {count}"
    yield from _samples(run["samples"])
    yield ""
    for verdict in run["verdicts"]:
        yield _verdict(verdict)
    yield from _generator(run["generator"])


def _samples(samples: Document) -> Iterator[str]:
    yield (
        f"samples acknowledged: {samples['acknowledged_in_stopped_sessions']} in {samples['sessions_stopped']} "
        f"stopped sessions; according to the gateway: {samples['according_to_gateway']}; lost: {samples['lost']}"
    )


def _generator(generator: Document) -> Iterator[str]:
    lag = f"lag p99 {generator['lag_p99_ms']:.1f} ms, {generator['cpu_ratio']:.0%} of a core"
    if generator["is_bottleneck"]:
        yield f"THE GENERATOR WAS THE BOTTLENECK ({lag}): the latencies above are partly its own."
    else:
        yield f"the generator kept up ({lag})"


def _steps(document: Document) -> Iterator[str]:
    names = "".join(f"{name:>9}" for name in ("p50 ms", "p95 ms", "p99 ms", "success"))
    yield f"{'users':>6}{'offered/s':>11}{'goodput/s':>11}{names}  verdict"
    for step in document["steps"]:
        verdict = "kept" if step["passed"] else "broken"
        verdict += ", generator at its limit" if step["generator_is_bottleneck"] else ""
        yield (
            f"{step['users']:>6}{step['offered_per_second']:>11.1f}{step['goodput_per_second']:>11.1f}"
            + "".join(_number(step[name]) for name in ("p50_ms", "p95_ms", "p99_ms"))
            + f"{_ratio(step['success_ratio'])}  {verdict}"
        )
    knee = document["knee"]
    yield ""
    yield (
        f"knee: {knee['users']} users, {knee['goodput_per_second']:.1f} requests/s, p95 {knee['p95_ms']:.1f} ms"
        if knee
        else "knee: below the first step"
    )


def _soak(soak: Document) -> Iterator[str]:
    yield f"{'minute':>7}{'requests':>10}{'failed':>8}{'p99 ms':>9}  processes"
    for entry in soak["minutes"]:
        processes = "; ".join(
            f"{name} {one['resident_bytes'] / 1e6:.1f} MB, {one['file_descriptors']} files"
            for name, one in entry["processes"].items()
        )
        minute = f"{entry['minute']:>7}{entry['requests']:>10}{entry['failed']:>8}"
        yield f"{minute}{_number(entry['p99_ms'])}  {processes}"
    for name, growth in soak["growth"].items():
        memory, files = growth["resident_bytes_per_hour"] / 1e6, growth["file_descriptors"]
        yield f"{name}: {memory:+.2f} MB an hour over the second half, {files:+d} files"
    yield from _samples(soak["samples"])
    yield from map(_verdict, soak["verdicts"])


def _prometheus(comparison: Document) -> Iterator[str]:
    if not comparison["comparable"]:
        yield f"Prometheus cannot be compared: {comparison['reason']}"
        return
    yield f"client and Prometheus {'agree' if comparison['agrees'] else 'DISAGREE'}"
    yield f"tolerance: {comparison['tolerance']}"
    for row in comparison["rows"]:
        low, high = row["p95_prometheus_ms"]
        yield (
            f"  {row['operation']:10} requests {row['requests_client']} / {row['requests_prometheus']}"
            f" {'ok' if row['requests_agree'] else 'DIFFER'};"
            f" p95 {_number(row['p95_client_ms']).strip()} ms / {low:g} to {high:g} ms"
            f" {_p95(row)}"
        )


def _p95(row: Document) -> str:
    if not row["p95_agrees"]:
        return "DIFFER"
    return "ok, but more of it passed outside of the gateway" if row["p95_outside_gateway"] else "ok"


def _verdict(verdict: Document) -> str:
    value, limit, unit = verdict["value"], verdict["limit"], verdict["unit"]
    if value is None:
        shown = "nothing was answered"
    elif unit == "ratio":
        shown = f"{value:.2%} (over {limit:.0%} promised)"
    else:
        shown = f"{value:.1f} ms (under {limit:g} ms promised)" if unit == "ms" else f"{value} {unit} (at most {limit})"
    return f"{'ok    ' if verdict['passed'] else 'BROKEN'} {verdict['what']}: {shown}"


def _shares(sources: dict[str, int]) -> str:
    total = sum(sources.values())
    return ", ".join(f"{source} {count / total:.1%}" for source, count in sorted(sources.items(), reverse=True))


def _number(value: float | None) -> str:
    return f"{'-':>9}" if value is None else f"{value:>9.1f}"


def _ratio(value: float | None) -> str:
    return f"{'-':>9}" if value is None else f"{value:>9.2%}"
