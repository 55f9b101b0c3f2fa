"""The fuzzer: its inputs are repeatable, and what must not happen is seen."""

import json
from itertools import islice

import pytest

from tools.fuzz import Fuzzing, _judge
from tools.fuzz_inputs import Good, Input, inputs

GOODS = [Good("POST", "/infer", {"x": [[0.1] * 9] * 5}), Good("POST", "/api/v1/analysis/stop", {"sessionId": "x"})]
WHOLE, PART = Input("odd values", b"POST / HTTP/1.1", is_whole=True), Input("noise", b"x", is_whole=False)
PROBLEM = json.dumps({"error": "invalid_body", "status": 400, "message": "m", "remedy": "r", "retry": False}).encode()


def test_the_same_seed_makes_the_same_inputs_and_another_makes_others() -> None:
    first, again, other = (list(islice(inputs(GOODS, seed), 300)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_every_kind_of_input_is_made_and_the_good_requests_stay_good() -> None:
    before = json.dumps([good.document for good in GOODS])
    made = list(islice(inputs(GOODS, 1), 3000))
    assert len({one.kind for one in made}) == 13
    assert len({one.data for one in made}) > 1500
    assert json.dumps([good.document for good in GOODS]) == before


def test_whole_requests_say_their_length() -> None:
    for one in islice(inputs(GOODS, 3), 1000):
        if one.is_whole:
            head, _, body = one.data.partition(b"\r\n\r\n")
            assert f"Content-Length: {len(body)}".encode() in head


@pytest.mark.parametrize(
    ("one", "head", "body", "fault"),
    [
        (WHOLE, b"", b"", "no answer"),
        (PART, b"", b"", ""),
        (PART, b"invalid", b"", "no HTTP"),
        (WHOLE, b"HTTP/1.1 500 Oops\r\n\r\n", PROBLEM, "500"),
        (WHOLE, b"HTTP/1.1 400 Bad\r\n\r\n", b"Invalid", "400 in another shape"),
        (WHOLE, b"HTTP/1.1 400 Bad\r\n\r\n", PROBLEM, ""),
        (WHOLE, b"HTTP/1.1 200 OK\r\n\r\n", b"{}", ""),
    ],
)
def test_what_must_not_happen_is_seen(one: Input, head: bytes, body: bytes, fault: str) -> None:
    found = _judge(one, head, body, Fuzzing())
    assert found.startswith(fault)
    assert bool(found) == bool(fault)
