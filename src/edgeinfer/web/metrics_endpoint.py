"""GET /metrics, rendered off the event loop so that a scrape moves no request's latency."""

import asyncio

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry
from starlette.responses import Response

from edgeinfer.metrics.exposition import expose
from edgeinfer.web.negotiation import accepts_coding, without_refused


def metrics_router(registry: CollectorRegistry) -> APIRouter:
    """The route /metrics, in the format and compression that the scraper accepts."""
    router = APIRouter()

    @router.get("/metrics", response_class=Response, summary="Metrics for Prometheus", tags=["operation"])
    async def metrics(request: Request) -> Response:
        rendered = await asyncio.to_thread(
            expose,
            registry,
            accept=without_refused(request.headers.get("accept", "")),
            compress=accepts_coding(request.headers.get("accept-encoding", ""), "gzip"),
        )
        headers = {"Vary": "Accept, Accept-Encoding"}
        if rendered.content_encoding:
            headers["Content-Encoding"] = rendered.content_encoding
        return Response(rendered.body, media_type=rendered.content_type, headers=headers)

    return router
