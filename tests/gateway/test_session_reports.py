"""What the gateway says about sessions: holes in their places, ends, the list, and what a restart forgets."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from edgeinfer.gateway.keys import KeyRing, new_key
from edgeinfer.gateway.stream_account import StreamAccount
from tests.gateway.rigs import API, Clock, Rig, api, make_rig, samples

WALL = 1_800_000_000.0


class Moving(Clock):
    """A wall clock that goes with a monotonic one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __call__(self) -> float:
        return WALL + self._clock.now


def rig_of(clock: Clock, **more: Any) -> Rig:
    rig = make_rig(table={"clock": clock, "wall": Moving(clock)}, **more)
    for part in (rig.reports, rig.quality):
        part._clock = clock
    rig.reports._wall = Moving(clock)
    return rig


async def start(client: httpx.AsyncClient) -> str:
    return str((await client.post(f"{API}/start")).json()["sessionId"])


async def put(client: httpx.AsyncClient, session_id: str, count: int, first: int = 0, **more: Any) -> None:
    body = {"sessionId": session_id, "samples": samples(count, first), **more}
    assert (await client.put(f"{API}/stream", json=body)).status_code == 202


async def about(client: httpx.AsyncClient, session_id: str) -> httpx.Response:
    return await client.get(f"{API}/session", params={"sessionId": session_id})


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).astimezone(UTC).timestamp()


async def holes(client: httpx.AsyncClient, session_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await about(client, session_id)).json()["streams"][0]["holes"]
    return found


async def test_a_hole_stands_where_and_when_it_was() -> None:
    clock = Clock()
    async with api(rig_of(clock)) as client:
        session_id = await start(client)
        await put(client, session_id, 100)
        clock.now += 5
        await put(client, session_id, 50, 400)
        [hole] = await holes(client, session_id)
    assert (hole["kind"], hole["from_t"], hole["to_t"], hole["duration_ms"]) == ("gap", 0.99, 4.0, 3010)
    # It ended with the first of fifty samples, half a second before they came.
    assert seconds(hole["endedAt"]) == pytest.approx(WALL + 1005 - 0.49)


async def test_samples_that_come_late_close_their_part_of_a_hole() -> None:
    clock = Clock()
    async with api(rig_of(clock)) as client:
        session_id = await start(client)
        await put(client, session_id, 100)
        await put(client, session_id, 100, 300)
        before = (await holes(client, session_id))[0]
        await put(client, session_id, 100, 150)
        left = await holes(client, session_id)
        await put(client, session_id, 50, 100)
        await put(client, session_id, 50, 250)
        assert await holes(client, session_id) == []
    assert [(one["from_t"], one["to_t"]) for one in left] == [(0.99, 1.5), (2.49, 3.0)]
    assert left[1]["endedAt"] == before["endedAt"]
    assert seconds(left[0]["endedAt"]) == pytest.approx(seconds(before["endedAt"]) - 1.5, abs=0.002)


async def test_a_pause_and_a_clock_that_was_set_are_distinguished() -> None:
    clock = Clock()
    async with api(rig_of(clock)) as client:
        session_id = await start(client)
        await put(client, session_id, 100)
        clock.now += 60
        await put(client, session_id, 100, 6000)
        await put(client, session_id, 100, 600_000)
        await put(client, session_id, 100, 100)
        found = await holes(client, session_id)
    assert [one["kind"] for one in found] == ["pause", "clock_jump", "clock_jump"]
    assert found[2]["duration_ms"] < 0


def test_no_more_than_a_hundred_holes_are_kept() -> None:
    account = StreamAccount()
    for first in range(0, 5000, 20):
        times = samples_times(first)
        account.follow(times, before=(first - 11) / 100, recent=times, arrived=0, wall=0, pause_seconds=10)
    assert account.gaps == 250
    assert len(account.holes) == 100
    assert account.holes[-1].end == pytest.approx(49.8)


def samples_times(first: int) -> Any:
    return np.arange(first, first + 10) / 100


async def test_a_session_that_ended_answers_410_with_what_was_known_at_its_end() -> None:
    clock = Clock()
    async with api(rig_of(clock)) as client:
        session_id = await start(client)
        await put(client, session_id, 200, activity="walking")
        await client.get(f"{API}/motifs", params={"sessionId": session_id})
        clock.now += 30
        await client.post(f"{API}/stop", json={"sessionId": session_id})
        for name in (session_id, session_id.upper(), session_id[:8]):
            answer = await about(client, name)
            assert answer.status_code == 410
            assert answer.json()["error"] == "stopped_session"
            assert answer.json()["lastKnown"]["sessionId"] == name.lower()
        known = answer.json()["lastKnown"]
    assert (known["endReason"], known["totalSamples"]) == ("stopped", 200)
    assert seconds(known["endedAt"]) == WALL + 1030
    assert known["streams"][0]["timeline"][0]["activity"] == "walking"
    assert known["duration_s"] == 30


