"""Requests and responses of the sidecar's routes, for OpenAPI."""

from typing import Any

from pydantic import BaseModel, Field

from edgeinfer.catalog.labels import BACKEND_KINDS
from edgeinfer.model.window import CHANNELS

_TIMING = "Milliseconds inside the sidecar: total, queue, decode, preprocess, execute, postprocess; the parts add up."


class Health(BaseModel):
    """Whether the model answers, and which one it is."""

    ok: bool
    state: str = Field(description="loading, ready, lost, unusable or draining.")
    reason: str = Field(description="What went wrong, if something did.")
    model: str | None
    uptime_s: float
    config_version: str = Field(description="Version of the model card.")
    hef_sha256: str | None = Field(description="SHA-256 of the file that answers; null before it is loaded.")
    version: str = Field(description="Version of the sidecar.")
    device: str | None
    backend: str | None = Field(description="hailo, cpu or stub.")
    content_types: list[str] = Field(description="What POST /infer takes and gives; bytes are little-endian float32.")
    latency_ms: float | None = Field(description="Time of the last answered window; null before the first.")


class Agreement(BaseModel):
    """How a new model answered recorded windows, compared with the previous one."""

    windows: int
    agreement: float = Field(description="Share of the windows with the same top motif.")
    cosine_mean: float = Field(description="Of the latents; says little about a model that was retrained.")


class Change(BaseModel):
    """What became of the last model change."""

    ended_at: float = Field(description="Seconds since the epoch.")
    result: str = Field(description="switched, unchanged or refused; refused leaves the old model serving.")
    version: str = Field(description="Of the card that was read; empty if it could not be.")
    reason: str = Field(description="Why it was refused.")
    remedy: str
    agreement: Agreement | None


class StatusDocument(Health):
    """Health, and what the sidecar is made of."""

    runtime: str | None
    latent_dimensions: int
    num_motifs: int
    motifs: list[str]
    window_length: int
    channels: list[str]
    workers: int
    queue_capacity: int
    json_decoder: str = Field(description="What reads windows in JSON: simdjson, or msgspec where it is not installed.")
    model_change: Change | None = Field(description="The last one; null before the first.")


def infer_operation(length: int, latent_dimensions: int, motif_count: int) -> dict[str, Any]:
    """The OpenAPI operation of POST /infer, which FastAPI does not see.

    Args:
        length: rows of a window.
        latent_dimensions: length of the latent vector.
        motif_count: number of motif scores.
    """
    row = _numbers(len(CHANNELS), "ax ay az (m/s²), gx gy gz (rad/s), mx my mz (µT)")
    window = {"type": "array", "items": row, "minItems": length, "maxItems": length}
    values = length * len(CHANNELS)
    binary = {"type": "string", "format": "binary", "description": f"{values} little-endian float32, row by row."}
    answer = {
        "type": "object",
        "required": ["latent", "motif_scores", "backend"],
        "properties": {
            "latent": _numbers(latent_dimensions, "latent vector"),
            "motif_scores": _numbers(motif_count, "in [0, 1], in the order of /status"),
            "backend": {"type": "string", "enum": list(BACKEND_KINDS)},
        },
    }
    outputs = {"type": "string", "format": "binary", "description": "latent, then motif_scores, little-endian float32."}
    return {
        "summary": "Answer one window",
        "description": "Binary in and out costs a tenth of JSON; ask for it with Content-Type and Accept.",
        "operationId": "infer",
        "tags": ["inference"],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["x"],
                        "properties": {"x": window},
                        "additionalProperties": False,
                    }
                },
                "application/octet-stream": {"schema": binary},
            },
        },
        "responses": {
            "200": {
                "description": "The model's answer.",
                "headers": {
                    "X-Backend": {"schema": {"type": "string"}, "description": "hailo, cpu or stub."},
                    "X-Request-Id": {"schema": {"type": "string"}, "description": "Echoed, or made here."},
                    "Server-Timing": {"schema": {"type": "string"}, "description": _TIMING},
                },
                "content": {
                    "application/json": {"schema": answer},
                    "application/octet-stream": {"schema": outputs},
                },
            },
            **{status: _problem(text) for status, text in _PROBLEMS.items()},
        },
    }


_PROBLEMS = {
    "400": "The body is not JSON, or not this object.",
    "413": "The body is larger than 64 KB.",
    "415": "The body is neither JSON nor binary.",
    "422": "The window is not 100 rows of 9 finite numbers.",
    "500": "The model or the device failed.",
    "503": "The model is not ready, or the queue is full; see Retry-After.",
}


def _numbers(count: int, description: str) -> dict[str, Any]:
    return {
        "type": "array",
        "items": {"type": "number"},
        "minItems": count,
        "maxItems": count,
        "description": description,
    }


def _problem(description: str) -> dict[str, Any]:
    fields: dict[str, Any] = {name: {"type": "string"} for name in ("error", "message", "remedy")}
    schema = {
        "type": "object",
        "required": ["error", "status", "message", "remedy"],
        "properties": fields | {"status": {"type": "integer"}},
    }
    return {"description": description, "content": {"application/json": {"schema": schema}}}
