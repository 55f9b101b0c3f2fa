"""The pages of an API, made here from its OpenAPI document: they need neither the internet nor to know their prefix."""

import json
import re
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response

from edgeinfer.web.schema_examples import example_of, fields_of

_FOLDER = Path(__file__).parent / "pages"
_ASSETS = {"page.css": "text/css", "page.js": "text/javascript"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"}
_METHODS = ("get", "post", "put", "patch", "delete")
# What a proxy that takes a prefix away says of it; it is written into the document, so it must be a plain path.
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]{1,64}){1,8}", re.ASCII)

Json = dict[str, Any]


def api_page_router(document: Callable[[], Json]) -> APIRouter:
    """`/docs` and `/redoc`, which are the same page, with what it loads; and the document, with the prefix it has.

    Args:
        document: the OpenAPI document, asked at each request.
    """
    router = APIRouter(include_in_schema=False)

    @router.get("/redoc")
    @router.get("/docs")
    async def page() -> Response:
        return HTMLResponse(render(document()), headers=PAGE_HEADERS)

    @router.get("/docs/{name}")
    async def asset(name: str) -> Response:
        if name not in _ASSETS:
            return JSONResponse({}, 404)
        return FileResponse(_FOLDER / name, media_type=_ASSETS[name])

    @router.get("/openapi.json")
    async def openapi(request: Request) -> Response:
        prefix = request.headers.get("x-forwarded-prefix", "").rstrip("/")
        servers = {"servers": [{"url": prefix}]} if _PREFIX.fullmatch(prefix) else {}
        return JSONResponse({**document(), **servers}, headers={"Vary": "X-Forwarded-Prefix"})

    return router


def render(document: Json) -> str:
    """The page of a document, as HTML."""
    info = document["info"]
    key = '<label>API key <input id="key" type="password" autocomplete="off"></label>' if _has_key(document) else ""
    about = "".join(f"<p>{_marked(text)}</p>" for text in str(info.get("description", "")).split("\n\n"))
    address = (
        '<p>Address: <code class="base">the address of this page without its last part</code>. '
        '<a href="openapi.json">OpenAPI document</a>.</p>'
    )
    return _html(info["title"], f"{info['version']}", about + address + key + "".join(_groups(document)))


def _html(title: str, version: str, content: str) -> str:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
        '<link rel="stylesheet" href="docs/page.css">'
        f"<h1>{escape(title)}</h1><p>{escape(version)}</p>{content}"
        '<script src="docs/page.js"></script></html>'
    )


def _has_key(document: Json) -> bool:
    return bool(document.get("components", {}).get("securitySchemes"))


def _groups(document: Json) -> Iterator[str]:
    """The operations by the tag that each bears first, in the order of the document."""
    groups: dict[str, list[str]] = {}
    schemas = document.get("components", {}).get("schemas", {})
    for path, operations in document["paths"].items():
        for method in _METHODS:
            if method in operations:
                operation = operations[method]
                tag = next(iter(operation.get("tags", ())), "other")
                groups.setdefault(tag, []).append(_operation(path, method, operation, schemas))
    for tag, found in groups.items():
        yield f"<h2>{escape(tag.capitalize())}</h2>{''.join(found)}"


def _operation(path: str, method: str, operation: Json, schemas: Json) -> str:
    parameters = operation.get("parameters", [])
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    example = None if schema is None else json.dumps(example_of(schema, schemas), ensure_ascii=False)
    parts = [
        _marked(operation.get("description", "")),
        _section("Parameters", _rows((each["name"], _about_parameter(each)) for each in parameters)),
        _section("Body", "" if schema is None else _rows(fields_of(schema, schemas))),
        _section("Answers", _rows(_answers(operation, schemas))),
        _section("curl", f"<pre>{_curl(path, method, parameters, example)}</pre>"),
        _form(path, method, parameters, example),
    ]
    summary = f"<b>{method.upper()}</b> <code>{escape(path)}</code> {escape(operation.get('summary', ''))}"
    return f"<details><summary>{summary}</summary>{''.join(parts)}</details>"


def _section(title: str, content: str) -> str:
    return f"<h3>{title}</h3>{content}" if content else ""


def _rows(rows: Any) -> str:
    cells = "".join(f"<tr><td>{escape(name)}<td>{_marked(text)}" for name, text in rows)
    return f"<table>{cells}</table>" if cells else ""


def _about_parameter(parameter: Json) -> str:
    words = [parameter["in"], "required" if parameter.get("required") else "optional"]
    return ". ".join(part for part in (", ".join(words), parameter.get("description", "")) if part)


def _answers(operation: Json, schemas: Json) -> Iterator[tuple[str, str]]:
    for status, answer in operation.get("responses", {}).items():
        schema = answer.get("content", {}).get("application/json", {}).get("schema")
        names = "" if schema is None else ", ".join(name for name, _ in fields_of(schema, schemas))
        yield status, ": ".join(part for part in (answer.get("description", ""), f"`{names}`" if names else "") if part)


def _curl(path: str, method: str, parameters: list[Json], example: str | None) -> str:
    required = [each["name"] for each in parameters if each.get("required") and each["in"] == "query"]
    query = "?" + "&".join(f"{name}=…" for name in required) if required else ""
    body = "" if example is None else f" -H 'Content-Type: application/json' -d '{_shortened(example)}'"
    verb = "" if method == "get" else f" -X {method.upper()}"
    return f"curl{verb} '<span class=\"base\">URL</span>{escape(path + query)}'{escape(body)}"


def _shortened(example: str, most: int = 400) -> str:
    return example if len(example) <= most else f"{example[:most]} …"


def _form(path: str, method: str, parameters: list[Json], example: str | None) -> str:
    inputs = "".join(
        f'<label>{escape(each["name"])} <input name="{escape(each["name"])}" data-in="{escape(each["in"])}"></label>'
        for each in parameters
        if each["in"] in {"query", "path"}
    )
    body = "" if example is None else f'<label>Body <textarea name="body">{escape(example)}</textarea></label>'
    return (
        f'<form data-path="{escape(path)}" data-method="{method.upper()}">{inputs}{body}'
        '<button type="submit">Send</button><output></output></form>'
    )


def _marked(text: str) -> str:
    """Text with its `code` marked as such; descriptions use no other Markdown."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
