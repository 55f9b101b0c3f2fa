"""The sidecar's routes other than POST /infer."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Response

from edgeinfer.model.window import CHANNELS
from edgeinfer.sidecar.model import ModelPhase, ServedModel
from edgeinfer.sidecar.reload import ModelReload
from edgeinfer.sidecar.schema import Change, Health, StatusDocument


class SidecarStatus:
    """What the sidecar says about itself.

    Args:
        model: that is served.
        change: of the model; None where it cannot be changed.
        version: of the sidecar.
        workers: how many threads may call the backend at once, now.
        queue_capacity: windows that may wait.
        json_decoder: what reads windows in JSON.
        last_seconds: time of the last answered window, None before the first.
        clock: monotonic seconds.
    """

    def __init__(  # noqa: PLR0913 - facts by name
        self,
        model: ServedModel,
        change: ModelReload | None,
        *,
        version: str,
        workers: Callable[[], int],
        queue_capacity: int,
        json_decoder: str,
        last_seconds: Callable[[], float | None],
        clock: Callable[[], float],
    ) -> None:
        self._model = model
        self._change = change
        self._version = version
        self._workers = workers
        self._queue_capacity = queue_capacity
        self._json_decoder = json_decoder
        self._last_seconds = last_seconds
        self._clock = clock
        self._started = clock()

    def health(self) -> Health:
        """Whether the model answers, and which one it is."""
        described, model_state, last = self._model.description, self._model.model_state, self._last_seconds()
        failing = self._model.failing
        return Health(
            ok=model_state.state is ModelPhase.READY and not failing,
            state=model_state.state.value,
            reason=model_state.reason or (f"the newest windows all failed: {failing}" if failing else ""),
            model=described.model_name if described else None,
            uptime_s=round(self._clock() - self._started, 3),
            config_version=self._model.card.version,
            hef_sha256=(described.model_sha256 or None) if described else None,
            version=self._version,
            device=described.device if described else None,
            backend=described.kind if described else None,
            content_types=["application/json", "application/octet-stream"],
            latency_ms=None if last is None else round(last * 1000, 3),
        )

    def status(self) -> StatusDocument:
        """Health, and what the sidecar is made of."""
        described, card = self._model.description, self._model.card
        last = self._change.last if self._change is not None else None
        return StatusDocument(
            **self.health().model_dump(),
            runtime=described.runtime if described else None,
            latent_dimensions=card.latent_size,
            num_motifs=len(card.motifs),
            motifs=list(card.motif_names),
            window_length=card.window.length,
            channels=list(CHANNELS),
            workers=self._workers(),
            queue_capacity=self._queue_capacity,
            json_decoder=self._json_decoder,
            model_change=None if last is None else Change.model_validate(asdict(last)),
        )


def status_router(status: SidecarStatus) -> APIRouter:
    """The routes /healthz and /status; /healthz answers 503 while the model does not."""
    router = APIRouter(tags=["operation"])
    unready: dict[int | str, dict[str, Any]] = {503: {"model": Health, "description": "The model does not answer."}}

    @router.get("/healthz", summary="Whether the model answers", responses=unready)
    async def healthz(response: Response) -> Health:
        health = status.health()
        response.status_code = 200 if health.ok else 503
        return health

    @router.get("/status", summary="Health, and what the sidecar is made of")
    async def whole_status() -> StatusDocument:
        return status.status()

    return router
