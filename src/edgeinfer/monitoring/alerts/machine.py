"""Alerts on the machine: memory, processor and disk."""

from edgeinfer.catalog import labels, system
from edgeinfer.monitoring.alerts.alert import Alert, Runbook, RunbookStep, Severity
from edgeinfer.monitoring.alerts.rule_test import RuleCase, RuleTest, Values, gauge
from edgeinfer.monitoring.alerts.service_series import QUERIES, SIDECAR, SIDECAR_LABELS, TARGET
from edgeinfer.monitoring.thresholds import (
    CPU_BUSY_SHARE,
    DISK_FULL_IN_SECONDS,
    DISK_FULL_SHARE,
    DISK_LOW_SHARE,
    MEMORY_AVAILABLE_SHARE,
)


def create() -> list[Alert]:
    """The entries that rules, runbooks and rule tests are generated from."""
    return [
        _memory_low(),
        _cpu_busy(),
        _disk_will_fill(),
        _disk_full(),
    ]


def _memory_low() -> Alert:
    available, total = (
        QUERIES.gauge(system.MEMORY_USAGE, by=TARGET, where={"memory_type": kind})
        for kind in ("system_available", "system_total")
    )
    free, whole = (
        f'hailo_memory_usage_bytes{{{SIDECAR}, memory_type="{kind}"}}' for kind in ("system_available", "system_total")
    )
    return Alert(
        name="HailoMemoryLow",
        provoked_by="machine-memory-low",
        expression=f"{available} / {total} < {MEMORY_AVAILABLE_SHARE}",
        for_="10m",
        severity=Severity.WARNING,
        service="hailo-inference",
        signal="health",
        summary="The machine of {{ $labels.instance }} is running out of memory",
        description="{{ $value | humanizePercentage }} of the memory is available.",
        runbook=Runbook(
            meaning="Little memory is left for new work; the kernel will end a process when none is left.",
            impact="Swapping makes everything slow, then the largest process dies.",
            diagnosis=(
                RunbookStep(
                    "Which process uses the memory?",
                    {
                        "a process that is not part of EdgeInfer": "stop it.",
                        "a process of EdgeInfer": "restart it, and continue.",
                    },
                    command="ps aux --sort -rss | head",
                ),
                RunbookStep(
                    "Dashboard 'Hailo Sidecar', panel 'Memory': how does it grow?",
                    {
                        "steadily, without end": "a leak: file a bug with the graph; restarting helps until then.",
                        "in one step": "a larger model, or more workers: revert it.",
                    },
                ),
            ),
        ),
        rule_test=RuleTest(
            series={free: gauge((0.9e9, 1200), (4e9, 600)), whole: gauge((10e9, 1800))},
            pending_at=585,
            firing_at=630,
            resolved_at=1230,
            labels=SIDECAR_LABELS,
            expected_description="9% of the memory is available.",
        ),
        negative_cases=(
            RuleCase(
                why="exactly at the threshold", series={free: gauge((1e9, 1200)), whole: gauge((10e9, 1200))}, at=1000
            ),
        ),
    )


