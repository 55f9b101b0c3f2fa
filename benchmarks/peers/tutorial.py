"""FastAPI with pydantic on uvicorn, as tutorials show it; `--metrics` adds BaseHTTPMiddleware and prometheus_client."""

import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from fastapi import FastAPI
from network import Network
from prometheus_client import Counter, Histogram, make_asgi_app
from pydantic import BaseModel
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import Response

network = Network(sys.argv[1])
app = FastAPI()


class Body(BaseModel):
    """A window."""

    x: list[list[float]]


class Answer(BaseModel):
    """What the network says of it."""

    latent: list[float]
    motif_scores: list[float]
    backend: str


@app.post("/infer")
def infer(body: Body) -> Answer:
    """Answer a window."""
    return Answer(**network.answer(body.x))


class Metrics(BaseHTTPMiddleware):
    """Counts and times each request."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self._requests = Counter("http_requests_total", "Requests.", ["method", "path", "status"])
        self._seconds = Histogram("http_request_duration_seconds", "Duration.", ["method", "path"])

    async def dispatch(self, request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        """Pass a request on."""
        started = time.perf_counter()
        response = await call_next(request)
        self._requests.labels(request.method, request.url.path, response.status_code).inc()
        self._seconds.labels(request.method, request.url.path).observe(time.perf_counter() - started)
        return response


if __name__ == "__main__":
    if "--metrics" in sys.argv:
        app.add_middleware(Metrics)
        app.mount("/metrics", make_asgi_app())
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False)
