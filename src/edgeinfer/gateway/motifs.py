"""What a session's newest window shows, motif by motif."""

from collections.abc import Callable
from time import time

import msgspec

from edgeinfer.gateway.analysis import Analysis, InferenceService
from edgeinfer.gateway.resampling import WindowSource
from edgeinfer.gateway.stream import Stream, TimelineEntry
from edgeinfer.model.card import Motif


class MotifFinding(msgspec.Struct):
    """One motif.

    Args:
        index: in the model card.
        score: the model's calibrated probability; all of them sum to 1.
        confidence: score / (score + strongest other score): 0.5 is a draw with its strongest rival.
        duration_seconds: time in the session's recent analysed windows in which it scored highest.
    """

    index: int
    motif: Motif
    score: float
    confidence: float
    duration_seconds: float


class Motifs(msgspec.Struct, frozen=True):
    """The motifs of a window, highest score first, and where they came from.

    Args:
        activity: what its sender knows was done, or empty.
    """

    diagnostics: list[MotifFinding]
    analysis: Analysis
    window: WindowSource
    activity: str = ""


async def find_motifs(
    service: InferenceService,
    motifs: tuple[Motif, ...],
    stream: Stream,
    request_id: str,
    wall: Callable[[], float] = time,
) -> Motifs:
    """Analyse the newest window of a stream.

    Raises:
        NotEnoughSamples, UnusableWindow: the samples of the stream make no window.
        Overloaded, NotReady: as `InferenceService.analyze_imu_window`.
    """
    window, source = stream.window()
    analysis = await service.analyze_imu_window(window, "motifs", request_id)
    top = analysis.outputs.top
    stream.note(source.end, top)
    activity = stream.activities.during(source.end - source.span_seconds, source.end)
    stream.timeline.append(TimelineEntry(source.end, top, analysis.source, activity, wall()))
    return Motifs(rank(analysis.outputs.scores, motifs, stream), analysis, source, activity)


def rank(scores: list[float], motifs: tuple[Motif, ...], stream: Stream) -> list[MotifFinding]:
    order = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)
    best, second = scores[order[0]], scores[order[1]] if len(order) > 1 else 0.0
    seconds, findings = stream.seconds_by_motif(), []
    for index in order:
        score = scores[index]
        both = score + (second if index == order[0] else best)
        findings.append(
            MotifFinding(index, motifs[index], score, score / both if both > 0 else 0.0, seconds.get(index, 0.0))
        )
    return findings
