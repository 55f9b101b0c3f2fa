"""Every failure in one JSON shape, counted, without details that are nobody's business."""

import logging
from collections.abc import Iterator

import pytest
from fastapi import FastAPI, Request
from prometheus_client import CollectorRegistry
from starlette.testclient import TestClient
from starlette.types import Message

from edgeinfer import errors
from edgeinfer.catalog import sidecar
from edgeinfer.catalog.labels import PROBLEMS
from edgeinfer.metrics.instruments import counter
from edgeinfer.metrics.registry import new_registry
from edgeinfer.web.problems import STATUS_AND_PROBLEM, install_problems, problem_of

DETAIL = "table users, row 1234"


@pytest.fixture
def registry() -> CollectorRegistry:
    return new_registry()


@pytest.fixture
def client(registry: CollectorRegistry) -> Iterator[TestClient]:
    app = FastAPI()
    install_problems(app, counter(sidecar.PROBLEMS, registry))

    @app.get("/unexpected")
    async def unexpected() -> None:
        raise ZeroDivisionError(DETAIL)

    @app.get("/busy")
    async def busy() -> None:
        raise errors.Overloaded("the queue", "64 windows wait already", "Come back.", retry_after_seconds=7)

    @app.get("/number/{number}")
    async def number(number: int) -> int:
        return number

    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def counted(registry: CollectorRegistry, problem: str) -> float | None:
    return registry.get_sample_value(sidecar.PROBLEMS.name, {"error_type": problem})


def test_an_unexpected_failure_is_logged_and_reported_without_details(
    client: TestClient, registry: CollectorRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = client.get("/unexpected")
    assert answer.status_code == 500
    assert set(answer.json()) == {"error", "status", "message", "remedy", "retry"}
    assert DETAIL not in answer.text
    assert "ZeroDivisionError" not in answer.text
    assert DETAIL in caplog.text
    assert counted(registry, "internal_error") == 1


def test_an_overloaded_service_says_when_to_come_back(client: TestClient, registry: CollectorRegistry) -> None:
    answer = client.get("/busy")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert answer.json() == {
        "error": "overloaded",
        "status": 503,
        "message": "the queue: 64 windows wait already.",
        "remedy": "Come back.",
        "retry": True,
    }
    assert counted(registry, "overloaded") == 1


def test_a_wrong_parameter_is_named(client: TestClient, registry: CollectorRegistry) -> None:
    answer = client.get("/number/one")
    assert answer.status_code == 422
    assert "path.number" in answer.json()["message"]
    assert counted(registry, "invalid_body") == 1


def test_the_answer_to_a_wrong_method_names_the_right_one(client: TestClient, registry: CollectorRegistry) -> None:
    answer = client.post("/busy")
    assert (answer.status_code, answer.headers["allow"], answer.json()["error"]) == (
        405,
        "GET, HEAD",
        "method_not_allowed",
    )
    assert answer.headers["content-length"] == str(len(answer.content))
    assert counted(registry, "method_not_allowed") == 1


async def test_a_caller_that_hangs_up_in_the_middle_of_a_body_is_no_failure_of_ours(
    registry: CollectorRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    app = FastAPI()
    install_problems(app)

    @app.post("/")
    async def read(request: Request) -> int:
        return len(await request.body())

    messages: Iterator[Message] = iter(
        [{"type": "http.request", "body": b"x", "more_body": True}, {"type": "http.disconnect"}]
    )
    sent: list[Message] = []

    async def receive() -> Message:
        return next(messages)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "raw_path": b"/", "query_string": b"", "headers": []}
    await app(scope, receive, send)
    assert sent == []
    assert not caplog.records


def test_the_answer_to_an_unknown_path_says_where_to_look(client: TestClient, registry: CollectorRegistry) -> None:
    answer = client.get("/nothing")
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")
    assert counted(registry, "not_found") == 1


def test_a_message_that_is_not_text_is_still_reported() -> None:
    failure = errors.InvalidBody("body", "it has the key '\ud800'", "Send text.")
    assert problem_of(failure).status_code == 400


def test_every_problem_is_one_that_the_catalog_knows() -> None:
    assert {problem for _, problem in STATUS_AND_PROBLEM.values()} <= set(PROBLEMS)


def test_every_error_that_can_reach_a_caller_has_a_status() -> None:
    operators = (errors.ConfigurationError, errors.StackError, errors.UnknownRecording)
    callers = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.EdgeInferError) and not issubclass(kind, operators)
    ]
    abstract = {errors.EdgeInferError, errors.InputError}
    unreported = [kind for kind in callers if kind not in abstract and not set(kind.__mro__) & set(STATUS_AND_PROBLEM)]
    assert unreported == []
