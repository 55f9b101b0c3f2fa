"""A process that does not run, hangs, crashes again and again, or runs out of something."""

from edgeinfer.catalog import sidecar
from edgeinfer.monitoring.causes.cause import Action, Cause, Evidence
from edgeinfer.monitoring.causes.commands import PROCESSES, Verb
from edgeinfer.monitoring.causes.facts import fact
from edgeinfer.monitoring.causes.signs import (
    CALLS_FAIL,
    CALLS_LATE,
    MACHINE_BUSY,
    PROMETHEUS_RELOADED,
    SIDECAR,
    SIDECAR_SCRAPED,
    Q,
    calls_succeed,
    condition,
    either,
    out_of_files,
    refused,
    silent,
)
from edgeinfer.monitoring.prometheus_metrics import STARTED

_ALERTS = {
    "sidecar": ("HailoSidecarDown", "HailoSidecarNotReady", "HailoCounterSilent", *CALLS_FAIL, *CALLS_LATE),
    "gateway": ("EdgeInferDown", "EdgeInferHealthCheckStale", "HailoNoTraffic", *CALLS_FAIL, *CALLS_LATE),
    "exporter": ("HailoExporterDown", "HailoSensorStale"),
    "prometheus": (),
    "alertmanager": ("PrometheusNotificationsDropped", "PrometheusAlertmanagerUnreachable"),
}
_NAMES = {
    "sidecar": "sidecar",
    "gateway": "gateway",
    "exporter": "exporter",
    "prometheus": "Prometheus server",
    "alertmanager": "Alertmanager",
}
_RESTARTS = 2


def create() -> list[Cause]:
    """The entries that diagnosis and reference are made from."""
    found = [cause for process in _ALERTS for cause in _of_process(process)]
    return [_nothing_runs(), *found, _port_taken(), _out_of_files(), _not_ready(), _overloaded()]


def _nothing_runs() -> Cause:
    main = ("gateway", "sidecar", "prometheus")
    return Cause(
        name="stack-stopped",
        title="Nothing of the stack runs on this machine",
        service="stack",
        alerts=(),
        evidence=tuple(
            Evidence(f"connections to the {_NAMES[process]} are refused", facts=(fact(f"{process}.answer", "refused"),))
            for process in main
        ),
        leads_to=tuple(f"{process}-stopped" for process in _ALERTS),
        remedy=(
            Action("Start it.", verb=Verb.RESTART, process="gateway"),
            Action("If it runs elsewhere, name its Prometheus with --prometheus."),
        ),
    )


def _of_process(process: str) -> list[Cause]:
    return [
        _out_of_memory(process),
        _refuses_configuration(process),
        _crashes(process),
        _suspended(process),
        _hangs(process),
        _stopped(process),
    ]


def _measured(process: str, how: str) -> str:
    job = PROCESSES[process].job
    if process == "alertmanager":  # a target of Prometheus in compose only: what it sends says the same
        return condition("PrometheusNotificationsDropped") if how == "refused" else ""
    if process == "prometheus":
        return ""
    return refused(job) if how == "refused" else silent(job)


def _answers_now(process: str) -> Evidence:
    return Evidence(f"the {_NAMES[process]} answers at this moment", facts=(fact(f"{process}.answer", "well"),))


def _stopped(process: str) -> Cause:
    return Cause(
        name=f"{process}-stopped",
        title=f"The {_NAMES[process]} does not run",
        service=PROCESSES[process].job,
        alerts=_ALERTS[process],
        evidence=(
            Evidence(
                f"connections to the {_NAMES[process]} are refused",
                _measured(process, "refused"),
                (fact(f"{process}.answer", "refused"),),
            ),
        ),
        unless=(
            Evidence("its process is there: {found}", facts=(fact(f"{process}.process", "suspended"),)),
            Evidence("someone listens there: {found}", facts=(fact(f"{process}.answer", "failing", "silent"),)),
            _answers_now(process),
        ),
        doubts=_doubts(process),
        confused_with=(
            *(f"{process}-{how}" for how in ("hangs", "crashes", "out-of-memory", "refuses-configuration")),
        ),
        remedy=(
            Action("Read why it ended: the last lines of its log say it.", verb=Verb.LOG, process=process),
            Action("Start it.", verb=Verb.RESTART, process=process),
        ),
    )


def _doubts(process: str) -> tuple[Evidence, ...]:
    """What speaks against a process that is down by its measurements."""
    if process == "sidecar":
        says = "a sidecar answers the gateway's calls all the same, {value} a second"
        return (Evidence(says, calls_succeed()),)
    # Notifications are dropped also where a busy machine is late with them, and where those that wait are given up.
    return (MACHINE_BUSY, PROMETHEUS_RELOADED) if process == "alertmanager" else ()


