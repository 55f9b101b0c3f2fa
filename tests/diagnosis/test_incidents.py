from edgeinfer.diagnosis.cost import Cost
from edgeinfer.diagnosis.diagnosis import Diagnosis, Verdict
from edgeinfer.diagnosis.incidents import Change, Incident, Stretch, grouped
from edgeinfer.diagnosis.report import as_lines, span
from edgeinfer.diagnosis.week import list_lines, total, week_lines


def stretch(first: float, last: float, alert: str = "HailoSidecarDown") -> Stretch:
    return Stretch(alert, "critical", first - 60, first, last)


def incident(start: float, **cost: int) -> Incident:
    return Incident(
        start, start + 600, False, ("HailoSidecarDown",), "critical", start + 90,
        Diagnosis(moment=start + 90, verdict=Verdict.FOUND, headline="The sidecar does not run"),
        Cost(start, start + 600, **cost), (Change("deploy of the sidecar", "1.5.0", start - 60),),
    )  # fmt: skip


def test_alerts_that_overlap_or_follow_soon_are_one_incident() -> None:
    groups = grouped(
        [stretch(1000, 2000), stretch(1500, 1600, "HailoCircuitOpen"), stretch(2500, 2600), stretch(4000, 4100)]
    )
    assert [[one.first for one in group] for group in groups] == [[1000, 1500, 2500], [4000]]


def test_a_short_alert_inside_of_a_long_one_does_not_end_the_incident() -> None:
    groups = grouped([stretch(0, 5000), stretch(100, 200, "HailoCircuitOpen"), stretch(5300, 5400)])
    assert len(groups) == 1


def test_costs_are_added_and_an_unknown_one_is_not_taken_for_zero() -> None:
    known = Cost(0, 1, failed=2, by_fallback=3, failed_calls=5, refused_uploads=0)
    assert total([known, known]).failed_calls == 10
    assert total([known, Cost(0, 1)]).failed_calls is None


def test_the_list_and_the_week_say_when_why_and_what_it_cost() -> None:
    found = [incident(1_790_000_000, failed=1, analyses=9, by_fallback=4, failed_calls=5, refused_uploads=0)]
    listed = "\n".join(list_lines(found))
    assert "lasted 10 min 0 s, critical" in listed
    assert "The sidecar does not run" in listed
    assert "1 of 9 analyses failed, 4 by fallback" in listed
    assert "deploy of the sidecar to 1.5.0" in listed
    summary = "\n".join(week_lines(found, 0, 1_790_000_600))
    assert "1 incidents that lasted 10 min 0 s together" in summary
    assert "5 calls to the sidecar failed" in summary
    assert list_lines([]) == ["No incident: no critical alert and no warning has fired."]


def test_an_unknown_cost_is_said() -> None:
    assert "unknown: the counters could not be read" in "\n".join(list_lines([incident(1_790_000_000)]))


def test_nothing_wrong_is_said_with_what_it_rests_on() -> None:
    lines = as_lines(
        Diagnosis(moment=0, verdict=Verdict.WELL, headline="Nothing is wrong", rests_on=("3 of 3 targets answer",))
    )
    assert lines[:4] == ["Nothing is wrong.", "", "This rests on", "  - 3 of 3 targets answer"]


def test_spans_have_their_two_largest_units() -> None:
    assert [span(one) for one in (-5, 59, 61, 3_700, 90_000)] == ["0 s", "59 s", "1 min 1 s", "1 h 1 min", "1 d 1 h"]
