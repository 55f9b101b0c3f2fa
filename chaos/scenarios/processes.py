"""Processes that die, hang or run out of something."""

from chaos.actions.action import Process
from chaos.actions.processes import DamageStore, Freeze, Kill, KillLoop, StartWith, TakePort
from chaos.actions.resources import ClockStep, CpuStress, LimitResource, Resource, RestartWithMemoryLimit
from chaos.actions.traffic import ClientFlood, Inject, NotHttp, NoTraffic, SessionFlood
from chaos.faults import Fault, FaultKind
from chaos.scenario import Counted, Scenario, error
from edgeinfer.catalog import gateway as gateway_metrics
from edgeinfer.catalog import sidecar as sidecar_metrics
from edgeinfer.catalog import system as system_metrics

PROCESSES = (
    Scenario(
        name="sidecar-killed",
        does="The sidecar is killed with SIGKILL and stays away.",
        actions=(Kill(Process.SIDECAR),),
        counted=(error("connection_error"), error("circuit_open")),
        alert="HailoSidecarDown",
        alert_minutes=4,
    ),
    Scenario(
        name="sidecar-frozen",
        does="The sidecar is stopped with SIGSTOP: connections live, answers do not come.",
        actions=(Freeze(Process.SIDECAR),),
        counted=(error("timeout"),),
        alert="HailoSidecarDown",
        alert_minutes=4,
        min_seconds=6.0,  # a process hangs when it did not answer several scrapes in a row
    ),
    Scenario(
        name="sidecar-restart-loop",
        does="The sidecar is killed each time it is back.",
        actions=(KillLoop(Process.SIDECAR),),
        counted=(error("connection_error"),),
        alert="HailoSidecarDown",
        alert_minutes=4,
        recovery_seconds=60.0,
    ),
    Scenario(
        name="sidecar-port-taken",
        does="Another program has the sidecar's port, and answers gateway and Prometheus with its own metrics.",
        actions=(TakePort(Process.SIDECAR),),
        counted=(error("malformed_response"),),
        alert="ScrapeTargetForeign",
        alert_minutes=5,
        recovery_seconds=60.0,
    ),
    Scenario(
        name="sidecar-memory-capped",
        does="The sidecar may take no more memory than it has; serving needs none.",
        actions=(LimitResource(Process.SIDECAR, Resource.MEMORY),),
        min_seconds=10.0,
    ),
    Scenario(
        name="sidecar-out-of-memory",
        does="The sidecar is killed, and finds less memory than it needs each time it starts.",
        # Too little to import what it needs. With 256 MB it now and then began to serve, and was not ready.
        actions=(RestartWithMemoryLimit(Process.SIDECAR, megabytes=128),),
        counted=(error("connection_error"),),
        alert="HailoSidecarDown",
        alert_minutes=4,
        recovery_seconds=60.0,
    ),
    Scenario(
        name="gateway-killed",
        does="The gateway is killed with SIGKILL and stays away until it was noticed.",
        actions=(Kill(Process.GATEWAY),),
        alert="EdgeInferDown",
        alert_minutes=4,
        lost_requests=1.0,
    ),
    Scenario(
        name="gateway-killed-at-random",
        does="The gateway is killed with SIGKILL again and again at random moments, while phones stream.",
        actions=(KillLoop(Process.GATEWAY, min_seconds=1.0, max_seconds=4.0),),
        min_seconds=25.0,
        lost_requests=1.0,
        recovery_seconds=60.0,
        is_slow=True,
    ),
    Scenario(
        name="gateway-frozen",
        does="The gateway is stopped with SIGSTOP.",
        actions=(Freeze(Process.GATEWAY),),
        alert="EdgeInferDown",
        alert_minutes=4,
        min_seconds=6.0,
        lost_requests=1.0,
    ),
)

# One window at a time, in some 40 ms: the capacity is known on any machine.
_SLOW_STUB = StartWith(
    Process.SIDECAR,
    (
        ("EDGEINFER_SIDECAR_BACKEND", "stub"),
        ("EDGEINFER_STUB_LATENCY_MS", "40"),
        ("EDGEINFER_SIDECAR_WORKERS", "1"),
    ),
)