async def test_ends_are_remembered_within_a_bound_and_not_of_sessions_without_samples() -> None:
    clock = Clock()
    rig = rig_of(clock)
    async with api(rig) as client:
        first = await start(client)
        await client.post(f"{API}/stop", json={"sessionId": first})
        assert "lastKnown" not in (await about(client, first)).json()
        ids = []
        for _ in range(101):
            ids.append(await start(client))
            await put(client, ids[-1], 1)
            await client.post(f"{API}/stop", json={"sessionId": ids[-1]})
        assert (await about(client, ids[0])).status_code == 410
        assert "lastKnown" not in (await about(client, ids[0])).json()
        assert "lastKnown" in (await about(client, ids[1])).json()
        listed = (await client.get(f"{API}/sessions", params={"limit": 1000})).json()
    assert (listed["total"], listed["sessions"], len(listed["ended"])) == (0, [], 100)
    assert listed["ended"][0]["session"] == ids[-1][:8]
    assert "newest_age_ms" not in listed["ended"][0]


async def test_a_session_ends_even_if_it_cannot_be_described(caplog: pytest.LogCaptureFixture) -> None:
    rig = rig_of(Clock())
    async with api(rig) as client:
        session_id = await start(client)
        await put(client, session_id, 100)
        rig.table.get(session_id).streams["default"].timeline.append(None)  # type: ignore[arg-type] # what cannot be
        answer = await client.post(f"{API}/stop", json={"sessionId": session_id})
        assert answer.status_code == 200
        assert (await about(client, session_id)).status_code == 410
    assert "could not be described" in caplog.text


async def test_the_list_has_the_newest_first_with_what_is_wrong_and_how_old_they_are() -> None:
    clock = Clock()
    rig = rig_of(clock)
    async with api(rig) as client:
        old, new = await start(client), ""
        await put(client, old, 100, role="dog")
        clock.now += 20
        new = await start(client)
        await put(client, new, 100, role="phone")
        body = {"sessionId": new, "role": "phone", "samples": samples(200, 100, ax=1.0)}
        await client.put(f"{API}/stream", json=body)
        rig.quality.step()
        clock.now += 2
        listed = (await client.get(f"{API}/sessions")).json()
        one = (await client.get(f"{API}/sessions", params={"limit": 1})).json()
        refused = await client.get(f"{API}/sessions", params={"limit": 0})
    assert [session["session"] for session in listed["sessions"]] == [new[:8], old[:8]]
    assert [session["newest_age_ms"] for session in listed["sessions"]] == [2000, 22_000]
    [phone] = listed["sessions"][0]["streams"]
    assert phone["role"] == "phone"
    assert "acceleration_in_g" in phone["problems"]
    assert (one["total"], len(one["sessions"])) == (2, 1)
    assert refused.status_code == 422


async def test_a_restart_forgets_counts_and_activities_and_says_so(tmp_path: Path) -> None:
    clock = Clock()
    async with api(rig_of(clock, durable_folder=tmp_path)) as client:
        session_id = await start(client)
        await put(client, session_id, 300, activity="walking")
        await client.get(f"{API}/motifs", params={"sessionId": session_id})
        before = (await about(client, session_id)).json()
    clock.now += 100
    async with api(rig_of(clock, durable_folder=tmp_path)) as client:
        answer = await client.get(f"{API}/motifs", params={"sessionId": session_id})
        after = (await about(client, session_id)).json()
        listed = (await client.get(f"{API}/sessions")).json()["sessions"][0]
    assert before["countedSince"] == before["startedAt"] == after["startedAt"]
    assert seconds(after["countedSince"]) == WALL + 1100
    assert "activity" not in answer.json()
    [stream] = after["streams"]
    assert (after["totalSamples"], stream["quality"]["accepted"]) == (300, 0)
    assert [window.get("activity") for window in stream["timeline"]] == [None]
    assert stream["quality"]["newest_age_ms"] is None
    assert listed["newest_age_ms"] is None


async def test_the_list_needs_a_key_where_keys_are_needed(tmp_path: Path) -> None:
    secret, key = new_key("operator")
    file = tmp_path / "keys"
    file.write_text(key.line + "\n", "ascii")
    file.chmod(0o600)
    keys = KeyRing(file, requests_per_second=100)
    keys.load()
    async with api(rig_of(Clock()), keys=keys) as client:
        assert (await client.get(f"{API}/sessions")).status_code == 401
        answer = await client.get(f"{API}/sessions", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 200


async def test_no_other_part_of_an_id_finds_a_session() -> None:
    """Fewer characters could be guessed, and with more of them the rest of an id could be."""
    async with api(rig_of(Clock())) as client:
        live, ended = await start(client), await start(client)
        for session_id in (live, ended):
            await put(client, session_id, 100)
        await client.post(f"{API}/stop", json={"sessionId": ended})
        for session_id in (live, ended):
            for length in (1, 7, 9, 35):
                assert (await about(client, session_id[:length])).status_code == 404


async def test_nothing_answers_with_more_of_an_id_than_was_asked_for() -> None:
    """Who reads the eight characters in an alert may look at a session, and not stop it."""
    async with api(rig_of(Clock())) as client:
        live, ended = await start(client), await start(client)
        for session_id in (live, ended):
            await put(client, session_id, 100)
        await client.post(f"{API}/stop", json={"sessionId": ended})
        said = [(await client.get(f"{API}/sessions")).text, (await client.get("/metrics")).text]
        said += [(await about(client, session_id[:8])).text for session_id in (live, ended)]
        stopping = await client.post(f"{API}/stop", json={"sessionId": live[:8]})
    assert not [text for text in said if live[9:] in text or ended[9:] in text]
    assert stopping.status_code == 404
