from dataclasses import replace

import pytest

from edgeinfer.diagnosis.diagnosis import Certainty, Diagnosis, Verdict
from edgeinfer.diagnosis.machine import Facts
from edgeinfer.diagnosis.run import Diagnostician
from edgeinfer.diagnosis.view import Asks
from edgeinfer.errors import MonitoringError
from edgeinfer.monitoring.causes import all_causes
from edgeinfer.monitoring.causes.cause import Action, Cause, Evidence
from edgeinfer.monitoring.causes.facts import fact
from edgeinfer.monitoring.causes.signs import SIDECAR, condition, refused, silent
from tests.diagnosis.answers import NOW, Answers, Dead, firing, one

SIDECAR_SERIES = [one(0, job=SIDECAR, instance="sidecar:9000")]


async def diagnosed(
    prometheus: Asks, at: float | None = None, causes: tuple[Cause, ...] = (), **found: str
) -> Diagnosis:
    """A diagnosis by all entries; facts as `sidecar__answer="refused"`."""

    async def look() -> Facts:
        facts = Facts()
        for name, value in found.items():
            facts.add(name.replace("__", "."), value, "as the test says")
        return facts

    return await Diagnostician(prometheus, look, causes=causes, clock=lambda: NOW).diagnose(at)


async def test_a_killed_sidecar_is_one_finding_not_five_alerts() -> None:
    alerts = firing(
        "HailoSidecarDown",
        "EdgeInferFallingBack",
        "HailoCircuitOpen",
        "EdgeInferHealthDegraded",
        "HailoErrorBudgetBurnFast",
    )
    found = await diagnosed(Answers({**alerts, refused(SIDECAR): SIDECAR_SERIES}), sidecar__answer="refused")
    assert [finding.name for finding in found.findings] == ["sidecar-stopped"]
    assert len(found.findings[0].explains) == 5
    assert found.unexplained == ()
    assert found.verdict is Verdict.FOUND
    assert found.since == NOW - 300


async def test_a_process_that_hangs_is_distinguished_from_one_that_does_not_run() -> None:
    hangs = await diagnosed(Answers({**firing("HailoSidecarDown"), silent(SIDECAR): SIDECAR_SERIES}))
    stopped = await diagnosed(Answers({**firing("HailoSidecarDown"), refused(SIDECAR): SIDECAR_SERIES}))
    assert [hangs.findings[0].name, stopped.findings[0].name] == ["sidecar-hangs", "sidecar-stopped"]
    assert "sidecar-stopped" in {one.name for one in hangs.considered}


async def test_what_the_log_says_goes_before_what_it_leads_to() -> None:
    alerts = firing("HailoSidecarDown")
    found = await diagnosed(
        Answers({**alerts, refused(SIDECAR): SIDECAR_SERIES}),
        sidecar__answer="refused",
        sidecar__process="restarting",
        sidecar__log="out_of_memory",
    )
    assert [finding.name for finding in found.findings] == ["sidecar-out-of-memory"]
    assert any("as the test says" in text for text in found.findings[0].evidence)


async def test_without_prometheus_the_machine_alone_names_the_cause_and_the_blindness_is_said() -> None:
    found = await diagnosed(Dead(), sidecar__answer="refused", gateway__answer="well", prometheus__answer="refused")
    assert {finding.name for finding in found.findings} == {"sidecar-stopped", "prometheus-stopped"}
    assert any("it cannot be reached" in text for text in found.unseen)


async def test_nothing_wrong_says_what_that_rests_on() -> None:
    answers = Answers({**firing(), "up": [one(1, job="a"), one(1, job="b")]})
    found = await diagnosed(answers, gateway__answer="well")
    assert (found.verdict, found.headline) == (Verdict.WELL, "Nothing is wrong")
    assert found.rests_on[0] == "2 of 2 targets answer Prometheus"
    assert any("gateway" in text for text in found.rests_on)


@pytest.mark.parametrize(
    "prometheus", [Answers({}, newest=None), Answers(firing(), newest=NOW - 3600), Dead()], ids=["empty", "old", "dead"]
)
async def test_what_was_not_measured_is_not_called_well(prometheus: Asks) -> None:
    found = await diagnosed(prometheus, gateway__answer="well")
    assert found.verdict is Verdict.UNSEEN
    assert found.findings == ()
    assert found.unseen


async def test_with_a_part_of_the_measurements_missing_it_is_not_called_well() -> None:
    class Late(Answers):
        async def query(self, expression: str, moment: float) -> list[dict[str, object]]:
            if expression == refused(SIDECAR):
                raise MonitoringError("Prometheus", "it did not answer within 2 s", "Look.", kind="timeout")
            return await super().query(expression, moment)

    found = await diagnosed(Late(firing()), gateway__answer="well")
    assert (found.verdict, found.findings) == (Verdict.UNSEEN, ())
    assert any("did not answer within 2 s" in one for one in found.unseen)


async def test_an_alert_that_no_cause_explains_is_unknown_with_its_neighbourhood_and_never_a_guess() -> None:
    found = await diagnosed(Answers(firing("HailoErrorClassSpike")))
    assert found.verdict is Verdict.UNKNOWN
    assert found.findings == ()
    assert [(one.name, one.service) for one in found.unexplained] == [("HailoErrorClassSpike", "edge-infer")]
    assert "no known cause fits" in found.headline


