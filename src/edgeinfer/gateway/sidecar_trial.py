"""The contract tried against any server: what it speaks, what is missing, with the requests and the answers."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgeinfer.diagnostics import Diagnostic, Verdict
from edgeinfer.errors import ContractViolation, SidecarError
from edgeinfer.gateway.discovery import Discovery, SelfDescription
from edgeinfer.gateway.outputs import OutputReader, Outputs
from edgeinfer.gateway.protocols import Encoded, InferBinary, InferJson, OpenInference, SidecarProtocol, Window
from edgeinfer.gateway.transport import RawAnswer, SidecarAddress, Transport
from edgeinfer.installation import shipped_file
from edgeinfer.model.card import ModelCard

_SECONDS = 5.0
_MAX_SHOWN = 160
_OK = 200
_REQUEST_ID = "edgeinfer-doctor"
_GUIDE = shipped_file("docs/guides/bring-your-own-sidecar.md")
_METRICS_GUIDE = shipped_file("docs/guides/instrument-your-own-sidecar.md")


@dataclass(slots=True)
class _Recorder:
    """Carries requests, and keeps the newest one with its answer in words."""

    transport: Transport
    exchange: str = ""

    async def get(self, path: str) -> RawAnswer:
        return self._keep(f"GET {path}", await self.transport.get(path, _SECONDS))

    async def post(self, encoded: Encoded, path: str, shown: str) -> RawAnswer:
        headers = {**encoded.headers, "X-Request-Id": _REQUEST_ID}
        what = f"POST {shown} ({headers['Content-Type']}, {len(encoded.body)} bytes)"
        return self._keep(what, await self.transport.post(encoded.body, headers, _SECONDS, path=path))

    def _keep(self, request: str, answer: RawAnswer) -> RawAnswer:
        self.exchange = f"{request} -> {answer.status} {_shown(answer)}"
        return answer


class SidecarTrial:
    """Tries one server.

    Args:
        target: where it answers.
        transport: to it.
        card: of the model that it is to serve.
    """

    def __init__(self, target: SidecarAddress, transport: Transport, card: ModelCard) -> None:
        self._target = target
        self._recorder = _Recorder(transport)
        self._reader = OutputReader(card.latent_size, len(card.motifs), sum_to_one=card.scores_sum_to_one)
        self._discovery = Discovery(target, self._reader, model=card.name)
        # Lying still, +x up, with a step in it: a window that any IMU model can answer.
        self._window = np.zeros((card.window.length, 9), np.float32)
        self._window[:, 0] = 9.81
        self._window[card.window.length // 2 :, 3] = 0.5

    async def run(self) -> list[Diagnostic]:
        """Everything that was found, the description of itself first."""
        try:
            described = await self._discovery.describe(self._recorder.get)
        except SidecarError as failure:
            return [self._found("says of itself", Verdict.BROKEN, failure.fault, failure.remedy)]
        found = [self._self_description(described)]
        protocol = described.protocol
        answer, outputs = await self._ask(protocol, "answers a window", found)
        if answer is not None and outputs is not None:
            found += self._details(answer.headers, outputs)
            found += await self._agreement(protocol, outputs)
        found += await self._other_protocols(protocol)
        found.append(await self._bad_window(protocol))
        found.append(await self._metrics())
        return found

    def _self_description(self, described: SelfDescription) -> Diagnostic:
        message = f"{described.about}; the gateway asks it by {described.protocol.name}"
        if described.fault:
            return self._found("says of itself", Verdict.BROKEN, described.fault, "See its log.")
        if described.is_silent:
            remedy = (
                f'Answer GET {self._target.health_path} with {{"ok": true, "model": ..., "device": ...}}: {_GUIDE}.'
            )
            return self._found("says of itself", Verdict.NOTE, message, remedy)
        return self._found("says of itself", Verdict.OK, message)

    async def _ask(
        self, protocol: SidecarProtocol, subject: str, found: list[Diagnostic]
    ) -> tuple[RawAnswer | None, Outputs | None]:
        try:
            answer = await self._post(protocol, self._window)
            if answer.status != _OK:
                found.append(self._found(subject, Verdict.BROKEN, f"no: status {answer.status}", f"See {_GUIDE}."))
                return answer, None
            outputs = protocol.decode(answer, self._reader)
        except ContractViolation as failure:
            remedy = "Compare its model with the card of the gateway (EDGEINFER_MODEL_FOLDER)."
            if failure.check == "score_sum":
                remedy = 'Where scores are not meant to sum to 1, say "scores_sum_to_one": false in the model card.'
            found.append(self._found(subject, Verdict.BROKEN, failure.fault, remedy))
            return None, None
        except SidecarError as failure:
            found.append(self._found(subject, Verdict.BROKEN, failure.fault, failure.remedy))
            return None, None
        message = f"{len(outputs.latent)} latents and {len(outputs.scores)} scores"
        found.append(self._found(subject, Verdict.OK, message))
        return answer, outputs

    def _details(self, headers: Mapping[str, str], outputs: Outputs) -> list[Diagnostic]:
        echoed = headers.get("x-request-id") == _REQUEST_ID
        timed = "total;dur=" in headers.get("server-timing", "")
        rows = [
            ("names its backend", outputs.backend != "unknown", outputs.backend, "X-Backend: hailo, cpu or stub"),
            ("gives the request id back", echoed, headers.get("x-request-id", "no"), "X-Request-Id as it came"),
            ("reports its time", timed, headers.get("server-timing", "no"), "Server-Timing: total;dur=milliseconds"),
        ]
        return [
            Diagnostic(subject, Verdict.OK if is_there else Verdict.NOTE, said, "" if is_there else f"Send {wanted}.")
            for subject, is_there, said, wanted in rows
        ]

    async def _agreement(self, protocol: SidecarProtocol, first: Outputs) -> list[Diagnostic]:
        found: list[Diagnostic] = []
        _, second = await self._ask(protocol, "answers it again", found)
        if second is None:
            return found
        if np.array_equal(first.latent, second.latent) and first.scores == second.scores:
            return [self._found("answers it again", Verdict.OK, "with the same numbers")]
        remedy = "Sampling in the model makes drift and comparisons meaningless: answer its mean."
        return [self._found("answers it again", Verdict.NOTE, "with other numbers", remedy)]

    async def _other_protocols(self, chosen: SidecarProtocol) -> list[Diagnostic]:
        if isinstance(chosen, OpenInference):
            return []
        found = []
        for protocol in (InferJson(), InferBinary()):
            if protocol.name == chosen.name:
                continue
            said: list[Diagnostic] = []
            _, outputs = await self._ask(protocol, f"speaks {protocol.name}", said)
            message = said[-1].message
            if outputs is None:
                found.append(Diagnostic(said[-1].subject, Verdict.NOTE, message, "Not needed."))
            elif isinstance(protocol, InferBinary):
                remedy = "Say so in content_types of its health, and the gateway asks it in bytes: a tenth of the cost."
                found.append(Diagnostic(said[-1].subject, Verdict.NOTE, message, remedy))
            else:
                found.append(said[-1])
        return found

    async def _bad_window(self, protocol: SidecarProtocol) -> Diagnostic:
        subject = "refuses a window of 7 rows"
        try:
            answer = await self._post(protocol, self._window[:7])
        except SidecarError as failure:
            return self._found(subject, Verdict.BROKEN, failure.fault, "Answer it with 422.")
        if 400 <= answer.status < 500:  # noqa: PLR2004 - the client errors of HTTP
            return self._found(subject, Verdict.OK, f"with {answer.status}")
        remedy = "Answer it with 422: a 5xx opens the gateway's circuit breaker, and a 200 is an invented number."
        return self._found(subject, Verdict.NOTE, f"with {answer.status}", remedy)

    async def _metrics(self) -> Diagnostic:
        path = f"{self._target.prefix}/metrics"
        remedy = f"See {_METRICS_GUIDE}."
        try:
            answer = await self._recorder.get(path)
        except SidecarError as failure:
            return self._found("exports metrics", Verdict.NOTE, failure.fault, remedy)
        if answer.status == _OK and b"hailo_sidecar_inferences_total" in answer.body:
            return Diagnostic("exports metrics", Verdict.OK, f"those of the dashboards, at {path}")
        what = "others than those of the dashboards" if answer.status == _OK else f"none (status {answer.status})"
        return Diagnostic("exports metrics", Verdict.NOTE, what, remedy)

    async def _post(self, protocol: SidecarProtocol, window: Window) -> RawAnswer:
        shown = protocol.path or self._target.path
        return await self._recorder.post(protocol.encode(window), protocol.path, shown)

    def _found(self, subject: str, verdict: Verdict, message: str, remedy: str = "") -> Diagnostic:
        exchange = f" [{self._recorder.exchange}]" if self._recorder.exchange else ""
        return Diagnostic(subject, verdict, message + exchange, remedy)


def _shown(answer: RawAnswer) -> str:
    kind = answer.headers.get("content-type", "no content type")
    if "json" not in kind and "text" not in kind:
        return f"({kind}, {len(answer.body)} bytes)"
    text = " ".join(answer.body[: 2 * _MAX_SHOWN].decode("utf-8", "replace").split())
    return f"({kind}) {text[:_MAX_SHOWN]}" + ("..." if len(text) > _MAX_SHOWN else "")
