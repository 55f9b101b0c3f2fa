"""Queries of tools/docker_proof.sh to the running stack: a value, every panel, the alerts, the replay's tally."""

import json
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Grafana's variables as it would fill them in for five minutes of five-second scrapes.
_VARIABLES = {
    "$__rate_interval": "20s",
    "$__range": "300s",
    "$__interval": "5s",
    "$job": ".+",
    "$instance": ".+",
    "$chip": ".+",
    "$resolution": ".*",
    "${datasource}": "prometheus",
}


def _get(url: str, **parameters: object) -> Any:
    with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(parameters)}", timeout=30) as answer:  # noqa: S310  # loopback
        return json.load(answer)


def value(prometheus: str, expression: str, moment: str = "") -> int:
    """Print the number that an expression gives."""
    asked = {"query": expression} | ({"time": moment} if moment else {})
    found = _get(f"{prometheus}/api/v1/query", **asked)["data"]["result"]
    print(found[0]["value"][1] if found else "nothing")
    return 0 if found else 1


def panels(prometheus: str, folder: str) -> int:
    """Run every query of every dashboard as Grafana would; an error fails, an empty answer is counted."""
    asked = empty = 0
    silent: list[str] = []
    for path in sorted(Path(folder).glob("*.json")):
        for panel in _all_panels(json.loads(path.read_text(encoding="utf-8"))):
            for target in panel.get("targets", []):
                asked += 1
                if not _answer(prometheus, target["expr"]):
                    empty += 1
                    silent.append(f"{path.stem}: {panel['title']}")
    print(f"shown: {asked} queries of all panels are answered without an error, {asked - empty} of them with data")
    print("without data here (no chip, no fault, no month of history):", *sorted(set(silent)), sep="\n  ")
    return 0 if asked > empty else 1


def _all_panels(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Those inside collapsed rows as well; this file needs nothing installed."""
    for panel in document["panels"]:
        yield panel
        yield from panel.get("panels", ())


def _answer(prometheus: str, expression: str) -> list[Any]:
    for name, filled in _VARIABLES.items():
        expression = expression.replace(name, filled)
    now = time.time()
    answer = _get(f"{prometheus}/api/v1/query_range", query=expression, start=now - 300, end=now, step=15)
    found: list[Any] = answer["data"]["result"]
    return found


def alerts(console: str) -> int:
    """Fail unless an alert has come from Prometheus through Alertmanager to the console."""
    received = _get(f"{console}/api/alerts")["received"]
    names = sorted({str(alert["labels"]["alertname"]) for alert in received})
    print(f"shown: the console has heard of {', '.join(names) or 'no alert'}")
    return 0 if names else 1


def replay(file: str) -> int:
    """Fail if a sample that was acknowledged is not stored."""
    tally = json.loads(Path(file).read_text(encoding="utf-8"))
    sent, stored = tally["samples"], tally["samples_according_to_gateway"]
    print(f"shown: through restart, upgrade and rollback {sent} samples were acknowledged and {stored} are stored")
    print(f"the replay's tally: {json.dumps(tally)}")
    return 0 if sent == stored else 1


_COMMANDS: dict[str, Callable[..., int]] = {"value": value, "panels": panels, "alerts": alerts, "replay": replay}

if __name__ == "__main__":
    sys.exit(_COMMANDS[sys.argv[1]](*sys.argv[2:]))
