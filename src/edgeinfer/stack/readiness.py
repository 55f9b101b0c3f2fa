"""Whether a process is ready: it lives, it answers, and the answer is its own."""

from collections.abc import Awaitable, Callable

import aiohttp

from edgeinfer.stack.plan import ProcessSpec
from edgeinfer.stack.ports import listens
from edgeinfer.stack.process import Child

_ANSWER_SECONDS = 2.0
_OK = 200

Probe = Callable[[ProcessSpec, Child], Awaitable[bool]]


def http_probe(http: aiohttp.ClientSession) -> Probe:
    """A probe that asks the ready URL, and checks that it is our process that listens there."""
    timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)

    async def is_ready(plan: ProcessSpec, child: Child) -> bool:
        if not plan.ready_url or plan.port is None:
            return child.exit_code() is None
        if not listens(child.pid, plan.port):
            return False
        try:
            async with http.get(plan.ready_url, timeout=timeout) as answer:
                return answer.status == _OK and child.exit_code() is None
        except (TimeoutError, aiohttp.ClientError, OSError):
            return False

    return is_ready
