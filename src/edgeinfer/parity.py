"""How far two backends agree on the same windows: the drift of eight bits as a number."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeinfer.backends.base import Backend, Description, Inference, Window, check_inference
from edgeinfer.errors import BackendError
from edgeinfer.recordings.reader import load_recording

__all__ = [
    "Gate",
    "Latency",
    "ParityReport",
    "compare",
    "cosine",
    "recorded_windows",
]

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Latency:
    """Time of one window on one backend, in seconds.

    Args:
        p50: half of the windows took no longer.
        p95: 95 of 100 took no longer.
        p99: 99 of 100 took no longer.
        execute_p50: of the network alone.
    """

    p50: float
    p95: float
    p99: float
    execute_p50: float


@dataclass(frozen=True, slots=True)
class ParityReport:
    """What the comparison found.

    Args:
        windows: compared.
        failures: windows that the candidate did not answer, by class of error.
        cosine_mean: of the angle between the latents; 1 is the same direction.
        cosine_p1: 99 of 100 windows are at least as close.
        cosine_min: of the worst window.
        agreement: share of windows with the same top motif.
        max_score_difference: of any motif in any window.
        reference: what the reference is.
        candidate: what the candidate is.
        reference_latency: of the reference.
        candidate_latency: of the candidate.
    """

    windows: int
    failures: dict[str, int]
    cosine_mean: float
    cosine_p1: float
    cosine_min: float
    agreement: float
    max_score_difference: float
    reference: Description
    candidate: Description
    reference_latency: Latency
    candidate_latency: Latency

    def as_document(self) -> dict[str, Any]:
        """The measurements as a JSON object, nested as the fields are."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Gate:
    """What a candidate has to reach.

    Args:
        cosine_mean: least mean cosine.
        cosine_p1: least cosine of 99 of 100 windows.
        agreement: least share of windows with the same top motif.
    """

    cosine_mean: float = 0.99
    cosine_p1: float = 0.97
    agreement: float = 0.95

    def violations(self, report: ParityReport) -> list[str]:
        """What was not reached, in words."""
        rows = [
            ("mean cosine", report.cosine_mean, self.cosine_mean),
            ("cosine p1", report.cosine_p1, self.cosine_p1),
            ("motif agreement", report.agreement, self.agreement),
        ]
        found = [f"{name} {value:.4f} is below {least:.4f}" for name, value, least in rows if not value >= least]
        return found + [f"{count} windows failed with {name}" for name, count in report.failures.items()]


def recorded_windows(names: Iterable[str], *, length: int, hop: int) -> Iterator[Window]:
    """Windows of recordings, each beginning `hop` samples after the one before."""
    for name in names:
        samples = load_recording(name).samples
        for start in range(0, len(samples) - length + 1, hop):
            yield np.ascontiguousarray(samples[start : start + length])


def cosine(one: Array, other: Array) -> float:
    """Of the angle between two vectors; 0 where one of them has no length."""
    lengths = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
    return float(np.dot(one, other)) / lengths if lengths else 0.0


def compare(reference: Backend, candidate: Backend, windows: Sequence[Window]) -> ParityReport:
    """Run the windows through both backends; both are opened and closed here.

    Raises:
        BackendError: a backend cannot be opened, the reference failed, or the candidate answered nothing.
    """
    described, answers, seconds = _run(reference, windows)
    failed = [answer for answer in answers if isinstance(answer, BackendError)]
    if failed:
        raise failed[0]
    other_described, other_answers, other_seconds = _run(candidate, windows)
    pairs = [
        (one, other)
        for one, other in zip(answers, other_answers, strict=True)
        if isinstance(one, Inference) and isinstance(other, Inference)
    ]
    if not pairs:
        first = next(answer for answer in other_answers if isinstance(answer, BackendError))
        raise first
    cosines = np.array([cosine(one.latent, other.latent) for one, other in pairs])
    return ParityReport(
        windows=len(pairs),
        failures=_failures(other_answers),
        cosine_mean=float(cosines.mean()),
        cosine_p1=float(np.percentile(cosines, 1)),
        cosine_min=float(cosines.min()),
        agreement=float(np.mean([one.motif_scores.argmax() == other.motif_scores.argmax() for one, other in pairs])),
        max_score_difference=max(float(np.abs(one.motif_scores - other.motif_scores).max()) for one, other in pairs),
        reference=described,
        candidate=other_described,
        reference_latency=_latency(answers, seconds),
        candidate_latency=_latency(other_answers, other_seconds),
    )


_Answers = list[Inference | BackendError]


def _run(backend: Backend, windows: Sequence[Window]) -> tuple[Description, _Answers, list[float]]:
    try:
        described = backend.open()
        answers: _Answers = []
        seconds = []
        for window in windows:
            started = perf_counter()
            try:
                answer = backend.infer(window)
                seconds.append(perf_counter() - started)
                check_inference(answer, described.latent_dimensions, described.motif_count)
                answers.append(answer)
            except BackendError as failure:
                answers.append(failure)
        return described, answers, seconds
    finally:
        backend.close()


def _failures(answers: _Answers) -> dict[str, int]:
    found: dict[str, int] = {}
    for answer in answers:
        if isinstance(answer, BackendError):
            found[answer.error_class] = found.get(answer.error_class, 0) + 1
    return found


def _latency(answers: _Answers, seconds: list[float]) -> Latency:
    p50, p95, p99 = (float(np.percentile(seconds, share)) for share in (50, 95, 99))
    execute = [answer.execute_seconds for answer in answers if isinstance(answer, Inference)]
    return Latency(p50, p95, p99, float(np.median(execute)))