def _cpu_busy() -> Alert:
    busy = f"hailo_cpu_usage_ratio{{{SIDECAR}}}"
    return Alert(
        name="HailoCpuBusy",
        provoked_by="machine-busy",
        expression=f"avg by (job, instance) (avg_over_time({system.CPU_USAGE_RATIO.name}[10m])) > {CPU_BUSY_SHARE}",
        for_="15m",
        severity=Severity.TICKET,
        service="hailo-inference",
        signal="latency",
        summary="The CPU of {{ $labels.instance }} is saturated",
        description="{{ $value | humanizePercentage }} of the CPU time is used.",
        runbook=Runbook(
            meaning="Almost no CPU time was free for 15 minutes.",
            impact="Decoding and answering wait for the CPU even when the chip is idle.",
            diagnosis=(
                RunbookStep(
                    "Which process uses the CPU?",
                    {
                        "a process that is not part of EdgeInfer": "move it to another machine.",
                        "only EdgeInfer's processes": (
                            "reduce the load, add a sidecar elsewhere, or let the chip compute."
                        ),
                    },
                    command="top -b -n 1 | head -15",
                ),
                RunbookStep(
                    "Dashboard 'Hailo Sidecar', panel 'Where the time goes': do all stages grow equally?",
                    {
                        "yes": "the processor is the bottleneck.",
                        "only 'execute'": "the backend is: see HailoQueueBacklog.",
                    },
                ),
            ),
        ),
        rule_test=RuleTest(
            series={busy: gauge((0.98, 2400), (0.2, 1200))},
            pending_at=885,
            firing_at=960,
            resolved_at=2700,
            labels=SIDECAR_LABELS,
            expected_description="98% of the CPU time is used.",
        ),
        negative_cases=(RuleCase(why="busy, with some idle time", series={busy: gauge((0.93, 2400))}, at=2000),),
        positive_cases=(
            RuleCase(why="idle half an hour ago", series={busy: gauge((0.5, 2400), (0.99, 1800))}, at=4100),
        ),
    )


def _disk(space: str) -> str:
    return f'hailo_disk_space_bytes{{{SIDECAR}, space="{space}"}}'


def _disk_share() -> str:
    available, total = (
        QUERIES.gauge(system.DISK_SPACE, by=TARGET, where={"space": space}) for space in labels.DISK_SPACES
    )
    return f"{available} / {total}"


def _disk_will_fill() -> Alert:
    available = QUERIES.gauge(system.DISK_SPACE, by=TARGET, where={"space": "available"})
    growth = f"max by (job, instance) (deriv({QUERIES.select(system.DISK_SPACE, {'space': 'available'})}[6h]))"
    hours, card = 3600, 100e9

    def lives(days_left: float, share_left: float = 0.2) -> dict[str, Values]:
        """Ten hours in which the disk fills so that at their end this much is left, for so many days."""
        left = share_left * card
        per_step = left / (days_left * 288)
        falling = tuple((left + per_step * (120 - step), 300) for step in range(120))
        return {_disk("available"): gauge(*falling), _disk("total"): gauge((card, 10 * hours))}

    firing = lives(3.8)
    emptied = Values((*firing[_disk("available")].segments, (0.9 * card, 2 * hours)), counts=False)
    return Alert(
        name="HailoDiskWillFill",
        provoked_by="machine-disk-filling",
        # The slope over six hours is one only if there was something six hours ago: after half a minute of data, two
        # samples that differ by a log file announced a full disk.
        expression=f"{available} < -{DISK_FULL_IN_SECONDS} * {growth}\nand {_disk_share()} < {DISK_LOW_SHARE}\n"
        f"and max by (job, instance) ({system.DISK_SPACE.name} offset 6h)",
        for_="1h",
        severity=Severity.WARNING,
        service="hailo-inference",
        signal="health",
        summary="The disk of {{ $labels.instance }} will be full within four days",
        description="{{ $value | humanize1024 }}B are left; at the rate of the last six hours they last less than "
        "four days.",
        runbook=Runbook(
            meaning="The disk of the machine is filling, and less than a third of it is free.",
            impact="None yet. When it is full, sessions cannot be stored and Prometheus stops recording.",
            diagnosis=(
                RunbookStep(
                    "Which folder grows?",
                    {
                        "Prometheus' data": (
                            "lower EDGEINFER_RETENTION_SIZE or EDGEINFER_RETENTION_TIME, and restart it."
                        ),
                        "the gateway's sessions": "lower EDGEINFER_GATEWAY_RETENTION_HOURS, and restart the gateway.",
                        "/var/log": "`sudo journalctl --vacuum-size=200M`.",
                        "something else": "remove it, or move it to another disk.",
                    },
                    command="sudo du -xh --max-depth=3 / 2>/dev/null | sort -h | tail -15",
                ),
                RunbookStep(
                    "How much is free?",
                    {
                        "less than a tenth": "free space now; do not wait until morning.",
                        "more": "plan it for today.",
                    },
                    command="df -h /",
                ),
            ),
        ),
        rule_test=RuleTest(
            series={_disk("available"): emptied, _disk("total"): gauge((card, 12 * hours))},
            pending_at=405 * 60,
            firing_at=435 * 60,
            resolved_at=11 * hours,
            labels=SIDECAR_LABELS,
            expected_description="19.19GiB are left; at the rate of the last six hours they last less than four days.",
            interval_seconds=300,
        ),
        negative_cases=(
            RuleCase(
                why="it fills fast, as far as is known after five hours",
                series={
                    _disk("available"): gauge(*firing[_disk("available")].segments[:60]),
                    _disk("total"): gauge((card, 5 * hours)),
                },
                at=5 * hours - 300,
            ),
            RuleCase(why="it fills, and lasts more than four days", series=lives(4.4), at=10 * hours - 300),
            RuleCase(why="it fills fast, and much is left", series=lives(3, share_left=0.32), at=10 * hours - 300),
            RuleCase(
                why="little is left, and it stays so",
                series={_disk("available"): gauge((0.1 * card, 10 * hours)), _disk("total"): gauge((card, 10 * hours))},
                at=10 * hours - 300,
            ),
        ),
        positive_cases=(
            RuleCase(why="just under a third is left", series=lives(3, share_left=0.28), at=10 * hours - 300),
            RuleCase(
                why="it began to fill this morning",
                series={
                    _disk("available"): Values(
                        ((firing[_disk("available")].segments[0][0], 20 * hours), *firing[_disk("available")].segments),
                        counts=False,
                    ),
                    _disk("total"): gauge((card, 30 * hours)),
                },
                at=30 * hours - 300,
            ),
        ),
    )


