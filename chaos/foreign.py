"""A foreign server on a port of the stack: what Prometheus scrapes when another program bound it first."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

_LOOPBACK = "127.0.0.1"
_TRY_AGAIN_SECONDS = 0.05
_TRIES = 200
# As node exporter answers, which has the port 9100 on many machines.
METRICS = """\
# HELP node_exporter_build_info A metric with a constant '1' value.
# TYPE node_exporter_build_info gauge
node_exporter_build_info{version="1.5.0"} 1
# HELP node_load1 1m load average.
# TYPE node_load1 gauge
node_load1 0.21
"""


@asynccontextmanager
async def foreign_server(port: int) -> AsyncIterator[None]:
    """Listen on the port of loopback, once its owner has exited, and answer every request with metrics.

    Raises:
        OSError: the port is still taken after ten seconds.
    """
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", _answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await _listen(runner, port)
        yield
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, port: int) -> None:
    for tries_left in reversed(range(_TRIES)):
        try:
            await web.TCPSite(runner, _LOOPBACK, port).start()
        except OSError:
            if not tries_left:
                raise
            await asyncio.sleep(_TRY_AGAIN_SECONDS)
        else:
            return


async def _answer(_: web.Request) -> web.Response:
    return web.Response(text=METRICS)
