"""GET /: what answers here, and where to continue; for a person's browser as a page."""

from collections.abc import Callable
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from edgeinfer.web.api_page import PAGE_HEADERS
from edgeinfer.web.negotiation import first_accepted


def front_page_router(service: str, version: str, *, is_ok: Callable[[], bool], links: dict[str, str]) -> APIRouter:
    """The route of the front page.

    Args:
        service: its name.
        version: of it.
        is_ok: whether it does its work, as its health check has it.
        links: paths of its routes to what each answers; shown relative, so that they hold behind a prefix.
    """
    router = APIRouter(tags=["operation"])

    @router.get("/", summary="What answers here, and where to continue")
    async def front_page(request: Request) -> Response:
        document = {"ok": is_ok(), "service": service, "version": version, "links": links}
        headers = {"Cache-Control": "no-store", "Vary": "Accept"}
        if first_accepted(request.headers.get("accept", ""), ("text/html", "application/json")) == "text/html":
            return HTMLResponse(_page(document), headers=headers | PAGE_HEADERS)
        return JSONResponse(document, headers=headers)

    return router


def _page(document: dict[str, Any]) -> str:
    title, state = escape(document["service"]), "It works." if document["ok"] else "It does not work; see its health."
    rows = "".join(
        f'<tr><td><a href="{escape(path.lstrip("/"))}">{escape(path)}</a><td>{escape(about)}'
        for path, about in document["links"].items()
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
        f'<link rel="stylesheet" href="docs/page.css"><h1>{title}</h1>'
        f"<p>{escape(document['version'])}. {state}</p><table>{rows}</table></html>"
    )
