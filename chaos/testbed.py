"""The stack that scenarios are played on: services, proxies, Prometheus, Alertmanager and a webhook receiver."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Self

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from chaos.actions.action import Edit, Process, Samples
from chaos.configuration import MonitoringConfiguration
from chaos.proxy import FaultyProxy
from chaos.webhook import WebhookReceiver
from edgeinfer.diagnosis.places import Place, Stack, process_of
from edgeinfer.monitoring.causes.commands import Way
from edgeinfer.settings import StackSettings
from edgeinfer.stack import plan
from edgeinfer.stack.binaries import Program, cache_folder, require
from edgeinfer.stack.damage_rules import DamagePublisher
from edgeinfer.stack.events import EventHandler
from edgeinfer.stack.fetch import find_or_fetch
from edgeinfer.stack.folder import DataFolder, prepare
from edgeinfer.stack.member import Member, ProcessState
from edgeinfer.stack.plan import ProcessSpec
from edgeinfer.stack.process import spawn
from edgeinfer.stack.readiness import http_probe
from edgeinfer.stack.repair import Repairs
from edgeinfer.stack.restart import RestartPolicy
from edgeinfer.stack.supervisor import Supervisor

_TICK_SECONDS = 0.1
_PUBLISH_SECONDS = 1.0
_CAP, _CAP_WORDS = "/bin/sh", 4
_ASK = aiohttp.ClientTimeout(total=2)
# A restart loop must not end the run: how the real supervisor gives up is tested with it.
_POLICY = RestartPolicy(first_seconds=0.5, max_seconds=2.0, max_crashes=10_000)
# Minutes each, unless said otherwise: until an alert is reported again, until a remote write is given up, and how long
# a series that just ends is seen (three of the longest intervals between two evaluations).
_SHORT_FLAGS = (
    "--rules.alert.resend-delay=1s",
    "--storage.remote.flush-deadline=1s",
    "--query.lookback-delta=15s",
)
# A quarter of an hour at full length. Blocks of two hours are not divided but made short, so that what happens when one
# is written happens within seconds.
_SHORT_SAVES = "--data.maintenance-interval=15s"
_SHORT_BLOCKS = ("--storage.tsdb.min-block-duration=10s", "--storage.tsdb.max-block-duration=1h")
_CHIP_ON_BUS = "sys/bus/pci/devices/0001:01:00.0"
_BEST_GENERATION = 3
_LINK_SPEEDS = {1: "2.5 GT/s PCIe", 2: "5.0 GT/s PCIe", 3: "8.0 GT/s PCIe"}
_FIRMWARE_WORD = "sys/devices/platform/soc/soc:firmware/get_throttled"
_RELOAD = aiohttp.ClientTimeout(total=90)
# With these, the library sets only the wall clock off, and looks each second by how much. Without the last it waits in
# place of the kernel whenever threads hand Python's lock over, which made services sixty times slower (0.9.10).
_CLOCK = {
    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    "FAKETIME_CACHE_DURATION": "1",
    "FAKETIME_FORCE_MONOTONIC_FIX": "0",
}
_CLOCK_SECONDS = 1.2
_HEALTH_SECONDS = 30.0


class LiveTestbed:
    """A stack of its own, that ends with this object.

    Args:
        folder: for measurements, sessions and logs.
        settings: with ports of its own.
        factor: by which the times of the rules are divided; 1 takes the real rules.
        chip: words of a program that runs our commands with a fake chip; without it sidecars compute on the CPU.
        clock: path of libfaketime, with which the clock of our services is set off; empty leaves it alone.
        has_short_blocks: whether Prometheus writes a block every ten seconds.
        report: hears what processes do.
    """

    def __init__(  # noqa: PLR0913 - each is one choice, by name
        self,
        folder: Path,
        settings: StackSettings,
        *,
        factor: float,
        report: EventHandler,
        chip: Sequence[str] = (),
        clock: str = "",
        has_short_blocks: bool = False,
    ) -> None:
        self._root = folder
        self._factor = factor
        self._report = report
        self._chip = tuple(chip)
        self._clock = clock
        self._has_short_blocks = has_short_blocks
        self._settings = settings
        self._held: set[str] = set()
        self._open = AsyncExitStack()
        self._members: dict[str, Member] = {}

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opening:
            self.proxy = await opening.enter_async_context(FaultyProxy(plan.LOOPBACK, self._settings.sidecar_port))
            self.scrape_proxy = await opening.enter_async_context(
                FaultyProxy(plan.LOOPBACK, self._settings.sidecar_port)
            )
            self.receiver = await opening.enter_async_context(WebhookReceiver())
            self._http = await opening.enter_async_context(aiohttp.ClientSession(timeout=_ASK))
            folder = prepare(self._root)
            self._publisher = DamagePublisher(folder, self.prometheus_url)
            self._supervisor = Supervisor(
                self._plans(),
                folder.logs,
                spawn,
                http_probe(self._http),
                self._report,
                _POLICY,
                before_restart=Repairs(folder, self._report).before_restart,
            )
            self._members = {member.plan.name: member for member in self._supervisor.members}
            self._environments = {name: member.plan.environment for name, member in self._members.items()}
            opening.push_async_callback(self._supervisor.stop)
            await self._supervisor.start()
            await self._supervisor.await_ready()
            watching = asyncio.create_task(self._watch())
            opening.callback(watching.cancel)
            publishing = asyncio.create_task(self._publish_damage())
            opening.callback(publishing.cancel)
            self._open = opening.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    @property
    def gateway_url(self) -> str:
        """Where phones ask."""
        return f"http://{plan.LOOPBACK}:{self._settings.gateway_port}"

    @property
    def sidecar_url(self) -> str:
        """The sidecar itself, past the proxy."""
        return f"http://{plan.LOOPBACK}:{self._settings.sidecar_port}"

    @property
    def prometheus_url(self) -> str:
        """Where questions about series go."""
        return f"http://{plan.LOOPBACK}:{self._settings.prometheus_port}"

    def stack(self) -> Stack:
        """The stack as a diagnosis finds it, at this moment."""
        places = [
            Place(
                process_of(name),
                name,
                member.plan.address,
                member.pid,
                str(member.state),
                member.crashes_in_a_row,
                member.fault,
                member.log,
            )
            for name, member in self._members.items()
        ]
        return Stack(Way.UP, self.folder.root, tuple(place for place in places if place.process))

    @property
    def folder(self) -> DataFolder:
        """Where each process keeps its files."""
        return DataFolder(self._root)

    @property
    def sessions_folder(self) -> Path:
        """Where the gateway keeps sessions."""
        return self.folder.gateway

    def pid_of(self, process: Process) -> int | None:
        """Of the living process."""
        return self._members[process.value].pid

    def port_of(self, process: Process) -> int:
        """That it listens on."""
        port = self._members[process.value].plan.port
        if port is None:
            raise ValueError(f"{process.value} listens on no port")
        return port

    def hold_down(self, process: Process) -> None:
        """Let the supervisor not start it again."""
        self._held.add(process.value)

    def forget_crashes(self) -> None:
        """Let every process begin a new row of crashes: with shortened rules, minutes apart are seconds."""
        for member in self._members.values():
            member.crashes_in_a_row = 0

    def let_up(self, process: Process) -> None:
        """Let the supervisor start it again, at once."""
        self._held.discard(process.value)
        self._members[process.value].start_again_at = 0.0

    def cap_starts(self, process: Process, megabytes: int | None) -> None:
        """Let each start of it have only so much address space; None ends that."""
        member = self._members[process.value]
        words = member.plan.argv[_CAP_WORDS:] if member.plan.argv[0] == _CAP else member.plan.argv
        if megabytes is not None:
            words = (_CAP, "-c", 'ulimit -v "$0" && exec "$@"', str(megabytes * 1024), *words)
        member.plan = replace(member.plan, argv=words)

    def start_with(self, process: Process, environment: Mapping[str, str]) -> None:
        """Let each start of it have these variables as well; none ends that."""
        member = self._members[process.value]
        member.plan = replace(member.plan, environment={**self._environments[process.value], **environment})

    async def counters(self, process: Process) -> Samples:
        """What it exports at this moment; empty while it cannot be asked."""
        try:
            async with self._http.get(f"{self._members[process.value].plan.address}/metrics") as answer:
                text = await answer.text()
        except (aiohttp.ClientError, TimeoutError):
            return {}
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    async def alerts(self) -> dict[str, str]:
        """Alerts that Prometheus knows, with their state: firing where one of their series fires, else pending."""
        async with self._http.get(f"{self.prometheus_url}/api/v1/alerts") as answer:
            document = await answer.json()
        found = sorted((alert["labels"]["alertname"], alert["state"]) for alert in document["data"]["alerts"])
        return dict(reversed(found))

    async def set_device(self, state: str) -> None:
        """Put the fake chip into a state; empty makes it well."""
        self._state_file.write_text(state, encoding="utf-8")

    async def set_raspberry_pi(self, word: int) -> None:
        """Let the Raspberry Pi's firmware say this word; 0 is a Raspberry Pi without a problem."""
        self._firmware_file.write_text(f"{word:x}\n", encoding="ascii")

    async def set_link(self, generation: int | None) -> None:
        """Let the chip's PCIe link run at this generation; None is the best that both ends can do."""
        self._write_link("current", generation or _BEST_GENERATION)

    async def set_clock(self, seconds: int) -> None:
        """Set the wall clock of gateway and sidecar so many seconds off."""
        self._clock_file.write_text(f"{seconds:+d}", encoding="utf-8")
        await asyncio.sleep(_CLOCK_SECONDS)

    async def configure(self, *, prometheus: Edit | None = None, alertmanager: Edit | None = None) -> None:
        """Let both load their configuration, changed by these edits; without an edit it is as it should be."""
        self._configuration.write(prometheus=prometheus, alertmanager=alertmanager)
        for name in ("prometheus", "alertmanager"):
            # A broken file is refused with 500, which is what is wanted; who does not run reads it when it starts.
            with suppress(aiohttp.ClientConnectionError):
                async with self._http.post(f"{self._members[name].plan.address}/-/reload", timeout=_RELOAD) as answer:
                    await answer.read()

    async def await_prometheus(self) -> None:
        """Wait until a Prometheus that was started answers again."""
        member = self._members["prometheus"]
        while member.state is not ProcessState.READY:  # noqa: ASYNC110 - as above
            await asyncio.sleep(_TICK_SECONDS)

    async def _watch(self) -> None:
        while True:
            await self._supervisor.tick()
            for name in self._held:
                if self._members[name].state is ProcessState.BACKING_OFF:
                    self._members[name].start_again_at = math.inf
            await asyncio.sleep(_TICK_SECONDS)

    async def _publish_damage(self) -> None:
        """As `edgeinfer up` does; a Prometheus that a scenario has stopped is asked again."""
        while True:
            is_ready = self._members["prometheus"].state is ProcessState.READY
            with suppress(aiohttp.ClientError, TimeoutError):
                await self._publisher.publish(self._http, is_ready=is_ready)
            await asyncio.sleep(_PUBLISH_SECONDS)

    def _plans(self) -> list[ProcessSpec]:
        settings, folder = self._settings, prepare(self._root)
        services = [*plan.sidecars(settings), self._gateway(folder)]
        if self._chip:
            self._make_dashboard()
            services = [self._with_chip(service) for service in (*services, plan.exporter(settings))]
        if self._clock:
            self._clock_file.write_text("+0", encoding="utf-8")
            services = [self._with_clock(service) for service in services]
        binaries = find_or_fetch(cache_folder(settings.cache_home.expanduser()), self._report)
        self._configuration = MonitoringConfiguration(
            folder, settings, services, factor=self._factor, receiver_url=self.receiver.url
        )
        self._configuration.write()
        self.promtool = binaries[Program.PROMTOOL].path if Program.PROMTOOL in binaries else Path("promtool")
        return [
            *services,
            self._prometheus(plan.prometheus(settings, require(binaries, Program.PROMETHEUS), folder)),
            self._alertmanager(plan.alertmanager(settings, require(binaries, Program.ALERTMANAGER), folder)),
        ]

    def _prometheus(self, binary: ProcessSpec) -> ProcessSpec:
        """Its own times divided as well."""
        flags = (_SHORT_FLAGS if self._factor > 1 else ()) + (_SHORT_BLOCKS if self._has_short_blocks else ())
        return replace(binary, argv=(*binary.argv, *flags))

    def _alertmanager(self, binary: ProcessSpec) -> ProcessSpec:
        """It saves its state as often, in the time of the rules."""
        return replace(binary, argv=(*binary.argv, _SHORT_SAVES)) if self._factor > 1 else binary

    def _gateway(self, folder: DataFolder) -> ProcessSpec:
        """The gateway, with the proxy as its sidecar."""
        through_proxy = {"sidecars": 0, "backend_urls": f"http://{plan.LOOPBACK}:{self.proxy.port}/infer"}
        gateway = plan.gateway(self._settings.model_copy(update=through_proxy), folder)
        # Health is looked at as often, in the time of the rules.
        seconds = max(0.5, _HEALTH_SECONDS / self._factor)
        environment = {**gateway.environment, "EDGEINFER_GATEWAY_HEALTH_INTERVAL_SECONDS": str(seconds)}
        return replace(gateway, environment=environment)

    def _make_dashboard(self) -> None:
        """A machine of its own for the exporter: this one's processes and devices, a Raspberry Pi's firmware, a bus."""
        self._firmware_file.parent.mkdir(parents=True, exist_ok=True)
        self._firmware_file.write_text("0\n", encoding="ascii")
        chip = self._machine / _CHIP_ON_BUS
        chip.mkdir(parents=True, exist_ok=True)
        (chip / "vendor").write_text("0x1e60\n", encoding="ascii")
        (chip / "device").write_text("0x2864\n", encoding="ascii")
        for which in ("current", "max"):
            self._write_link(which, _BEST_GENERATION)
        for name in ("proc", "dev"):
            link = self._machine / name
            if not link.is_symlink():
                link.symlink_to(f"/{name}")

    def _write_link(self, which: str, generation: int) -> None:
        chip = self._machine / _CHIP_ON_BUS
        (chip / f"{which}_link_speed").write_text(f"{_LINK_SPEEDS[generation]}\n", encoding="ascii")
        (chip / f"{which}_link_width").write_text("1\n", encoding="ascii")

    @property
    def _machine(self) -> Path:
        return self._root / "machine"

    @property
    def _firmware_file(self) -> Path:
        return self._machine / _FIRMWARE_WORD

    def _with_chip(self, service: ProcessSpec) -> ProcessSpec:
        """Sidecar and exporter as they run where a chip is."""
        if service.name == Process.GATEWAY:
            return service
        environment = {
            **service.environment,
            "FAKE_CHIP_STATE": str(self._state_file),
            "EDGEINFER_EXPORTER_INTERVAL_SECONDS": "1",
            "EDGEINFER_SIDECAR_BACKEND": "hailort",
            "EDGEINFER_EXPORTER_KERNEL_ROOT": str(self._machine),
            "EDGEINFER_EXPORTER_MONITOR_FOLDER": str(self._root / "hmon_files"),
            "HEF_PATH": str(self._root / "net.hef"),
        }
        own_words = service.argv[len(plan.edgeinfer()) :]
        return replace(service, argv=(*self._chip, *own_words), environment=environment)

    def _with_clock(self, service: ProcessSpec) -> ProcessSpec:
        """One of our services, whose wall clock follows a file."""
        follows = {"LD_PRELOAD": self._clock, "FAKETIME_TIMESTAMP_FILE": str(self._clock_file), **_CLOCK}
        return replace(service, environment={**service.environment, **follows})

    @property
    def _clock_file(self) -> Path:
        return self._root / "clock"

    @property
    def _state_file(self) -> Path:
        return self._root / "chip-state"
