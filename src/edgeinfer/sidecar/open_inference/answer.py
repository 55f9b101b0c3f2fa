"""What the protocol answers: tensors as JSON or bytes, and its own shape of failures."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from edgeinfer.backends.base import Inference, Window
from edgeinfer.sidecar.exchange import HttpAnswer, little_endian, problem_headers
from edgeinfer.sidecar.open_inference.contract import DATATYPE, LATENT
from edgeinfer.sidecar.open_inference.request import InferRequest
from edgeinfer.web.problems import Problem

_JSON_HEADERS = b"content-type: application/json\r\n"
_BINARY_HEADERS = b"content-type: application/octet-stream\r\ninference-header-content-length: %d\r\n"


def stack(inferences: Sequence[Inference], output: str) -> Window:
    """One output of all windows: (n, size)."""
    rows = [one.latent if output == LATENT else one.motif_scores for one in inferences]
    return rows[0].reshape(1, -1) if len(rows) == 1 else np.stack(rows)


def encode(request: InferRequest, inferences: Sequence[Inference], about: dict[str, Any]) -> tuple[bytes, bytes]:
    """Header lines and body of an answer.

    Args:
        request: that is answered.
        inferences: one for each of its windows.
        about: what accompanies the outputs: model, version, id.
    """
    outputs, parts = [], []
    for wanted in request.outputs:
        values = stack(inferences, wanted.name)
        entry: dict[str, Any] = {"name": wanted.name, "datatype": DATATYPE, "shape": values.shape}
        if wanted.is_binary:
            parts.append(little_endian(values))
            entry["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            entry["data"] = values.reshape(-1)
        outputs.append(entry)
    document = orjson.dumps(about | {"outputs": outputs}, option=orjson.OPT_SERIALIZE_NUMPY)
    if not parts:
        return _JSON_HEADERS, document
    return _BINARY_HEADERS % len(document), b"".join([document, *parts])


def failure_answer(problem: Problem, request_id: bytes) -> HttpAnswer:
    """A failure in the protocol's shape: `error` is a sentence, with our own fields in addition."""
    document = orjson.loads(problem.body)
    document |= {"error": f"{problem.message} {problem.remedy}", "code": problem.problem}
    return HttpAnswer(problem.status_code, problem_headers(problem, request_id), orjson.dumps(document))


def document_answer(document: dict[str, Any], status: int, request_id: bytes) -> HttpAnswer:
    """A document about server or model."""
    headers = _JSON_HEADERS + b"x-request-id: %b\r\n" % request_id
    return HttpAnswer(status, headers, orjson.dumps(document))
