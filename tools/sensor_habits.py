"""Phones of different habits in front of a real stack, and what is said of each; `python -m tools.sensor_habits`.

The phones are simulated: they play a recording as the sensors would send it that issues and papers report, in real
time. A phone at 50 Hz stamps its samples when its app gets them, so their times jitter. A collar at 100 Hz loses its
Bluetooth link now and then, and what it measured meanwhile is gone. A phone has a clock that is set now and then. Two
sensors on one dog and its handler have no fault.
The stack is started on ports of its own and ends with the program. For each phone it says which problems the gateway
named, which alerts fired and when, and what of it was wrong: an expected problem that was not named, or one too many.
With --pictures it takes pictures of the dashboard's row, the alert and each session's page.
"""

import argparse
import asyncio
import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import orjson

from edgeinfer.catalog.sensor import SENSOR_NOTES
from edgeinfer.loadgen.client import GatewayClient
from edgeinfer.model.window import CHANNELS
from edgeinfer.recordings.reader import load_recording

ALERT = "EdgeInferInputQualityPoor"
_RECORDING = "walking-upper-leg"
_ORDER = ("gateway", "sidecar", "console", "prometheus", "alertmanager")
_SECONDS = 1.0
Upload = list[dict[str, float]]


@dataclass
class Sensor:
    """A sensor without a fault, in uploads of a second.

    Args:
        role: of its stream.
        rate_hz: of its samples.
        chance: of its faults.
        origin: t of its first sample, in seconds.
    """

    role: str
    rate_hz: float = 100.0
    chance: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 - a simulation
    origin: float = 0.0

    def uploads(self) -> Iterator[Upload]:
        """What it sends, second by second, forever."""
        values = load_recording(_RECORDING).samples
        per_upload = round(self.rate_hz * _SECONDS)
        index = 0
        while True:
            rows = [self._row(number, values) for number in range(index, index + per_upload)]
            yield self.disturb(rows)
            index += per_upload

    def disturb(self, rows: Upload) -> Upload:
        """The same rows, with the habit of this sensor."""
        return rows

    def _row(self, number: int, values: "np.ndarray[Any, np.dtype[np.float32]]") -> dict[str, float]:
        moment = number / self.rate_hz
        row = values[round(moment * 100) % len(values)]
        return {"t": round(self.origin + moment, 6), **dict(zip(CHANNELS, map(float, row), strict=True))}


class JitteringPhone(Sensor):
    """50 Hz, stamped when the app gets the samples: within half a period of when they were measured."""

    def disturb(self, rows: Upload) -> Upload:
        half = 0.49 / self.rate_hz
        times = sorted(row["t"] + self.chance.uniform(-half, half) for row in rows)
        return [row | {"t": round(t, 6)} for row, t in zip(rows, times, strict=True)]


class LosingCollar(Sensor):
    """100 Hz, and in one second of twelve the link is lost for 0.3 to 0.9 s: those samples never arrive."""

    def disturb(self, rows: Upload) -> Upload:
        if self.chance.random() > 1 / 12:
            return rows
        lost = round(self.chance.uniform(0.3, 0.9) * len(rows))
        first = self.chance.randint(0, len(rows) - lost)
        return rows[:first] + rows[first + lost :]


class JumpingClock(Sensor):
    """100 Hz on a clock since the device's start that is set every three minutes, forward and back in turn."""

    seconds = 0
    shift = 0.0

    def disturb(self, rows: Upload) -> Upload:
        self.seconds += 1
        if self.seconds % 180 == 0:
            self.shift = 3600.0 - self.shift
        return [row | {"t": row["t"] + self.shift} for row in rows]