def _crashes(process: str) -> Cause:
    job = PROCESSES[process].job
    measured = "" if process == "prometheus" else f"changes({Q.select(STARTED, {'job': job})}[5m]) > {_RESTARTS}"
    away = either(_measured(process, "refused"), measured) if measured else ""
    return Cause(
        name=f"{process}-crashes",
        title=f"The {_NAMES[process]} ends again and again soon after its start",
        service=job,
        alerts=_ALERTS[process],
        evidence=(
            Evidence(
                f"the {_NAMES[process]} is away, or was within the last minutes",
                away,
                (fact(f"{process}.answer", "refused"), fact(f"{process}.process", "restarting", "ended")),
            ),
            Evidence(
                f"the {_NAMES[process]} is started over and over",
                measured,
                (fact(f"{process}.process", "restarting"),),
                is_missed=True,  # what ends before it is scraped was never seen to start
            ),
        ),
        unless=(Evidence("another program has its port: {found}", facts=(fact(f"{process}.answer", "foreign"),)),),
        confused_with=(f"{process}-stopped", f"{process}-out-of-memory"),
        leads_to=(f"{process}-stopped",),
        remedy=(
            Action("Read what it says before it ends.", verb=Verb.LOG, process=process),
            Action(
                "If the newest version or model brought this, roll back to the previous one; then restart it.",
                verb=Verb.RESTART,
                process=process,
            ),
        ),
    )


def _out_of_memory(process: str) -> Cause:
    return Cause(
        name=f"{process}-out-of-memory",
        title=f"The {_NAMES[process]} does not get the memory that it needs",
        service=PROCESSES[process].job,
        alerts=("HailoMemoryLow", *_ALERTS[process]),
        evidence=(
            Evidence(
                "it ran out of memory: {found}",
                facts=(fact(f"{process}.log", "out_of_memory"), fact("machine.kernel_log", "killed_for_memory")),
            ),
            Evidence(
                f"connections to the {_NAMES[process]} are refused",
                _measured(process, "refused"),
                (fact(f"{process}.answer", "refused"), fact(f"{process}.process", "restarting", "ended", "missing")),
            ),
        ),
        confused_with=(f"{process}-crashes", f"{process}-stopped"),
        leads_to=(f"{process}-crashes", f"{process}-stopped", f"{process}-refuses-configuration", "memory-low"),
        remedy=(
            Action(
                "See which processes take the memory, and end what is not needed.",
                command="ps -eo pid,rss,comm --sort=-rss | head",
            ),
            Action("Look for a limit that is too small: MemoryMax of its unit, mem_limit in compose, or ulimit -v."),
            Action("Start it again.", verb=Verb.RESTART, process=process),
        ),
    )


def _refuses_configuration(process: str) -> Cause:
    return Cause(
        name=f"{process}-refuses-configuration",
        title=f"The {_NAMES[process]} refuses its configuration and ends",
        service=PROCESSES[process].job,
        alerts=_ALERTS[process],
        evidence=(
            Evidence("it names what is wrong: {found}", facts=(fact(f"{process}.log", "configuration"),)),
            Evidence(
                f"the {_NAMES[process]} does not stay up",
                _measured(process, "refused"),
                (fact(f"{process}.process", "restarting", "ended", "missing"),),
            ),
        ),
        unless=(Evidence("another program has its port: {found}", facts=(fact(f"{process}.answer", "foreign"),)),),
        confused_with=(f"{process}-crashes",),
        leads_to=(f"{process}-crashes", f"{process}-stopped"),
        remedy=(
            Action("Do what the last line of its log says.", verb=Verb.LOG, process=process),
            Action("Start it again.", verb=Verb.RESTART, process=process),
        ),
    )


def _suspended(process: str) -> Cause:
    return Cause(
        name=f"{process}-suspended",
        title=f"The {_NAMES[process]} is suspended by a signal and answers nothing",
        service=PROCESSES[process].job,
        alerts=_ALERTS[process],
        evidence=(Evidence("{found}", facts=(fact(f"{process}.process", "suspended"),)),),
        confused_with=(f"{process}-hangs",),
        leads_to=(f"{process}-hangs", f"{process}-stopped"),
        remedy=(Action("Resume it; a debugger or a person suspended it.", verb=Verb.RESUME, process=process),),
    )


