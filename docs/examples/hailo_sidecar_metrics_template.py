"""A FastAPI sidecar of your own: the contract of the gateway, and the metrics that dashboards and alerts read.

Run it:  uvicorn --app-dir docs/examples hailo_sidecar_metrics_template:app --port 9000
Try it:  edgeinfer doctor --sidecar http://127.0.0.1:9000
Use it:  MODEL_BACKEND_URL=http://127.0.0.1:9000/infer edgeinfer gateway
"""

from math import tanh
from typing import Annotated, Any

from fastapi import FastAPI, Header, Response
from pydantic import BaseModel, Field

from edgeinfer.errors import BackendError
from edgeinfer.metrics.registry import new_registry
from edgeinfer.web.instrumentation import instrument

LATENTS, MOTIFS = 64, 12
Row = Annotated[list[float], Field(min_length=9, max_length=9)]

app = FastAPI(title="My Hailo sidecar")
hailo = instrument(app, new_registry())  # GET /metrics, HTTP requests, memory and CPU: nothing else to do
hailo.ready(backend="stub", device="none", runtime="none")  # say what computes; "hailo" once it is your chip


class Window(BaseModel):
    """One window: 100 rows of ax ay az (m/s²), gx gy gz (rad/s), mx my mz (µT)."""

    x: Annotated[list[Row], Field(min_length=100, max_length=100)]


@app.get("/healthz")
async def healthz() -> dict[str, Any]:
    """Whether windows are answered; the gateway shows model and device."""
    return {"ok": True, "model": "my-model", "device": "none"}


@app.post("/infer")
async def infer(window: Window, response: Response, x_request_id: Annotated[str, Header()] = "") -> dict[str, Any]:
    """Answer one window."""
    response.headers["X-Request-Id"] = x_request_id
    with hailo.window():
        with hailo.stage("preprocess"):
            samples = [value for row in window.x for value in row]
        with hailo.stage("execute"):
            latent, scores = run_on_the_chip(samples)
    return {"latent": latent, "motif_scores": scores, "backend": "stub"}


def run_on_the_chip(samples: list[float]) -> tuple[list[float], list[float]]:
    """Stands where your call to HailoRT goes; a failure is raised with its class, which is counted."""
    if not any(samples):
        raise BackendError("the chip", "got nothing but zeros", "Look at the sensor.", error_class="misuse")
    latent = [tanh(sum(samples[part::LATENTS]) / len(samples)) for part in range(LATENTS)]
    return latent, [1 / MOTIFS] * MOTIFS  # calibrated scores sum to 1, unless the model card says otherwise