def _disk_full() -> Alert:
    def lives(share: float) -> dict[str, Values]:
        return {_disk("available"): gauge((share * 1e10, 900)), _disk("total"): gauge((1e10, 1200))}

    return Alert(
        name="HailoDiskFull",
        provoked_by="machine-disk-full",
        expression=f"{_disk_share()} < {DISK_FULL_SHARE}",
        for_="5m",
        severity=Severity.CRITICAL,
        service="hailo-inference",
        signal="health",
        summary="The disk of {{ $labels.instance }} is full",
        description="{{ $value | humanizePercentage }} of the disk is free.",
        runbook=Runbook(
            meaning="Less than a twentieth of the disk that holds the root folder is free.",
            impact="The gateway cannot store samples and answers 507; Prometheus stops recording, so alerts end too.",
            diagnosis=(
                RunbookStep(
                    "Free space at once: old logs are the quickest.",
                    {
                        "some hundred megabytes are free": (
                            "the gateway stores again by itself; continue and find what filled it."
                        ),
                        "hardly any": "continue.",
                    },
                    command="sudo journalctl --vacuum-size=100M; df -h /",
                ),
                RunbookStep(
                    "Which folder filled it?",
                    {
                        "Prometheus' data": (
                            "lower EDGEINFER_RETENTION_SIZE, and restart it: the oldest measurements are deleted."
                        ),
                        "the gateway's sessions": "lower EDGEINFER_GATEWAY_RETENTION_HOURS, and restart the gateway.",
                        "something else": "remove it, or move it to another disk.",
                    },
                    command="sudo du -xh --max-depth=3 / 2>/dev/null | sort -h | tail -15",
                ),
                RunbookStep(
                    "Is it read-only rather than full?",
                    {
                        "`errors=remount-ro` is logged": "the card is failing: back up its data, and replace it.",
                        "nothing": "it was only full.",
                    },
                    command="sudo dmesg | grep -i 'remount' | tail -3",
                ),
            ),
        ),
        rule_test=RuleTest(
            series=lives(0.045) | {_disk("available"): gauge((0.045 * 1e10, 900), (5e9, 300))},
            pending_at=285,
            firing_at=330,
            resolved_at=930,
            labels=SIDECAR_LABELS,
            expected_description="4.5% of the disk is free.",
        ),
        negative_cases=(RuleCase(why="exactly at the threshold", series=lives(0.05), at=800),),
    )
