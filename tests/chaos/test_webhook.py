import asyncio

import aiohttp

from chaos.webhook import WebhookReceiver


def notification(name: str, status: str = "firing") -> dict[str, object]:
    return {"alerts": [{"status": status, "labels": {"alertname": name, "severity": "critical"}}]}


async def test_an_alert_that_arrives_ends_the_wait() -> None:
    async with WebhookReceiver() as receiver, aiohttp.ClientSession() as http:
        waiting = asyncio.create_task(receiver.wait_for({"SidecarDown"}, 0.0, 5))
        for name, status in (("Other", "firing"), ("SidecarDown", "resolved"), ("SidecarDown", "firing")):
            async with http.post(receiver.url, json=notification(name, status)) as answer:
                assert answer.status == 200
        arrival = await waiting
    assert arrival is not None
    assert (arrival.name, arrival.severity) == ("SidecarDown", "critical")


async def test_a_previous_alert_does_not_count() -> None:
    times = iter((10.0, 20.0, 20.0, 99.0))
    async with WebhookReceiver(clock=lambda: next(times)) as receiver, aiohttp.ClientSession() as http:
        async with http.post(receiver.url, json=notification("SidecarDown")):
            pass
        assert await receiver.wait_for({"SidecarDown"}, 15.0, 0.0) is None
