"""What the monitoring does to its own measurements is not taken for a failure of what it measures."""

from typing import Any

from edgeinfer.diagnosis.diagnosis import Certainty, Diagnosis
from edgeinfer.diagnosis.machine import Facts
from edgeinfer.diagnosis.run import Diagnostician
from edgeinfer.monitoring.causes import all_causes
from edgeinfer.monitoring.causes.signs import PROMETHEUS_RELOADED, SIDECAR, condition, refused
from tests.diagnosis.answers import NOW, Answers, firing, one

CAUSES = {cause.name: cause for cause in all_causes()}
DOWN = [one(0, job=SIDECAR, instance="sidecar:9000")]


async def diagnosed(series: dict[str, list[dict[str, Any]]], **found: str) -> Diagnosis:
    async def look() -> Facts:
        facts = Facts()
        for subject, value in found.items():
            facts.add(subject if "." in subject else f"{subject}.answer", value)
        return facts

    return await Diagnostician(Answers(series), look, clock=lambda: NOW).diagnose()


async def test_notifications_dropped_after_a_reload_may_be_the_reload_s() -> None:
    series = {
        **firing("PrometheusNotificationsDropped"),
        condition("PrometheusNotificationsDropped"): [one(3, job="prometheus")],
    }
    healthy = {"alertmanager.process": "running", "alertmanager.log": "nothing", "machine.kernel_log": "nothing"}
    sure = await diagnosed(series, **healthy)
    unsure = await diagnosed({**series, PROMETHEUS_RELOADED.expression: [one(1)]}, **healthy)
    assert [one.name for one in (*sure.findings, *unsure.findings)] == ["alertmanager-stopped"] * 2
    assert [one.certainty for one in (*sure.findings, *unsure.findings)] == [Certainty.CERTAIN, Certainty.LIKELY]
    assert "read its configuration again" in unsure.findings[0].evidence[-1]


async def test_a_target_that_a_prometheus_just_started_has_not_found_yet_is_not_forgotten() -> None:
    series = {**firing("HailoTargetMissing"), condition("HailoTargetMissing"): [one(1, job="edge-infer")]}
    forgotten, [started] = await diagnosed(series), CAUSES["target-forgotten"].unless
    assert [one.name for one in forgotten.findings] == ["target-forgotten"]
    found = await diagnosed({**series, started.expression: [one(4)]})
    assert found.findings == ()
    assert [one.name for one in found.unexplained] == ["HailoTargetMissing"]


async def test_targets_that_are_missing_after_a_damaged_log_are_its_consequence() -> None:
    [started] = CAUSES["target-forgotten"].unless
    found = await diagnosed(
        {
            **firing("HailoTargetMissing", "PrometheusWriteAheadLogDamaged"),
            condition("HailoTargetMissing"): [one(1, job="edge-infer")],
            condition("PrometheusWriteAheadLogDamaged"): [one(1)],
            started.expression: [one(4)],
        }
    )
    assert [one.name for one in found.findings] == ["prometheus-log-damaged"]
    assert found.unexplained == ()


async def test_what_is_ruled_out_now_and_looks_the_same_as_when_it_began_was_not_it_then() -> None:
    """A sidecar that answers, and that Prometheus does not reach, did not stop: no known cause fits."""
    series = {**firing("HailoSidecarDown"), refused(SIDECAR): DOWN}
    stopped = await diagnosed(series, sidecar="refused")
    assert [one.name for one in stopped.findings] == ["sidecar-stopped"]
    found = await diagnosed(series, sidecar="well")
    assert found.findings == ()
    assert [one.name for one in found.unexplained] == ["HailoSidecarDown"]


async def test_a_sidecar_that_refuses_every_connection_runs() -> None:
    series = {**firing("HailoSidecarDown"), refused(SIDECAR): DOWN}
    for answer in ("failing", "silent"):
        found = await diagnosed(series, sidecar=answer)
        assert "sidecar-stopped" not in [one.name for one in found.findings]
