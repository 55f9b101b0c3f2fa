"""What a sender knows was done, next to what the model says."""

from typing import Any

import httpx
import pytest

from edgeinfer.gateway.known_activity import KnownActivities
from tests.gateway import faulty_peer as peers
from tests.gateway.faulty_peer import peer
from tests.gateway.rigs import API, Rig, api, make_rig, samples


async def asked(client: httpx.AsyncClient, *activities: str) -> dict[str, Any]:
    """One window in parts of equal length, each measured during an activity, and the motifs of it."""
    session_id = (await client.post(f"{API}/start")).json()["sessionId"]
    every, length = samples(100), 100 // len(activities)
    for part, activity in enumerate(activities):
        body: dict[str, Any] = {"sessionId": session_id, "samples": every[part * length : (part + 1) * length]}
        answer = await client.put(f"{API}/stream", json=body | ({"activity": activity} if activity else {}))
        assert answer.status_code == 202
    found: dict[str, Any] = (await client.get(f"{API}/motifs", params={"sessionId": session_id})).json()
    return found


def results(rig: Rig) -> dict[str, float]:
    return rig.counts("edgeinfer_known_activity_windows_total", "result")


@pytest.mark.parametrize(
    ("activity", "result"),
    [
        ("walking", "agreed"),
        ("walking_upstairs", "agreed"),
        ("move", "agreed"),
        ("sitting", "differed"),
        ("turning", "unknown_to_model"),
    ],
)
async def test_what_was_done_is_compared_with_the_group_of_the_motif(activity: str, result: str) -> None:
    async with peer(peers.good) as sidecar:
        rig = make_rig(sidecar.url)
        async with api(rig) as client:
            answer = await asked(client, activity)
    assert answer["motifs"][0]["name"] == "walking"
    assert answer["activity"] == activity
    assert results(rig) == {result: 1}


async def test_groups_of_both_sides_are_counted() -> None:
    async with peer(peers.good) as sidecar:
        rig = make_rig(sidecar.url)
        async with api(rig) as client:
            await asked(client, "sitting")
            await asked(client, "turning")
    count = "edgeinfer_known_activity_groups_total"
    assert rig.value(count, of="done", group="static") == rig.value(count, of="done", group="other") == 1
    assert rig.value(count, of="said", group="move") == 2
    assert rig.value(count, of="said", group="transition") == 0


@pytest.mark.parametrize("activities", [("",), ("walking", "sitting"), ("walking", "walking", "", "")])
async def test_a_window_of_several_or_unknown_activities_is_not_judged(activities: tuple[str, ...]) -> None:
    async with peer(peers.good) as sidecar:
        rig = make_rig(sidecar.url)
        async with api(rig) as client:
            assert "activity" not in await asked(client, *activities)
    assert results(rig) == {}


@pytest.mark.parametrize("activity", ["Walking fast", "x" * 33, "näher", "a\nb"])
async def test_an_activity_is_a_short_token(activity: str) -> None:
    rig = make_rig()
    async with api(rig) as client:
        session_id = (await client.post(f"{API}/start")).json()["sessionId"]
        body = {"sessionId": session_id, "samples": samples(10), "activity": activity}
        answer = await client.put(f"{API}/stream", json=body)
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid_samples")
    assert rig.value("edgeinfer_samples_received_total") == 0


def test_an_activity_covers_most_of_a_window_or_is_none_of_it() -> None:
    known = KnownActivities()
    for part in range(8):
        known.add(part * 0.25, part * 0.25 + 0.24, "walking")
    known.add(2.0, 2.24, "turning")
    assert known.during(0.5, 1.49) == "walking"
    assert known.during(1.15, 2.14) == "walking"
    assert known.during(1.5, 2.49) == ""
    assert known.during(9, 9.99) == ""


def test_only_the_newest_activities_are_kept() -> None:
    known = KnownActivities()
    for second in range(1000):
        known.add(second, second + 0.99, "walking" if second % 2 else "sitting")
    assert len(known.spans) <= 64
    assert known.during(999, 999.99) == "walking"
    assert known.during(0, 0.99) == ""
