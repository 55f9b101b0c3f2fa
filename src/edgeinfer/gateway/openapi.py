"""What the OpenAPI page says of bodies and answers that the routes read and write by hand."""

from importlib.metadata import version
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from edgeinfer.catalog.labels import BACKEND_KINDS
from edgeinfer.gateway.samples import ProcessBody, StopBody, StreamBody

VERSION = version("edgeinfer")
ABOUT = """\
Phones and collars stream IMU samples here and ask what they show.

A sample is `{t, ax, ay, az, gx, gy, gz, mx, my, mz}`: seconds, m/s², rad/s, µT, at 100 Hz.
A window is the newest second by `t`; from 16 to more than 200 Hz it is resampled to 100 Hz.
Every error is `{error, status, message, remedy, retry}`, and more fields where they help a program."""

_REFS = "#/components/schemas/{name}"
_STRING, _NUMBER, _INTEGER = {"type": "string"}, {"type": "number"}, {"type": "integer"}
_BOOLEAN = {"type": "boolean"}
_TIME = {"type": "string", "format": "date-time"}
_SOURCE = {"type": "string", "enum": ["sidecar", "fallback"]}
_BACKEND = {"type": "string", "enum": [*BACKEND_KINDS, "unknown"]}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _array(of: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of}


_SCHEMAS: dict[str, dict[str, Any]] = {
    "Problem": _object(error=_STRING, status=_INTEGER, message=_STRING, remedy=_STRING, retry=_BOOLEAN),
    "Started": _object(sessionId=_STRING, status=_STRING, timestamp=_TIME),
    "Accepted": _object(
        sessionId=_STRING,
        status=_STRING,
        accepted=_INTEGER,
        skipped=_INTEGER,
        late=_INTEGER,
        clock_jumps=_INTEGER,
        newest_t={"type": ["number", "null"]},
        retry=_BOOLEAN,
        totalSamples=_INTEGER,
        timestamp=_TIME,
    ),
    "Window": _object(
        samples=_INTEGER, span_ms=_INTEGER, rate_hz=_NUMBER, longest_hole_ms=_INTEGER, interpolated=_NUMBER
    ),
    "Stopped": _object(sessionId=_STRING, status=_STRING, duration_s=_NUMBER, totalSamples=_INTEGER, timestamp=_TIME),
    "Motif": _object(id=_STRING, score=_NUMBER, confidence=_NUMBER, duration_ms=_INTEGER, description=_STRING),
    "Motifs": _object(
        sessionId=_STRING,
        topK=_INTEGER,
        motifs=_array({"$ref": "#/components/schemas/Motif"}),
        timestamp=_TIME,
        analysisWindowMs=_INTEGER,
        window={"$ref": "#/components/schemas/Window"},
        source=_SOURCE,
        backend=_BACKEND,
    ),
    "Synchrony": _object(
        sessionId=_STRING,
        r={"type": "number", "minimum": -1, "maximum": 1},
        lag_ms={"type": "integer", "minimum": 0},
        window_ms={"type": "integer", "minimum": 0},
        confidence={"type": "number", "minimum": 0, "maximum": 1},
        reason={"enum": ["one_stream", "too_short", "hole", "rate", "two_clocks", None]},
        timestamp=_TIME,
    ),
    "Session": _object(
        sessionId=_STRING,
        startedAt=_TIME,
        duration_s=_NUMBER,
        countedSince=_TIME,
        totalSamples={"type": "integer", "minimum": 0},
        streams=_array({"type": "object"}),
        timestamp=_TIME,
    ),
    "Sessions": _object(
        total={"type": "integer", "minimum": 0},
        sessions=_array({"type": "object"}),
        ended=_array({"type": "object"}),
        timestamp=_TIME,
    ),
    "Processed": _object(
        latent=_array(_NUMBER),
        motif_scores=_array(_NUMBER),
        source=_SOURCE,
        backend=_BACKEND,
        window={"$ref": "#/components/schemas/Window"},
    ),
    "Health": _object(ok={"type": "boolean"}, status=_STRING, message=_STRING, timestamp=_TIME),
    "HealthDetailed": _object(
        status=_STRING, timestamp=_TIME, version=_STRING, uptime=_NUMBER, checks={"type": "object"}
    ),
}


def _json(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def _answers(name: str, good: int, *bad: int) -> dict[int | str, dict[str, Any]]:
    answers: dict[int | str, dict[str, Any]] = {good: {"description": name, "content": _json(name)}}
    for status in bad:
        answers[status] = {"description": "Problem", "content": _json("Problem")}
    return answers


def _route(name: str, good: int, *bad: int, body: str = "") -> dict[str, Any]:
    route: dict[str, Any] = {"responses": _answers(name, good, *bad), "response_model": None}
    if body:
        route["openapi_extra"] = {"requestBody": {"required": True, "content": _json(body)}}
    return route


START = _route("Started", 200, 507)
STREAM = _route("Accepted", 202, 400, 404, 410, 413, 415, 422, 507, body="StreamBody")
MOTIFS = _route("Motifs", 200, 404, 409, 410, 422, 503)
SYNCHRONY = _route("Synchrony", 200, 404, 410, 422)
SESSION = _route("Session", 200, 404, 410, 422)
SESSIONS = _route("Sessions", 200, 422)
STOP = _route("Stopped", 200, 400, 404, 410, 413, 415, 507, body="StopBody")
PROCESS = _route("Processed", 200, 400, 409, 413, 415, 422, 503, body="ProcessBody")
HEALTH_DETAILED = _route("HealthDetailed", 200)
HEALTH: dict[str, Any] = {
    "response_model": None,
    "responses": {
        status: {"description": words, "content": {"text/plain": {"schema": _STRING}, **_json("Health")}}
        for status, words in ((200, "OK or DEGRADED"), (503, "The gateway cannot serve"))
    },
}


def complete(app: FastAPI, *, asks_for_key: bool = False) -> None:
    """Put the schemas of bodies and answers on the application's OpenAPI page, and the key where one is needed."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            document.setdefault("components", {}).setdefault("schemas", {}).update(_all_schemas())
            if asks_for_key:
                _describe_key(document)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it


def _describe_key(document: dict[str, Any]) -> None:
    document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    routes = [route for path, route in document["paths"].items() if path.startswith("/api/")]
    for operation in (operation for route in routes for operation in route.values()):
        operation["security"] = [{"key": []}]
        for status in ("401", "429"):
            operation["responses"][status] = {"description": "Problem", "content": _json("Problem")}


def _all_schemas() -> dict[str, Any]:
    _, bodies = msgspec.json.schema_components((StreamBody, ProcessBody, StopBody), ref_template=_REFS)
    return {**bodies, **_SCHEMAS}
