import asyncio
import gzip
import math
import struct
from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest
from aiohttp import web

from chaos.faults import NO_FAULT, Fault, FaultKind, FaultyReading, Message, corrupt
from chaos.proxy import FaultyProxy

BINARY = struct.pack("<76f", *range(76))
JSON = {"latent": [0.5] * 64, "motif_scores": [1 / 12] * 12}


async def infer(request: web.Request) -> web.Response:
    assert len(await request.read()) == 3600
    if request.headers.get("Accept") == "application/octet-stream":
        return web.Response(body=BINARY, headers={"X-Latent-Dimensions": "64"})
    return web.json_response(JSON)


async def metrics(request: web.Request) -> web.Response:
    is_open = "openmetrics" in request.headers.get("Accept", "")
    answer = web.Response(
        text="up 1\n# EOF\n" if is_open else "up 1\n",
        content_type="application/openmetrics-text" if is_open else "text/plain",
    )
    answer.enable_compression(web.ContentCoding.gzip)
    return answer


async def health(_: web.Request) -> web.Response:
    return web.json_response({"ok": True})


@pytest.fixture
async def proxy() -> AsyncIterator[FaultyProxy]:
    app = web.Application()
    app.router.add_post("/infer", infer)
    app.router.add_get("/healthz", health)
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with FaultyProxy("127.0.0.1", runner.addresses[0][1]) as proxy:
        yield proxy
    await runner.cleanup()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        yield session


async def ask(http: aiohttp.ClientSession, proxy: FaultyProxy, *, binary: bool = False) -> tuple[int, bytes]:
    headers = {"Accept": "application/octet-stream"} if binary else {}
    async with http.post(f"http://127.0.0.1:{proxy.port}/infer", data=bytes(3600), headers=headers) as answer:
        return answer.status, await answer.read()


async def test_without_a_fault_everything_passes_as_it_is(http: aiohttp.ClientSession, proxy: FaultyProxy) -> None:
    for _ in range(3):
        assert await ask(http, proxy, binary=True) == (200, BINARY)
    async with http.head(f"http://127.0.0.1:{proxy.port}/healthz") as answer:
        assert answer.status == 200
    async with http.get(f"http://127.0.0.1:{proxy.port}/healthz") as answer:
        assert await answer.json() == {"ok": True}
    assert not proxy.injected


@pytest.mark.parametrize("kind", [FaultKind.RESET, FaultKind.BROKEN_OFF])
async def test_a_connection_that_breaks_is_a_client_error(
    http: aiohttp.ClientSession, proxy: FaultyProxy, kind: FaultKind
) -> None:
    proxy.fault = Fault(kind)
    with pytest.raises(aiohttp.ClientError):
        await ask(http, proxy)
    assert proxy.injected == {kind.value: 1}


@pytest.mark.parametrize(
    "fault",
    [Fault(FaultKind.HALF_OPEN), Fault(FaultKind.SLOW_BYTES, seconds=0.05), Fault(FaultKind.LATENCY, seconds=2)],
    ids=lambda fault: fault.kind.value,
)
async def test_an_answer_that_does_not_come_in_time_is_a_timeout(proxy: FaultyProxy, fault: Fault) -> None:
    proxy.fault = fault
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.5)) as impatient:
        with pytest.raises(asyncio.TimeoutError):
            await ask(impatient, proxy)


@pytest.mark.parametrize("status", [400, 404, 500, 503])
async def test_an_error_status_takes_the_place_of_the_answer(
    http: aiohttp.ClientSession, proxy: FaultyProxy, status: int
) -> None:
    proxy.fault = Fault(FaultKind.STATUS, status=status)
    assert (await ask(http, proxy))[0] == status


async def test_a_truncated_body_claims_to_be_whole(http: aiohttp.ClientSession, proxy: FaultyProxy) -> None:
    proxy.fault = Fault(FaultKind.TRUNCATED)
    status, body = await ask(http, proxy)
    assert status == 200
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(body)
    assert len((await ask(http, proxy, binary=True))[1]) < len(BINARY)


