"""The gateway's session store, and the machine that it runs on: disk, memory, processor, clock."""

from edgeinfer.catalog import gateway
from edgeinfer.monitoring.causes.cause import Action, Cause, Evidence
from edgeinfer.monitoring.causes.commands import Verb
from edgeinfer.monitoring.causes.facts import fact
from edgeinfer.monitoring.causes.signs import CALLS_LATE, GATEWAY, SIDECAR, Q, condition, either
from edgeinfer.monitoring.prometheus_metrics import ALERTS
from edgeinfer.monitoring.promql import selector

_STORAGE = {"error_type": "storage_error"}
_BIGGEST = "sudo du -xh --max-depth=2 / 2>/dev/null | sort -h | tail -15"
_AHEAD_SECONDS = 60
_NEARLY_FULL = 0.95


def create() -> list[Cause]:
    """The entries that diagnosis and reference are made from."""
    return [_cannot_write(), _store_full(), _damaged(), _disk_full(), _disk_fills(), _memory(), _processor(), _clock()]


def _refuses() -> Evidence:
    return Evidence(
        "the gateway refuses samples because it cannot store them, {value} a second",
        f"{Q.rate(gateway.PROBLEMS, by=('job', 'instance'), where=_STORAGE)} > 0",
    )


def _cannot_write() -> Cause:
    return Cause(
        name="store-cannot-write",
        title="The gateway cannot write its session store, although the disk has room",
        service=GATEWAY,
        alerts=("EdgeInferServerErrors", "EdgeInferHealthDegraded"),
        evidence=(_refuses(),),
        unless=(
            Evidence(
                "less than a twentieth of the disk is left", condition("HailoDiskFull"), (fact("machine.disk", "full"),)
            ),
        ),
        confused_with=("disk-full", "store-full"),
        remedy=(
            Action("Read what its log says of the store.", verb=Verb.LOG, process="gateway"),
            Action(
                "Look for a quota, a limit of file sizes, missing rights or a read-only mount.",
                command="ls -ld {folder}/gateway; mount | grep -w ro; quota",
            ),
            Action(
                "Remove the limit, and restart it; phones send again what was refused.",
                verb=Verb.RESTART,
                process="gateway",
            ),
        ),
    )


def _store_full() -> Cause:
    used, limit = Q.gauge(gateway.STORE_USED), Q.gauge(gateway.STORE_LIMIT)
    return Cause(
        name="store-full",
        title="The gateway's session store has reached its own limit",
        service=GATEWAY,
        alerts=("EdgeInferServerErrors", "EdgeInferHealthDegraded"),
        evidence=(
            Evidence("it uses more than 95 % of the size that it may have", f"{used} > {_NEARLY_FULL} * {limit}"),
            _refuses(),
        ),
        confused_with=("disk-full", "store-cannot-write"),
        leads_to=("store-cannot-write",),
        remedy=(
            Action(
                "Raise EDGEINFER_GATEWAY_STORE_MAX_BYTES or shorten the retention of sessions, and restart it.",
                verb=Verb.RESTART,
                process="gateway",
            ),
        ),
    )


def _damaged() -> Cause:
    return Cause(
        name="store-damaged",
        title="Files of the session store were damaged and set aside",
        service=GATEWAY,
        alerts=("EdgeInferStoreDamaged",),
        evidence=(Evidence("{value} folder of damaged files lies there", condition("EdgeInferStoreDamaged")),),
        remedy=(
            Action("See what is lost.", command="edgeinfer doctor --only folder"),
            Action(
                "Look for a failing disk or a power cut.", command="sudo dmesg | grep -iE 'i/o error|ext4|mmc' | tail"
            ),
            Action("Keep or remove what was set aside.", command="ls {folder}/gateway/damaged"),
        ),
    )