@dataclass
class Phone:
    """A session of one or two sensors.

    Args:
        habit: in words.
        sensors: each with its role.
        expected: problems that must be named; no other may be.
    """

    habit: str
    sensors: tuple[Sensor, ...]
    expected: frozenset[str] = frozenset()
    session_id: str = ""
    named: dict[str, float] = field(default_factory=dict)
    """Problems and after how many seconds each was named first."""
    alerts: dict[str, float] = field(default_factory=dict)
    """Problems that alerts fired for, likewise."""
    failures: list[str] = field(default_factory=list)

    async def run(self, gateway: GatewayClient, seconds: float) -> None:
        """Send a second of samples each second, and ask for the motifs."""
        self.session_id = str((await gateway.start()).document["sessionId"])
        started = time.monotonic()
        uploads = [sensor.uploads() for sensor in self.sensors]
        for second in range(round(seconds)):
            await asyncio.sleep(max(0.0, started + second * _SECONDS - time.monotonic()))
            for sensor, source in zip(self.sensors, uploads, strict=True):
                body = {"sessionId": self.session_id, "role": sensor.role, "samples": next(source)}
                answer = await gateway.stream(orjson.dumps(body))
                if answer.status != 202:  # noqa: PLR2004 - accepted
                    self.failures.append(answer.failure)
            await gateway.motifs(self.session_id)

    async def look(self, gateway: GatewayClient, since: float) -> None:
        """Note the problems that the gateway names now."""
        document = (await gateway.session(self.session_id)).document
        for stream in document.get("streams", ()):
            for one in stream["quality"]["problems"]:
                if one["problem"] not in SENSOR_NOTES:
                    self.named.setdefault(one["problem"], since)

    def faults(self) -> list[str]:
        """What was not said of it, and what was said wrongly."""
        found = [f"{name} was not named" for name in sorted(self.expected - self.named.keys())]
        found += [f"{name} was named wrongly" for name in sorted(self.named.keys() - self.expected)]
        found += [f"no alert for {name}" for name in sorted(self.expected - self.alerts.keys())]
        found += [f"a false alert for {name}" for name in sorted(self.alerts.keys() - self.expected)]
        return found + [f"an upload failed: {failure}" for failure in sorted(set(self.failures))]


def make_phones(seed: int, now: float) -> list[Phone]:
    """The four sessions; `now` in seconds since 1970."""
    chance = random.Random(seed)  # noqa: S311 - a simulation
    return [
        Phone(
            "50 Hz, stamped by the app: jitter",
            (JitteringPhone("phone", 50.0, chance, now),),
            frozenset({"jitter"}),
        ),
        Phone(
            "100 Hz, Bluetooth link with gaps",
            (LosingCollar("collar", chance=chance, origin=now),),
            frozenset({"dropped_samples"}),
        ),
        Phone("100 Hz, a clock that is set", (JumpingClock("watch", origin=5000.0),), frozenset({"clock_jumps"})),
        Phone("without a fault", (Sensor("dog", origin=now), Sensor("handler", origin=now))),
    ]


async def play(phones: list[Phone], ports: dict[str, int], seconds: float, pictures: Path | None) -> None:
    """Let the phones send, watch what is said of them, and take the pictures near the end."""
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        gateway = GatewayClient(http, f"http://127.0.0.1:{ports['gateway']}")
        sending = [asyncio.create_task(phone.run(gateway, seconds)) for phone in phones]
        started = time.monotonic()
        pictures_at = seconds - 40
        while not all(task.done() for task in sending):
            await asyncio.sleep(5)
            since = time.monotonic() - started
            for phone in phones:
                await phone.look(gateway, since)
            await _note_alerts(http, ports["prometheus"], phones, since)
            if pictures and since > pictures_at:
                await asyncio.to_thread(take_pictures, pictures, ports["console"], phones)
                pictures = None
        await asyncio.gather(*sending)


async def _note_alerts(http: aiohttp.ClientSession, port: int, phones: list[Phone], since: float) -> None:
    async with http.get(f"http://127.0.0.1:{port}/api/v1/alerts") as answer:
        alerts = (await answer.json())["data"]["alerts"]
    for alert in alerts:
        labels = alert["labels"]
        for phone in phones:
            if alert["state"] == "firing" and phone.session_id.startswith(labels.get("session", "-")):
                phone.alerts.setdefault(labels["problem"], since)
        if alert["state"] == "firing" and labels["alertname"] not in {ALERT, "Watchdog"}:
            print(f"{since:6.0f} s  another alert fires: {labels['alertname']}", flush=True)