async def test_a_malformed_answer_is_no_json(http: aiohttp.ClientSession, proxy: FaultyProxy) -> None:
    proxy.fault = Fault(FaultKind.MALFORMED)
    assert (await ask(http, proxy))[1].startswith(b"<html>")


async def test_wrong_dimensions_are_well_formed(http: aiohttp.ClientSession, proxy: FaultyProxy) -> None:
    proxy.fault = Fault(FaultKind.WRONG_DIMENSIONS)
    assert len(orjson.loads((await ask(http, proxy))[1])["motif_scores"]) == 9
    assert len((await ask(http, proxy, binary=True))[1]) == 73 * 4


async def test_not_a_number_is_in_the_latent(http: aiohttp.ClientSession, proxy: FaultyProxy) -> None:
    proxy.fault = Fault(FaultKind.NOT_A_NUMBER)
    assert math.isnan(struct.unpack_from("<f", (await ask(http, proxy, binary=True))[1])[0])
    assert b"[NaN," in (await ask(http, proxy))[1]


async def test_health_checks_pass_unless_the_fault_is_for_all(http: aiohttp.ClientSession, proxy: FaultyProxy) -> None:
    proxy.fault = Fault(FaultKind.STATUS, status=500)
    async with http.get(f"http://127.0.0.1:{proxy.port}/healthz") as answer:
        assert answer.status == 200
    proxy.fault = Fault(FaultKind.STATUS, status=500, only_infer=False)
    async with http.get(f"http://127.0.0.1:{proxy.port}/healthz") as answer:
        assert answer.status == 500


async def test_a_fault_of_a_share_hits_that_share(http: aiohttp.ClientSession, proxy: FaultyProxy) -> None:
    proxy.fault = Fault(FaultKind.STATUS, status=500, share=0.5)
    statuses = [(await ask(http, proxy))[0] for _ in range(60)]
    assert 15 < statuses.count(500) < 45
    assert statuses.count(500) == proxy.injected["status"]


async def test_a_healed_proxy_answers_again(http: aiohttp.ClientSession, proxy: FaultyProxy) -> None:
    proxy.fault = Fault(FaultKind.RESET)
    with pytest.raises(aiohttp.ClientError):
        await ask(http, proxy)
    proxy.fault = NO_FAULT
    assert (await ask(http, proxy))[0] == 200


async def test_an_upstream_that_is_away_breaks_the_connection(http: aiohttp.ClientSession) -> None:
    async with FaultyProxy("127.0.0.1", 9) as proxy:
        with pytest.raises(aiohttp.ClientError):
            await ask(http, proxy)


@pytest.mark.parametrize("binary", [True, False])
async def test_unsure_answers_keep_the_contract(
    http: aiohttp.ClientSession, proxy: FaultyProxy, *, binary: bool
) -> None:
    proxy.fault = Fault(FaultKind.UNSURE)
    status, body = await ask(http, proxy, binary=binary)
    assert status == 200
    scores = struct.unpack("<76f", body)[64:] if binary else orjson.loads(body)["motif_scores"]
    assert len(scores) == 12
    assert set(scores) == {scores[0]}
    assert sum(scores) == pytest.approx(1, abs=1e-5)
    latent = struct.unpack("<76f", body)[:64] if binary else orjson.loads(body)["latent"]
    assert list(latent) == (list(range(64)) if binary else JSON["latent"])


def remembered(proxy: FaultyProxy) -> Message:
    assert proxy.newest is not None
    return proxy.newest


async def test_another_sidecar_answers_without_ours_being_asked(
    http: aiohttp.ClientSession, proxy: FaultyProxy
) -> None:
    whole = await ask(http, proxy, binary=True)
    proxy.fault = Fault(FaultKind.ELSEWHERE)
    newest = remembered(proxy)
    proxy.newest = None
    assert await ask(http, proxy, binary=True) == whole, "without an answer to give, the sidecar is asked"
    proxy.newest = newest.with_body(b"remembered")
    assert await ask(http, proxy, binary=True) == (200, b"remembered")