def _disk_full() -> Cause:
    return Cause(
        name="disk-full",
        title="The disk is full",
        service=SIDECAR,
        alerts=(
            "HailoDiskFull",
            "HailoDiskWillFill",
            "EdgeInferServerErrors",
            "EdgeInferHealthDegraded",
            "PrometheusWritesFailing",
            "PrometheusCompactionFailing",
            "PrometheusWriteAheadLogGrowing",
            "AlertmanagerStateUnsaved",
        ),
        evidence=(
            Evidence("{value} of the disk is left", condition("HailoDiskFull"), (fact("machine.disk", "full"),)),
        ),
        confused_with=("store-cannot-write", "disk-fills"),
        leads_to=(
            "disk-fills",
            "store-cannot-write",
            "prometheus-cannot-write",
            "prometheus-checkpoint-fails",
            "prometheus-compaction-fails",
            "alertmanager-cannot-save",
            "prometheus-crashes",
            "alertmanager-crashes",
        ),
        remedy=(
            Action("See what takes the room.", command=_BIGGEST),
            Action(
                "Make room; nothing of ours has to be deleted by hand but old logs.",
                command="du -sh {folder}/*; sudo journalctl --vacuum-size=100M",
            ),
        ),
    )


def _disk_fills() -> Cause:
    return Cause(
        name="disk-fills",
        title="The disk will be full within days",
        service=SIDECAR,
        alerts=("HailoDiskWillFill",),
        evidence=(
            Evidence("at the pace of the last six hours it is full within four days", condition("HailoDiskWillFill")),
        ),
        confused_with=("disk-full",),
        is_trend=True,
        remedy=(
            Action("See what grows.", command=_BIGGEST),
            Action("Shorten EDGEINFER_RETENTION_TIME or EDGEINFER_RETENTION_SIZE if it is the measurements."),
        ),
    )


def _memory() -> Cause:
    return Cause(
        name="memory-low",
        title="The machine has hardly any memory left",
        service=SIDECAR,
        alerts=("HailoMemoryLow",),
        evidence=(
            Evidence(
                "less than a tenth of the memory is available",
                condition("HailoMemoryLow"),
                (fact("machine.memory", "low"),),
            ),
        ),
        remedy=(
            Action("See which processes take it.", command="ps -eo pid,rss,comm --sort=-rss | head"),
            Action("Restart what grew, and end what is not needed."),
        ),
    )


def _processor() -> Cause:
    firing = selector(ALERTS, {"alertname": "HailoCpuBusy", "alertstate": "firing"})
    return Cause(
        name="processor-busy",
        title="The processor has more to do than it can",
        service=SIDECAR,
        alerts=("HailoCpuBusy", "ScrapeSlow", "HailoQueueBacklog", *CALLS_LATE),
        evidence=(
            # The alert itself, not its condition: a busy minute slows nothing down that users would notice.
            Evidence(
                "more work waits for the processor than it can do", firing, (fact("machine.processor", "overloaded"),)
            ),
        ),
        confused_with=("sidecar-overloaded",),
        remedy=(
            Action("See which programs take it.", command="ps -eo pid,pcpu,comm --sort=-pcpu | head"),
            Action("End them, or give them a lower priority: renice 19 -p PID."),
        ),
    )


def _clock() -> Cause:
    last = Q.gauge(gateway.HEALTH_LAST_RUN)
    runs = f"max(changes({Q.select(gateway.HEALTH_LAST_RUN)}[3m])) > 0"
    behind = f"({condition('EdgeInferHealthCheckStale')}) and on () ({runs})"
    return Cause(
        name="clock-wrong",
        title="The clock is wrong: it is not that of the measurements",
        service=GATEWAY,
        alerts=("EdgeInferHealthCheckStale", "HailoSensorStale", "PrometheusOutOfOrderTimestamps"),
        evidence=(
            Evidence(
                "times of health checks or of measurements are not those of the clock: {found}",
                either(behind, f"{last} > time() + {_AHEAD_SECONDS}"),
                (fact("machine.clock", "behind_measurements"),),
            ),
        ),
        leads_to=("checks-stand-still", "samples-out-of-order", "sensor-silent"),
        shows_itself=True,
        remedy=(
            Action("Compare the clock with the time.", command="timedatectl"),
            Action("Let NTP set it.", command="sudo timedatectl set-ntp true"),
        ),
    )