async def test_an_alert_that_looks_back_is_explained_by_what_was_the_cause_when_it_began() -> None:
    class Then(Answers):
        async def query(self, expression: str, moment: float) -> list[dict[str, object]]:
            if expression == refused(SIDECAR):
                return SIDECAR_SERIES if moment < NOW - 100 else []
            return await super().query(expression, moment)

    found = await diagnosed(Then(firing("HailoErrorBudgetBurnFast")))
    assert [(one.name, one.is_over, one.certainty) for one in found.findings] == [
        ("sidecar-stopped", True, Certainty.LIKELY)
    ]
    assert "it has ended" in found.headline


async def test_of_the_past_the_machine_is_not_looked_at() -> None:
    found = await diagnosed(Answers(firing(), newest=NOW - 62), at=NOW - 60, sidecar__answer="refused")
    assert found.findings == ()
    assert any("only now" in text for text in found.unseen)


async def test_a_look_alike_that_could_not_be_seen_makes_it_likely_only() -> None:
    seen = Cause(
        name="seen",
        title="Seen",
        service="a",
        alerts=("HailoSidecarDown",),
        confused_with=("unseen",),
        evidence=(Evidence("down", refused(SIDECAR)),),
        remedy=(Action("Start it."),),
    )
    unseen = Cause(
        name="unseen",
        title="Unseen",
        service="a",
        alerts=("HailoSidecarDown",),
        evidence=(
            Evidence("down", refused(SIDECAR)),
            Evidence("killed", facts=(fact("sidecar.log", "out_of_memory"),)),
        ),
        remedy=(Action("Start it."),),
    )
    answers = Answers({**firing("HailoSidecarDown"), refused(SIDECAR): SIDECAR_SERIES})
    blind = await diagnosed(answers, causes=(seen, unseen))
    looked = await diagnosed(answers, causes=(seen, unseen), sidecar__log="nothing")
    assert [blind.findings[0].certainty, looked.findings[0].certainty] == [Certainty.LIKELY, Certainty.CERTAIN]
    assert [one.name for one in blind.possible] == ["unseen"]


async def test_a_ticket_that_is_only_pending_is_no_symptom() -> None:
    pending = firing("HailoCpuBusy", state="pending")
    found = await diagnosed(Answers({**pending, condition("HailoCpuBusy"): [one(1)]}))
    assert found.verdict is Verdict.WELL


async def test_a_wrong_clock_is_not_a_check_that_stands_still() -> None:
    stale = {condition("EdgeInferHealthCheckStale"): [one(3600, check="service")]}
    entries = await diagnosed(Answers({**firing("EdgeInferHealthCheckStale"), **stale}))
    assert [one.name for one in entries.findings] == ["checks-stand-still"]
    [clock] = [cause for cause in all_causes() if cause.name == "clock-wrong"]
    behind = {clock.evidence[0].expression: [one(3600)]}
    found = await diagnosed(Answers({**firing("EdgeInferHealthCheckStale"), **stale, **behind}))
    assert [one.name for one in found.findings] == ["clock-wrong"]


async def test_a_clock_behind_its_measurements_is_named_and_what_they_say_of_now_is_not_believed() -> None:
    answers = Answers({**firing("HailoSidecarDown"), refused(SIDECAR): SIDECAR_SERIES})
    answers.stored = NOW + 3600
    found = await diagnosed(answers, gateway__answer="well")
    assert [(one.name, one.certainty) for one in found.findings] == [("clock-wrong", Certainty.CERTAIN)]
    assert "this machine's clock says" in found.findings[0].evidence[0]
    assert any("clock" in text for text in found.unseen)
    before = await diagnosed(answers, at=NOW - 60)
    assert "clock-wrong" not in [one.name for one in before.findings]


async def test_a_look_alike_that_fits_as_well_makes_it_likely_only() -> None:
    answers = Answers({**firing("HailoSidecarDown"), silent(SIDECAR): SIDECAR_SERIES})
    alone = await diagnosed(answers)
    crowded = Answers({**firing("HailoSidecarDown", "HailoQueueBacklog"), silent(SIDECAR): SIDECAR_SERIES})
    twin = Cause(
        name="twin",
        title="Twin",
        service="a",
        alerts=("HailoSidecarDown", "HailoQueueBacklog"),
        evidence=(Evidence("silent", silent(SIDECAR)),),
        confused_with=("other",),
        remedy=(Action("Wait."),),
    )
    other = replace(twin, name="other", confused_with=())
    both = await diagnosed(crowded, causes=(twin, other))
    assert {one.name: one.certainty for one in both.findings} == {
        "twin": Certainty.LIKELY,
        "other": Certainty.CERTAIN,
    }
    assert [one.name for one in alone.findings] == ["sidecar-hangs"]


async def test_a_clock_ahead_is_said_although_no_alert_fires() -> None:
    [clock] = [cause for cause in all_causes() if cause.name == "clock-wrong"]
    found = await diagnosed(Answers({**firing(), clock.evidence[0].expression: [one(172_800)]}))
    assert [one.name for one in found.findings] == ["clock-wrong"]


async def test_a_doubt_that_holds_makes_a_cause_likely_only_and_is_said() -> None:
    [hangs] = [cause for cause in all_causes() if cause.name == "sidecar-hangs"]
    busy = {hangs.doubts[0].expression: [one(0.99)]}
    found = await diagnosed(Answers({**firing("HailoSidecarDown"), silent(SIDECAR): SIDECAR_SERIES, **busy}))
    assert [(one.name, one.certainty) for one in found.findings] == [("sidecar-hangs", Certainty.LIKELY)]
    assert "the whole machine is busy" in found.findings[0].evidence[-1]
