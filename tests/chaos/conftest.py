import asyncio
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator

import pytest

from tests.chaos.fake_testbed import FakeTestbed


@pytest.fixture
async def testbed() -> AsyncIterator[FakeTestbed]:
    # It answers once, so that it is loaded and maps no more memory; then it waits for input that never comes.
    process = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"loaded\n")
    assert await process.stdout.readline() == b"loaded\n"
    yield FakeTestbed(pid=process.pid)
    if process.returncode is None:
        process.kill()
    await process.wait()
