"""The protocol's routes as OpenAPI describes them: the published shapes, with this model's sizes."""

from typing import Any

from edgeinfer.model.card import ModelCard
from edgeinfer.model.window import CHANNELS
from edgeinfer.sidecar.open_inference import app, contract, endpoint

_FAILURES = {
    "400": "The body is not an inference request, or names a tensor that the model does not have.",
    "404": "No model of this name and version is served.",
    "413": "The body is larger than 1 MB.",
    "415": "The body is compressed, or of another type.",
    "422": "The tensor is not FP32, not [n, length, 9], or not finite.",
    "500": "The model or the device failed.",
    "503": "The model is not ready, or the queue is full; see Retry-After.",
}


def paths(card: ModelCard, max_windows: int) -> dict[str, Any]:
    """The paths of the protocol.

    Args:
        card: of the model.
        max_windows: of one request.
    """
    found: dict[str, Any] = {
        app.PREFIX: _get("server metadata", "What answers", _SERVER),
        app.LIVE: _get("server live", "Whether the process answers", _flags("live")),
        app.READY: _get("server ready", "Whether the model answers", _flags("ready"), unready=_flags("ready")),
    }
    for base, suffix in ((app.MODEL, ""), (app.MODEL_VERSION, " of a version")):
        unready = _flags("name", "ready")
        found[base] = _get(f"model metadata{suffix}", "What goes in and out", _MODEL, of_a_model=True)
        found[f"{base}/ready"] = _get(
            f"model ready{suffix}", "Whether the model answers", unready, unready=unready, of_a_model=True
        )
    for path, suffix in ((endpoint.INFER, ""), (endpoint.INFER_VERSION, " of a version")):
        found[path] = {"post": _infer(card, max_windows, suffix)}
    for path, operations in found.items():
        for operation in operations.values():
            operation["parameters"] = _path_parameters(path, card)
    return found


def _infer(card: ModelCard, max_windows: int, suffix: str) -> dict[str, Any]:
    binary = "The same JSON, then the bytes of the tensors; Inference-Header-Content-Length is the length of the JSON."
    return {
        "summary": f"Answer up to {max_windows} windows{suffix}",
        "description": "Open Inference Protocol, with its binary tensor extension.",
        "operationId": _operation_id(f"infer{suffix}"),
        "tags": ["open inference protocol"],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": _request(card, max_windows)},
                "application/octet-stream": {
                    "schema": {"type": "string", "format": "binary", "description": binary},
                },
            },
        },
        "responses": {
            "200": {
                "description": "The model's answers.",
                "content": {
                    "application/json": {"schema": _ANSWER},
                    "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
                },
            },
            **{status: _failure(text) for status, text in _FAILURES.items()},
        },
    }


def _request(card: ModelCard, max_windows: int) -> dict[str, Any]:
    length = card.window.length
    row = {"type": "array", "items": {"type": "number"}, "minItems": len(CHANNELS), "maxItems": len(CHANNELS)}
    window = {"type": "array", "items": row, "minItems": length, "maxItems": length}
    values = length * len(CHANNELS)
    tensor = {
        "type": "object",
        "required": ["name", "shape", "datatype"],
        "properties": {
            "name": {"type": "string", "enum": [contract.INPUT]},
            "shape": {"type": "array", "items": {"type": "integer"}, "example": [1, length, len(CHANNELS)]},
            "datatype": {"type": "string", "enum": [contract.DATATYPE]},
            "parameters": {"type": "object"},
            "data": {
                "description": "Nested as its shape, or flat, row by row.",
                "oneOf": [
                    {"type": "array", "items": window, "minItems": 1, "maxItems": max_windows},
                    {"type": "array", "items": {"type": "number"}, "minItems": values},
                ],
            },
        },
    }
    output = {
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"type": "string", "enum": list(contract.OUTPUTS)}, "parameters": {"type": "object"}},
    }
    return {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string", "description": "Given back."},
            "parameters": {"type": "object"},
            "inputs": {"type": "array", "items": tensor, "minItems": 1, "maxItems": 1},
            "outputs": {"type": "array", "items": output, "description": "All of them if none is named."},
        },
    }


def _object(properties: dict[str, Any], *optional: str) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": properties}


_TEXT: dict[str, Any] = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_SHAPE = {"type": "array", "items": {"type": "integer"}}
_DESCRIBED_TENSOR = _object({"name": _TEXT, "datatype": _TEXT, "shape": _SHAPE})
_OUTPUT = _object(
    {
        "name": _TEXT,
        "datatype": _TEXT,
        "shape": _SHAPE,
        "data": {"type": "array", "items": {"type": "number"}},
        "parameters": {"type": "object"},
    },
    "data",
    "parameters",
)
_ANSWER = _object(
    {
        "model_name": _TEXT,
        "model_version": _TEXT,
        "id": _TEXT,
        "parameters": {"type": "object"},
        "outputs": {"type": "array", "items": _OUTPUT},
    }
)
_SERVER = _object({"name": _TEXT, "version": _TEXT, "extensions": _TEXTS})
_TENSORS = {"type": "array", "items": _DESCRIBED_TENSOR}
_MODEL = _object({"name": _TEXT, "versions": _TEXTS, "platform": _TEXT, "inputs": _TENSORS, "outputs": _TENSORS})


def _flags(*names: str) -> dict[str, Any]:
    return _object({name: _TEXT if name == "name" else {"type": "boolean"} for name in names})


def _get(
    name: str,
    summary: str,
    schema: dict[str, Any],
    *,
    unready: dict[str, Any] | None = None,
    of_a_model: bool = False,
) -> dict[str, Any]:
    responses = {"200": _document("The document.", schema)}
    if unready is not None:
        responses["503"] = _document("The model does not answer.", unready)
    if of_a_model:
        responses["404"] = _failure(_FAILURES["404"])
    operation = {
        "summary": summary,
        "operationId": _operation_id(name),
        "tags": ["open inference protocol"],
        "responses": responses,
    }
    return {"get": operation}


def _operation_id(name: str) -> str:
    return "open_inference_" + name.replace(" ", "_")


def _document(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _failure(description: str) -> dict[str, Any]:
    texts = dict.fromkeys(("error", "code", "message", "remedy"), _TEXT)
    return _document(description, _object(texts | {"status": {"type": "integer"}, "retry": {"type": "boolean"}}))


def _path_parameters(path: str, card: ModelCard) -> list[dict[str, Any]]:
    examples = {"name": card.name, "version": card.version}
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}, "example": example}
        for name, example in examples.items()
        if f"{{{name}}}" in path
    ]
