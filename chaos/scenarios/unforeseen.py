"""Faults that no cause was written for: right is to say that none fits, and in whose neighbourhood it lies."""

from chaos.actions.action import Process
from chaos.actions.monitoring import ReconfigurePrometheus
from chaos.actions.processes import StartWith
from chaos.actions.resources import LimitResource, Resource
from chaos.actions.unforeseen import (
    AskForKeys,
    OtherWeights,
    Starve,
    by_tls,
    with_a_name_that_is_not_there,
    without_rules,
)
from chaos.scenario import Scenario

_DOWN = "HailoSidecarDown"

UNFORESEEN: tuple[Scenario, ...] = (
    Scenario(
        name="gateway-without-files",
        does="The limit of the gateway's open files is lowered below what it has open.",
        actions=(LimitResource(Process.GATEWAY, Resource.OPEN_FILES, amount=0),),
        alert="EdgeInferFallingBack",
        or_alert="EdgeInferDown",
        lost_requests=1.0,
        recovery_seconds=60.0,
    ),
    Scenario(
        name="sidecar-starved",
        does="The sidecar gets the processor for a tenth of the time, as under a quota that is too small.",
        actions=(Starve(Process.SIDECAR, stopped_seconds=0.45, running_seconds=0.05),),
        alert="HailoLatencyBudgetBurnFast",
        alert_minutes=25,
        lost_requests=0.2,
    ),
    Scenario(
        name="gateway-impatient",
        does="The timeout of a call to the sidecar was set to a millisecond.",
        actions=(StartWith(Process.GATEWAY, (("BACKEND_TIMEOUT_MS", "1"),)),),
        alert="EdgeInferFallingBack",
        lost_requests=1.0,
        recovery_seconds=60.0,
    ),
    Scenario(
        name="keys-unknown-to-phones",
        does="The gateway asks for API keys of which the phones have none, and refuses them all.",
        actions=(AskForKeys(),),
        alert="HailoNoTraffic",
        alert_minutes=25,
        lost_requests=1.0,
        may_lose_samples=True,
        recovery_seconds=60.0,
    ),
    Scenario(
        name="scraped-by-a-wrong-name",
        does="prometheus.yml names the sidecar by a name that no resolver knows; it serves as before.",
        actions=(ReconfigurePrometheus(with_a_name_that_is_not_there),),
        alert=_DOWN,
        alert_minutes=4,
        min_seconds=6.0,
    ),
    Scenario(
        name="scraped-by-tls",
        does="prometheus.yml asks the sidecar by TLS, which it does not speak; it serves as before.",
        actions=(ReconfigurePrometheus(by_tls),),
        alert=_DOWN,
        alert_minutes=4,
        min_seconds=6.0,
    ),
    Scenario(
        name="rules-forgotten",
        does="prometheus.yml names no rule file any more: no alert fires, the Watchdog neither.",
        actions=(ReconfigurePrometheus(without_rules),),
        min_seconds=25.0,
    ),
    Scenario(
        name="model-of-other-weights",
        does="The sidecar serves a model of the right shape whose weights are others.",
        actions=(OtherWeights(),),
        alert="HailoMotifCollapse",
        or_alert="HailoLatentDrift",
        alert_minutes=150,
        lost_requests=1.0,
        recovery_seconds=60.0,
        is_slow=True,
    ),
)

# The services near which each lies.
NEIGHBOURHOODS = {
    "gateway-without-files": ("edge-infer",),
    "sidecar-starved": ("hailo-inference", "edge-infer"),
    "gateway-impatient": ("edge-infer",),
    "keys-unknown-to-phones": ("edge-infer",),
    "scraped-by-a-wrong-name": ("hailo-inference", "prometheus"),
    "scraped-by-tls": ("hailo-inference", "prometheus"),
    "rules-forgotten": ("prometheus",),
    "model-of-other-weights": ("edge-infer", "hailo-inference"),
}
