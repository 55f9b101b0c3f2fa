"""The shape of a failure that is provoked: what is done, what must be noticed, and what must not be lost."""

from dataclasses import dataclass

from chaos.actions.action import Action, Process
from chaos.actions.traffic import Inject
from chaos.faults import Fault
from edgeinfer.catalog import gateway as gateway_metrics
from edgeinfer.catalog import sidecar as sidecar_metrics
from edgeinfer.catalog.metric import Metric

# An open circuit is probed after at most 30 s: see the gateway's circuit breaker.
RECOVERY_SECONDS = 35.0


@dataclass(frozen=True, slots=True)
class Counted:
    """A counter that must grow.

    Args:
        metric: catalog entry of a counter.
        labels: label values, in the order of the entry; empty strings match any.
        process: who exports it.
    """

    metric: Metric
    labels: tuple[str, ...]
    process: Process = Process.GATEWAY

    @property
    def title(self) -> str:
        """The label values that say which class it is."""
        return ", ".join(label for label in self.labels if label) or self.metric.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One failure and what is expected of the system while it lasts and after it.

    Args:
        name: in words with dashes.
        does: one sentence on what is done.
        actions: what is done, at the same time.
        counted: counters that must grow, at least one of each.
        alert: must arrive at the webhook; empty if the failure does not notify.
        or_alert: may arrive in place of the alert, which it holds back.
        further_alerts: must arrive as well.
        seen_in_prometheus: the alert is checked in Prometheus, because no notification gets out.
        is_steady_state: no fault; the alert always fires, and no other may, save those about the machine.
        alert_minutes: within this time of the real rules.
        fixed_seconds: time in addition to the rules': thresholds that are seconds.
        lost_requests: share of analyses that may fail while the fault lasts; the fallback answers the others.
        may_lose_samples: whether samples are refused for good while it lasts.
        recovery_seconds: after the end of the fault, sidecars answer again within this time.
        min_seconds: the fault lasts at least as long, also when the alert comes sooner.
        needs_chip: whether it needs the fake Hailo chip behind sidecar and exporter.
        needs_clock: whether it needs a clock that can be shifted.
        needs_store: whether it damages files of the monitoring; its own stack writes blocks often.
        needs_machine: whether it takes the whole machine, so that nothing else may run at the same time.
        is_slow: whether it takes long also with shortened rules, and is left out of a quick run.
    """

    name: str
    does: str
    actions: tuple[Action, ...]
    counted: tuple[Counted, ...] = ()
    alert: str = ""
    or_alert: str = ""
    further_alerts: tuple[str, ...] = ()
    seen_in_prometheus: bool = False
    is_steady_state: bool = False
    alert_minutes: float = 8.0
    fixed_seconds: float = 0.0
    lost_requests: float = 0.0
    may_lose_samples: bool = False
    recovery_seconds: float = RECOVERY_SECONDS
    min_seconds: float = 3.0
    needs_chip: bool = False
    needs_clock: bool = False
    needs_store: bool = False
    needs_machine: bool = False
    is_slow: bool = False


def error(error_type: str) -> Counted:
    """A failed call to the sidecar, of this class."""
    return Counted(gateway_metrics.INFERENCE_ERRORS, (error_type,))


def violation(check: str) -> Counted:
    """An answer outside the model's contract, found by this check."""
    return Counted(gateway_metrics.CONTRACT_VIOLATIONS, (check,))


def proxied(name: str, does: str, fault: Fault, *counted: Counted, alert: str, minutes: float = 8.0) -> Scenario:
    """A fault between gateway and sidecar; the fallback answers every request, so that none may be lost."""
    return Scenario(name=name, does=does, actions=(Inject(fault),), counted=counted, alert=alert, alert_minutes=minutes)


def hardware_error(error_class: str) -> Counted:
    """A failure of the chip, of this class."""
    return Counted(sidecar_metrics.HARDWARE_ERRORS, (error_class,), Process.SIDECAR)
