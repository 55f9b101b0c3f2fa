"""What happens to an inference request whichever transport it came by: the model is found, its windows are computed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TypeVar

from edgeinfer.sidecar.accounting import Call, InferenceAccount
from edgeinfer.sidecar.batch import submit_all
from edgeinfer.sidecar.inference import Computed, InferencePool
from edgeinfer.sidecar.model import ServedModel
from edgeinfer.sidecar.open_inference.contract import check_model
from edgeinfer.sidecar.open_inference.request import InferRequest
from edgeinfer.web.problems import Problem


@dataclass(frozen=True, slots=True)
class Computation:
    """A request whose windows are all computed, to be encoded and then handed to `OpenInferenceCore.finish`.

    Args:
        asked: the request.
        computed: one for each of its windows.
        decoded: when the windows were there, in seconds of `perf_counter`.
    """

    asked: InferRequest
    computed: Sequence[Computed]
    decoded: float


_Encoded = TypeVar("_Encoded")
Deliver = Callable[[Computation | Problem | None], None]
"""Takes what became of a request, once; None when its caller hung up."""


class OpenInferenceCore:
    """Answers the windows of one request together, and accounts for them.

    Args:
        pool: computes.
        model: whose name and version a request must have.
        account: stages, outcomes, errors.
    """

    def __init__(self, pool: InferencePool, model: ServedModel, account: InferenceAccount) -> None:
        self._pool = pool
        self._account = account
        self.model = model

    @property
    def backend(self) -> str:
        """What computes: "hailo", "cpu" or "stub"; empty while nothing is known of it."""
        described = self.model.description
        return described.kind if described is not None else ""

    def submit(self, name: str, version: str, call: Call, read: Callable[[], InferRequest], deliver: Deliver) -> None:
        """Have a request computed.

        Args:
            name: of the model that is asked.
            version: of the model, or empty for any.
            call: to account for.
            read: decodes the request; called at once, its failures become the answer.
            deliver: called once, at once or later on the event loop.
        """
        count = 1
        try:
            check_model(self.model.card, name, version)
            asked = read()
            count, decoded = len(asked.windows), perf_counter()

            def take(outcome: Sequence[Computed] | Exception) -> None:
                if isinstance(outcome, Exception):
                    deliver(self._account.refused(outcome, call, count))
                else:
                    deliver(Computation(asked, outcome, decoded))

            submit_all(self._pool, asked.windows, call.request.is_abandoned, take)
        except Exception as failure:  # noqa: BLE001 - every failure becomes an answer
            deliver(self._account.refused(failure, call, count))

    def about(self, asked: InferRequest, call: Call) -> dict[str, str]:
        """Who answers, and to what: model_name, model_version, id."""
        card = self.model.card
        return {
            "model_name": card.name,
            "model_version": card.version,
            "id": asked.id or call.request_id.decode(),
        }

    def encoded(
        self, outcome: Computation | Problem | None, call: Call, encode: Callable[[Computation], _Encoded]
    ) -> "_Encoded | Problem | None":
        """What a request is answered, where its windows were computed encoded by `encode`; whose failure is one too."""
        if not isinstance(outcome, Computation):
            return outcome
        try:
            return encode(outcome)
        except Exception as failure:  # noqa: BLE001 - an output that cannot be encoded is a failure like any other
            return self.refuse(failure, call, len(outcome.computed))

    def finish(self, call: Call, done: Computation) -> bytes:
        """Account for a request whose answer is encoded; returns its Server-Timing."""
        return self._account.answered(call, done.decoded, done.computed)

    def refuse(self, failure: Exception, call: Call, windows: int = 1) -> Problem:
        """Account for a request that could not be read, or not be answered; returns what to answer."""
        problem = self._account.refused(failure, call, windows)
        assert problem is not None  # noqa: S101 - only for a caller that hung up there is none
        return problem

    def abandoned(self) -> None:
        """Account for a request whose caller hung up before it was whole."""
        self._account.abandoned()