def _hangs(process: str) -> Cause:
    return Cause(
        name=f"{process}-hangs",
        title=f"The {_NAMES[process]} takes connections and answers nothing",
        service=PROCESSES[process].job,
        alerts=_ALERTS[process],
        evidence=(
            Evidence(
                f"the {_NAMES[process]} does not answer, although connections to it are taken",
                _measured(process, "silent"),
                (fact(f"{process}.answer", "silent"),),
            ),
        ),
        unless=(
            _answers_now(process),
            Evidence("the machine is overloaded: {found}", facts=(fact("machine.processor", "overloaded"),)),
        ),
        doubts=(MACHINE_BUSY,),
        confused_with=(f"{process}-stopped", f"{process}-suspended", "processor-busy"),
        remedy=(
            Action("Keep its log.", verb=Verb.LOG, process=process),
            Action("Restart it.", verb=Verb.RESTART, process=process),
        ),
    )


def _port_taken() -> Cause:
    taken = [
        Evidence(
            "what answers at the address of {job} does not export its metrics",
            condition("ScrapeTargetForeign"),
            tuple(fact(f"{process}.answer", "foreign") for process in _ALERTS),
        )
    ]
    followers = ("stopped", "crashes", "hangs", "refuses-configuration")
    return Cause(
        name="port-taken",
        title="Another program has the port of one of our services",
        service="",
        alerts=("ScrapeTargetForeign", "HailoSidecarDown", "EdgeInferDown", "HailoExporterDown", *CALLS_FAIL),
        evidence=tuple(taken),
        confused_with=("sidecar-stopped", "answers-corrupted"),
        leads_to=(
            "answers-corrupted",
            "path-answers-errors",
            *(f"{process}-{how}" for process in _ALERTS for how in followers),
        ),
        remedy=(
            Action("See who listens there.", command="sudo ss -ltnp"),
            Action(
                "End that program or give our service another port, and start our service again.",
                command="edgeinfer doctor --only ports",
            ),
        ),
    )


def _out_of_files() -> Cause:
    return Cause(
        name="sidecar-out-of-files",
        title="The sidecar may open no further file or connection",
        service=SIDECAR,
        alerts=("HailoSidecarDown", *CALLS_FAIL, *CALLS_LATE),
        evidence=(out_of_files("sidecar", SIDECAR),),
        unless=(Evidence("what answers there is not the sidecar", condition("ScrapeTargetForeign")),),
        confused_with=("sidecar-hangs", "path-loses-answers"),
        leads_to=("sidecar-hangs", "path-loses-answers", "connections-reset"),
        remedy=(
            Action("See what it holds open.", command="sudo ls -l /proc/$(pgrep -of 'edgeinfer sidecar')/fd | tail"),
            Action(
                "Raise LimitNOFILE of its unit, or ulimits.nofile in compose, and restart it.",
                verb=Verb.RESTART,
                process="sidecar",
            ),
        ),
    )


def _not_ready() -> Cause:
    return Cause(
        name="model-not-loaded",
        title="The sidecar runs and has no model that answers",
        service=SIDECAR,
        alerts=("HailoSidecarNotReady", *CALLS_FAIL),
        evidence=(Evidence("the sidecar says that it is not ready", condition("HailoSidecarNotReady")),),
        confused_with=("chip-vanished", "hailort-refuses"),
        follows_from=("chip-vanished", "hailort-refuses", "chip-hangs", "chip-out-of-memory", "chip-overheated"),
        remedy=(
            Action("Read the reason.", command="curl -s localhost:9000/healthz"),
            Action("Check the model and the machine.", command="edgeinfer doctor"),
            Action(
                "Roll back to the previous model if a change brought this, and restart it.",
                verb=Verb.RESTART,
                process="sidecar",
            ),
        ),
    )


def _overloaded() -> Cause:
    shed = condition("HailoSheddingLoad")
    waits = f"min by (job, instance) (min_over_time({Q.select(sidecar.QUEUE_DEPTH)}[1m])) > 0"
    return Cause(
        name="sidecar-overloaded",
        title="More windows come to the sidecar than it computes",
        service=SIDECAR,
        alerts=("HailoQueueBacklog", "HailoSheddingLoad", "HailoUtilizationSaturated", *CALLS_FAIL, *CALLS_LATE),
        evidence=(
            SIDECAR_SCRAPED,
            Evidence(
                "windows wait in its queue without a pause, or are shed",
                either(condition("HailoQueueBacklog"), shed, waits),
            ),
        ),
        confused_with=("chip-saturated", "processor-busy"),
        leads_to=("path-loses-answers", "path-answers-errors"),
        follows_from=("chip-throttled", "chip-hot", "chip-too-hot", "chip-hangs"),
        remedy=(
            Action(
                "See who sends: the panel 'Requests per minute' of the dashboard 'Hailo Sidecar'.",
                command="edgeinfer top --once",
            ),
            Action("Take callers away, or start a second sidecar.", command="edgeinfer up --sidecars 2"),
        ),
    )
