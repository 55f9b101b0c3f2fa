"""The same model on the gateway's own CPU, for when no sidecar answers."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from edgeinfer.backends.base import Backend, Description
from edgeinfer.errors import BackendError, ModelFileError, NotReady, Overloaded
from edgeinfer.gateway.outputs import Outputs, check_outputs
from edgeinfer.gateway.samples import WINDOW_SAMPLES
from edgeinfer.model.window import CHANNELS

_log = logging.getLogger(__name__)
_WAITING_PER_THREAD = 16
_LOADING_SECONDS = 10.0


class Fallback:
    """Runs windows on a backend in a few threads, with a bounded number waiting.

    The model is loaded in the background when the gateway starts, so that the first failure of a
    sidecar finds it ready; a load that failed is tried again by the next health check.

    Args:
        backend: the model; opened and called in threads of this object only.
        threads: windows computed at once.
        scores_sum_to_one: whether the model card says so.
    """

    def __init__(self, backend: Backend, *, threads: int = 1, scores_sum_to_one: bool = True) -> None:
        self._backend = backend
        self._threads = threads
        self._sum_to_one = scores_sum_to_one
        self._pool: ThreadPoolExecutor | None = None
        self._loading: asyncio.Task[Description] | None = None
        self._under_way = 0

    def start(self) -> None:
        """Begin to load the model, unless it is loaded or loading; needs a running event loop."""
        if self._loading is not None and not (self._loading.done() and self._failure is not None):
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="fallback")
        self._loading = asyncio.create_task(self._load(self._pool))

    async def _load(self, pool: ThreadPoolExecutor) -> Description:
        loop = asyncio.get_running_loop()
        try:
            description = await loop.run_in_executor(pool, self._backend.open)
            # The first run of a session allocates its memory: better now than for a waiting phone.
            still = np.zeros((WINDOW_SAMPLES, len(CHANNELS)), np.float32)
            await loop.run_in_executor(pool, self._backend.infer, still)
        except (BackendError, ModelFileError) as failure:
            _log.error("the fallback model cannot be loaded", extra={"fault": str(failure)})
            raise
        return description

    @property
    def _failure(self) -> BaseException | None:
        if self._loading is None or not self._loading.done() or self._loading.cancelled():
            return None
        return self._loading.exception()

    @property
    def description(self) -> Description | None:
        """What computes the answers, None while it is not loaded."""
        if self._loading is None or not self._loading.done() or self._loading.cancelled() or self._failure:
            return None
        return self._loading.result()

    async def infer(self, window: NDArray[np.float32]) -> Outputs:
        """Answer one window.

        Raises:
            Overloaded: too many windows wait already.
            NotReady: the model could not be loaded.
            BackendError: the model failed.
        """
        if self._under_way >= self._threads * (1 + _WAITING_PER_THREAD):
            raise Overloaded("fallback", "the model on the gateway's CPU has too much to do", "Try again in a second.")
        self._under_way += 1
        try:
            pool = await self._ready()
            inference = await asyncio.get_running_loop().run_in_executor(pool, self._backend.infer, window)
        finally:
            self._under_way -= 1
        return check_outputs(inference.latent, inference.motif_scores, "cpu", sum_to_one=self._sum_to_one)

    async def _ready(self) -> ThreadPoolExecutor:
        if self._loading is None or self._pool is None:
            raise NotReady("fallback", "it was not started", "Wait for the gateway to start.")
        try:
            await asyncio.wait_for(asyncio.shield(self._loading), _LOADING_SECONDS)
        except (BackendError, ModelFileError) as failure:
            raise NotReady("fallback", f"its model cannot be loaded ({failure})", failure.remedy) from failure
        except TimeoutError as failure:
            raise NotReady("fallback", "its model is still loading", "Try again in a second.") from failure
        return self._pool

    async def close(self) -> None:
        """Release the model and its threads; safe to call twice."""
        pool, self._pool = self._pool, None
        if self._loading is not None:
            await asyncio.gather(self._loading, return_exceptions=True)
            self._loading = None
        if pool is not None:
            await asyncio.get_running_loop().run_in_executor(pool, self._backend.close)
            pool.shutdown(wait=False)
