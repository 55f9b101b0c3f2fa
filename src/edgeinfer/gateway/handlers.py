"""What the routes that phones call all the time do; they know nothing of ASGI."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeinfer.gateway import answers
from edgeinfer.gateway.analysis import InferenceService
from edgeinfer.gateway.answers import Document
from edgeinfer.gateway.bodies import json_body
from edgeinfer.gateway.hot_routes import Call, HotRoute, Later
from edgeinfer.gateway.known_activity import ActivityCounter, check_activity
from edgeinfer.gateway.motifs import find_motifs
from edgeinfer.gateway.resampling import WindowSource
from edgeinfer.gateway.samples import (
    Batch,
    check_bounds,
    decode_process,
    decode_stream,
    make_window,
    read_batch,
)
from edgeinfer.gateway.sessions import SessionStore, Stored, canonical_id
from edgeinfer.gateway.synchrony import measure_session
from edgeinfer.model.card import Motif

PREFIX = "/api/v1/analysis"
# The usual query; any other is read, or refused, by the framework.
_SESSION = re.compile(rb"sessionId=([0-9A-Za-z-]{1,64})")
_SESSION_AND_ROLE = re.compile(_SESSION.pattern + rb"(?:&role=([a-z0-9_-]{1,32}))?")


@dataclass(frozen=True, slots=True)
class Handlers:
    """The handlers, and the routes past the framework that call them.

    Args:
        store: keeps sessions.
        service: analyses windows.
        motifs: of the model card.
        activities: compares motifs with what phones know was done.
        max_body_bytes: longest body, compressed or not.
    """

    store: SessionStore
    service: InferenceService
    motifs: tuple[Motif, ...]
    activities: ActivityCounter
    max_body_bytes: int

    def routes(self) -> tuple[HotRoute, ...]:
        return (
            HotRoute("PUT", f"{PREFIX}/stream", self._stream_of_call),
            HotRoute("POST", f"{PREFIX}/process", self._process_of_call),
            HotRoute("GET", f"{PREFIX}/motifs", self._find_of_call, _SESSION_AND_ROLE),
            HotRoute("GET", f"{PREFIX}/synchrony", self._synchrony_of_call, _SESSION),
        )

    def stream(self, body: bytes) -> Document | Later:
        """Keep samples: at once, or later where the store must wait for the disk."""
        decoded = decode_stream(body)
        batch = read_batch(decoded.samples)
        check_bounds(decoded, batch)
        activity = check_activity(decoded.activity)
        session_id = canonical_id(decoded.session_id)
        stored = self.store.append_now(session_id, decoded.role, batch)
        if stored is None:
            return self._stream_later(session_id, decoded.role, batch, activity)
        return self._accepted(session_id, stored, batch, activity)

    async def _stream_later(self, session_id: str, role: str, batch: Batch, activity: str) -> Document:
        return self._accepted(session_id, await self.store.append(session_id, role, batch), batch, activity)

    @staticmethod
    def _accepted(session_id: str, stored: Stored, batch: Batch, activity: str) -> Document:
        if activity and len(batch):
            stored.stream.activities.add(float(batch.times.min()), float(batch.times.max()), activity)
        return answers.accepted(session_id, stored)

    def process(self, body: bytes, request_id: str) -> Later:
        window, source = make_window(decode_process(body).samples)
        return self._process(window, source, request_id)

    async def _process(self, window: NDArray[np.float32], source: WindowSource, request_id: str) -> Document:
        analysis = await self.service.analyze_imu_window(window, "process", request_id)
        return answers.processed(analysis, source, request_id)

    async def find(self, session_id: str, role: str | None, request_id: str) -> Document:
        """The motifs of the newest window of a session."""
        session_id = canonical_id(session_id)
        kept = self.store.get(session_id).stream(role)
        found = await find_motifs(self.service, self.motifs, kept, request_id)
        if found.activity:
            self.activities.count(found.activity, found.diagnostics[0].index)
        return answers.motifs(session_id, kept, found, self.store.age_seconds(kept), request_id)

    def synchrony(self, session_id: str) -> Document:
        """How well the two streams of a session move together."""
        session = self.store.get(canonical_id(session_id))
        return answers.synchrony(session, measure_session(session))

    def _stream_of_call(self, call: Call) -> Document | Later:
        return self.stream(json_body(call.headers, call.body, self.max_body_bytes))

    def _process_of_call(self, call: Call) -> Later:
        return self.process(json_body(call.headers, call.body, self.max_body_bytes), call.request_id)

    def _find_of_call(self, call: Call) -> Later:
        found = _SESSION_AND_ROLE.fullmatch(call.query)
        assert found is not None  # noqa: S101 - a route is only reached with such a query
        session, role = found.groups()
        return self.find(session.decode(), None if role is None else role.decode(), call.request_id)

    def _synchrony_of_call(self, call: Call) -> Document:
        found = _SESSION.fullmatch(call.query)
        assert found is not None  # noqa: S101 - as above
        return self.synchrony(found[1].decode())
