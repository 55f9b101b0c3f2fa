"""The id that ties log lines together; what a caller sends is not trusted."""

import pytest

from edgeinfer.web.request_id import new_request_id, request_id_of


@pytest.mark.parametrize("given", [b"a", b"abc-123_x.Y", b"a" * 64])
def test_a_plain_token_is_kept(given: bytes) -> None:
    assert request_id_of(given) == given


@pytest.mark.parametrize("given", [b"", b"a" * 65, b"a b", b"a\nb", b"a\n", b'"quoted"', "ü".encode()])
def test_anything_else_is_replaced(given: bytes) -> None:
    made = request_id_of(given)
    assert made != given
    assert request_id_of(made) == made


def test_each_request_gets_its_own() -> None:
    assert len({new_request_id() for _ in range(1000)}) == 1000