RESOURCES = (
    Scenario(
        name="sidecar-without-files",
        does="The sidecar may open no file or connection more.",
        actions=(LimitResource(Process.SIDECAR, Resource.OPEN_FILES, amount=0),),
        counted=(error("timeout"),),
        alert="EdgeInferFallingBack",
        # Where Prometheus' kept connection was lost as well, the sidecar counts as down.
        or_alert="HailoSidecarDown",
        recovery_seconds=60.0,
    ),
    Scenario(
        name="disk-full",
        does="The gateway can write no more: samples are refused with 507, and sent again by the phones.",
        # The testbed's own phones wait longer and longer: their refusals alone stay at the edge of the alert's 5 %.
        actions=(LimitResource(Process.GATEWAY, Resource.FILE_SIZE, amount=4096), SessionFlood(callers=2)),
        counted=(Counted(gateway_metrics.PROBLEMS, ("storage_error",)),),
        alert="EdgeInferServerErrors",
    ),
    Scenario(
        name="store-damaged",
        does="The gateway is killed, and a bit of its session store is another one when it starts again.",
        actions=(DamageStore(),),
        alert="EdgeInferStoreDamaged",
        lost_requests=1.0,
    ),
    Scenario(
        name="sidecar-backlogged",
        does="Thirty callers ask a sidecar that computes one window in 40 ms: its queue never empties.",
        actions=(_SLOW_STUB, ClientFlood(callers=30)),
        alert="HailoQueueBacklog",
        alert_minutes=8,
        recovery_seconds=60.0,
    ),
    Scenario(
        name="sidecar-flooded",
        does="A hundred and fifty callers ask the same sidecar: its queue is full, and it sheds.",
        actions=(_SLOW_STUB, ClientFlood(callers=150)),
        counted=(Counted(sidecar_metrics.INFERENCES, ("shed",), Process.SIDECAR),),
        alert="HailoSheddingLoad",
        alert_minutes=8,
        recovery_seconds=60.0,
        is_slow=True,
    ),
    Scenario(
        name="nobody-answers",
        does="The sidecar cannot be reached, and the gateway has no fallback.",
        actions=(
            StartWith(Process.GATEWAY, (("EDGEINFER_GATEWAY_FALLBACK", "false"),)),
            Inject(Fault(FaultKind.RESET)),
        ),
        alert="EdgeInferAnswersMissing",
        alert_minutes=9,
        lost_requests=1.0,
        recovery_seconds=60.0,
    ),
    Scenario(
        name="clock-jumps-back",
        does="The wall clock of gateway and sidecar falls back by an hour while phones stream.",
        actions=(ClockStep(-3600),),
        alert="EdgeInferHealthCheckStale",
        alert_minutes=4,
        needs_clock=True,
    ),
    Scenario(
        name="clock-jumps-ahead",
        does="The wall clock of gateway and sidecar leaps ahead by two days while phones stream.",
        actions=(ClockStep(2 * 86_400),),
        min_seconds=15.0,
        needs_clock=True,
    ),
    Scenario(
        name="machine-busy",
        does="Other programs take every core of the machine.",
        actions=(CpuStress(),),
        alert="HailoCpuBusy",
        alert_minutes=45,
        lost_requests=0.2,
        needs_machine=True,
        is_slow=True,
    ),
    Scenario(
        name="not-http",
        does="A caller speaks TLS to the plain port of the gateway, twice a second.",
        actions=(NotHttp(per_second=2),),
        counted=(Counted(system_metrics.HTTP_REFUSALS, ("invalid_head",)),),
        alert="EdgeInferRequestsRefused",
        alert_minutes=12,
    ),
    Scenario(
        name="nobody-asks",
        does="Phones fall silent for more than a quarter of an hour.",
        actions=(NoTraffic(),),
        alert="HailoNoTraffic",
        alert_minutes=25,
        is_slow=True,
    ),
)