async def test_the_answer_of_another_sidecar_has_the_id_of_this_request(
    http: aiohttp.ClientSession, proxy: FaultyProxy
) -> None:
    await ask(http, proxy, binary=True)
    proxy.fault = Fault(FaultKind.ELSEWHERE)
    proxy.newest = Message("HTTP/1.1 200 OK", {"x-request-id": "of-before"}, b"remembered")
    url = f"http://127.0.0.1:{proxy.port}/infer"
    async with http.post(url, data=b"", headers={"X-Request-Id": "of-now"}) as answer:
        assert answer.headers["X-Request-Id"] == "of-now"


@pytest.mark.parametrize("accept", ["text/plain", "application/openmetrics-text"])
async def test_a_wild_label_joins_what_was_there(http: aiohttp.ClientSession, proxy: FaultyProxy, accept: str) -> None:
    proxy.fault = Fault(FaultKind.WILD_LABEL, only_infer=False)
    async with http.get(f"http://127.0.0.1:{proxy.port}/metrics", headers={"Accept": accept}) as answer:
        text = await answer.text()
    lines = text.splitlines()
    assert lines[0] == "up 1"
    assert sum(line.startswith("wild{") for line in lines) == 3500
    assert (lines[-1] == "# EOF") == ("openmetrics" in accept)
    assert lines.count("# EOF") <= 1


@pytest.mark.parametrize("is_zipped", [False, True])
def test_readings_are_set_and_all_else_stays(*, is_zipped: bool) -> None:
    text = b'# TYPE disk gauge\ndisk{space="available"} 9e+10\ndisk{space="total"} 1e+11\nup 1\n# EOF\n'
    headers = {"content-type": "application/openmetrics-text", **({"content-encoding": "gzip"} if is_zipped else {})}
    answer = Message("HTTP/1.1 200 OK", headers, gzip.compress(text) if is_zipped else text)
    falling = FaultyReading('disk{space="available"}', 2e7, falls_by=1e5)
    fault = Fault(FaultKind.READINGS, readings=(falling, FaultyReading('disk{space="other"}', 1.0)))
    corrupted = corrupt(fault, answer)
    assert corrupted.body == text.replace(b"9e+10", b"20000000.0")
    assert corrupt(fault, answer, turn=100).body == text.replace(b"9e+10", b"10000000.0")
    assert corrupted.headers == {"content-type": "application/openmetrics-text"}


@pytest.mark.parametrize(
    ("kind", "time"),
    [("text/plain; version=0.0.4", "1700000000500"), ("application/openmetrics-text", "1700000000.500")],
)
def test_times_of_their_own_are_put_behind_each_value_and_before_an_exemplar(kind: str, time: str) -> None:
    before = (
        '# HELP a Of "{}" # 1',
        "# TYPE a counter",
        "up 1",
        'a_total{path="/x y{z}",how="\\"}\\" 2"} 4.5e+07',
        'b_bucket{le="+Inf"} 7 # {request_id="q 1"} 0.5 1699.1',
        "# EOF",
    )
    answer = Message("HTTP/1.1 200 OK", {"content-type": kind}, "".join(f"{line}\n" for line in before).encode())
    fault = Fault(FaultKind.LATE_TIMES, seconds=60.0)
    assert corrupt(fault, answer, turn=2, now=1700000000.5) == corrupt(fault, answer, turn=1, now=1700000060.5)
    corrupted = corrupt(fault, answer, turn=1, now=1700000060.5).body.decode().splitlines()
    assert corrupted[:2] == list(before[:2])
    assert corrupted[2:4] == [f"{line} {time}" for line in before[2:4]]
    assert corrupted[4] == f'b_bucket{{le="+Inf"}} 7 {time} # {{request_id="q 1"}} 0.5 1699.1'
    assert corrupted[5] == "# EOF"
