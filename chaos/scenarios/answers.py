"""Answers that break the contract."""

from dataclasses import replace

from chaos.actions.action import Process
from chaos.actions.processes import StartWith
from chaos.actions.sensors import SensorInG
from chaos.faults import Fault, FaultKind
from chaos.scenario import Scenario, error, proxied, violation

ANSWERS = (
    proxied(
        "unhealthy",
        "The sidecar answers everything with 503, its health route too.",
        Fault(FaultKind.STATUS, status=503, only_infer=False),
        error("http_5xx"),
        alert="EdgeInferHealthDegraded",
        minutes=6,
    ),
    proxied(
        "http-4xx",
        "Every request is answered with 400.",
        Fault(FaultKind.STATUS, status=400),
        error("http_4xx"),
        alert="HailoErrorBudgetBurnFast",
        minutes=25,
    ),
    proxied(
        "http-5xx",
        "Every request is answered with 500.",
        Fault(FaultKind.STATUS, status=500),
        error("http_5xx"),
        error("circuit_open"),
        alert="EdgeInferFallingBack",
    ),
    proxied(
        "redirect",
        "Every request is answered with 302.",
        Fault(FaultKind.STATUS, status=302),
        error("unknown_error"),
        alert="EdgeInferFallingBack",
    ),
    proxied(
        "broken-off",
        "Answers end in the middle.",
        Fault(FaultKind.BROKEN_OFF),
        error("malformed_response"),
        alert="EdgeInferFallingBack",
    ),
    proxied(
        "truncated",
        "Answers are cut in half and claim to be whole.",
        Fault(FaultKind.TRUNCATED),
        error("malformed_response"),
        alert="EdgeInferFallingBack",
    ),
    proxied(
        "malformed",
        "A page of HTML comes back with status 200.",
        Fault(FaultKind.MALFORMED),
        error("malformed_response"),
        alert="EdgeInferFallingBack",
    ),
    proxied(
        "wrong-dimensions",
        "Answers hold 9 motif scores in place of 12.",
        Fault(FaultKind.WRONG_DIMENSIONS),
        error("malformed_response"),
        violation("motif_shape"),
        alert="HailoOutputContractViolation",
        minutes=3,
    ),
    proxied(
        "not-a-number",
        "Answers hold NaN in the latent vector.",
        Fault(FaultKind.NOT_A_NUMBER),
        error("decode_error"),
        violation("not_finite"),
        alert="HailoOutputContractViolation",
        minutes=3,
    ),
    replace(
        proxied(
            "unsure",
            "Every answer gives all motifs the same score, and so the same motif first.",
            Fault(FaultKind.UNSURE),
            alert="HailoMotifConfidenceLow",
            minutes=150,
        ),
        further_alerts=("HailoMotifCollapse",),
        is_slow=True,
    ),
    Scenario(
        name="foreign-signal",
        does="The gateway starts again and judges by the population: phones are worn at leg and wrist, and the model "
        "was made for the waist.",
        actions=(StartWith(Process.GATEWAY, (("EDGEINFER_GATEWAY_DRIFT_BASELINE", "population"),)),),
        alert="HailoLatentDrift",
        further_alerts=("HailoMotifDrift",),
        alert_minutes=40,
        # 500 answers come in half a minute or so, and drift is computed every ten seconds.
        fixed_seconds=90.0,
        lost_requests=0.2,
        is_slow=True,
    ),
    Scenario(
        name="sensor-in-g",
        does="One more phone streams accelerations in g in place of m/s².",
        actions=(SensorInG(),),
        alert="EdgeInferInputQualityPoor",
        alert_minutes=7,
        # Ten seconds until the streams are judged.
        fixed_seconds=15.0,
    ),
    Scenario(
        name="stub-answers",
        does="The sidecar is started again with the stub.",
        actions=(StartWith(Process.SIDECAR, (("EDGEINFER_SIDECAR_BACKEND", "stub"),)),),
        alert="HailoStubAnswers",
        alert_minutes=4,
        recovery_seconds=60.0,
    ),
    proxied(
        "answered-elsewhere",
        "Another sidecar answers than the one whose counters are read.",
        Fault(FaultKind.ELSEWHERE),
        alert="HailoCounterSilent",
        minutes=12,
    ),
)