def take_pictures(folder: Path, port: int, phones: list[Phone]) -> None:
    """The sensors' row, the alerts and each session's page, in a browser."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where pictures are wanted

    folder.mkdir(parents=True, exist_ok=True)
    address = f"http://127.0.0.1:{port}"
    pages = {phone.sensors[0].role: f"/sessions/{phone.session_id[:8]}" for phone in phones}
    pages |= {"sessions": "/sessions", "alerts": "/alerts"}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        for name, path in pages.items():
            page = browser.new_page(viewport={"width": 1200, "height": 900})
            page.goto(address + path)
            page.locator("main h2, main table").first.wait_for()
            page.screenshot(path=folder / f"{name}.png", full_page=True)
        page = browser.new_page(viewport={"width": 1440, "height": 1700})
        page.goto(f"{address}/d/edgeinfer-gateway?from=now-20m&to=now")
        page.get_by_role("button", name="Sensors").click()
        page.wait_for_function("() => window.edgeinfer.isSettled()", timeout=60_000)
        page.screenshot(path=folder / "sensors-row.png", full_page=True)
        browser.close()


@contextlib.contextmanager
def running_stack(folder: Path, first_port: int) -> Iterator[dict[str, int]]:
    """A whole stack without a replay, on ports from one on."""
    ports = {name: first_port + number for number, name in enumerate(_ORDER)}
    options = [word for name, port in ports.items() for word in (f"--{name}-port", str(port))]
    argv = [sys.executable, "-m", "edgeinfer", "up", "--no-replay", "--no-exporter", "--data-folder", str(folder)]
    pid = os.posix_spawn(sys.executable, [*argv, *options], dict(os.environ))
    try:
        _wait_until_ready(ports)
        yield ports
    finally:
        os.kill(pid, signal.SIGINT)
        os.waitpid(pid, 0)


def _wait_until_ready(ports: dict[str, int]) -> None:
    async def ready() -> None:
        paths = {"gateway": "/healthz", "console": "/healthz", "prometheus": "/-/ready"}
        async with aiohttp.ClientSession() as http:
            for name, path in paths.items():
                while True:
                    with contextlib.suppress(aiohttp.ClientError, OSError):
                        async with http.get(f"http://127.0.0.1:{ports[name]}{path}") as answer:
                            if answer.status == 200:  # noqa: PLR2004 - OK
                                break
                    await asyncio.sleep(0.2)

    asyncio.run(asyncio.wait_for(ready(), 120))


def report(phones: list[Phone]) -> list[str]:
    """Print what was said of each phone; returns what was wrong."""
    wrong: list[str] = []
    for phone in phones:
        named = ", ".join(f"{name} after {since:.0f} s" for name, since in phone.named.items()) or "nothing"
        fired = ", ".join(f"{name} after {since:.0f} s" for name, since in phone.alerts.items()) or "none"
        print(f"{phone.session_id[:8]}  {phone.habit}\n          named: {named}\n          alerts: {fired}", flush=True)
        wrong += [f"{phone.habit}: {fault}" for fault in phone.faults()]
    return wrong


def main() -> int:
    """The program; 1 where something was said wrongly, or not at all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20.0, help="(default %(default)s; an alert takes six)")
    parser.add_argument("--first-port", type=int, default=18000, help="of five in a row (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="(default %(default)s)")
    parser.add_argument("--pictures", type=Path, help="folder for pictures of what a person sees")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder), arguments.first_port) as ports:
        phones = make_phones(arguments.seed, time.time())
        asyncio.run(play(phones, ports, 60 * arguments.minutes, arguments.pictures))
    wrong = report(phones)
    print("\n".join(wrong) if wrong else "Every problem was named with its session, and no other one.")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
