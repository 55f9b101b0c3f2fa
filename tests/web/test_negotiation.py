"""Accept and Accept-Encoding as RFC 9110 has them."""

import pytest

from edgeinfer.web.negotiation import accepts_coding, first_accepted, without_refused

JSON, TEXT = "application/json", "text/plain"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", None),
        ("*/*", None),
        ("application/*", None),
        ("text/html,application/xhtml+xml,*/*;q=0.8", None),
        ("application/json", JSON),
        ("Application/JSON", JSON),
        ("application/json; charset=utf-8", JSON),
        ("application/json, text/plain, */*", JSON),
        ("text/plain, application/json", TEXT),
        ("text/plain;q=0.5, application/json", JSON),
        ("application/json;q=0", None),
        ("application/json;Q=0.000", None),
        ("application/json;q=0, text/plain;q=0.1", TEXT),
        ("application/json ; q = 0.4 , text/plain; q=0.3", JSON),
        ("application/json;q=often", JSON),
        ("application/json;q=-1", None),
        (",,;,q=1", None),
    ],
)
def test_the_offer_that_weighs_most_is_chosen(accept: str, chosen: str | None) -> None:
    assert first_accepted(accept, (JSON, TEXT)) == chosen


@pytest.mark.parametrize("header", ["gzip", "deflate, GZIP", "br, gzip;q=0.5"])
def test_a_coding_is_used_where_it_is_named(header: str) -> None:
    assert accepts_coding(header, "gzip")


@pytest.mark.parametrize("header", ["gzip;q=0", "gzip; q=0.0, br", "identity", "*", "xgzip", ""])
def test_a_coding_is_not_used_where_it_is_refused_or_not_named(header: str) -> None:
    assert not accepts_coding(header, "gzip")


def test_what_is_refused_is_left_out() -> None:
    accept = "Application/OpenMetrics-Text;version=1.0.0;q=0, text/plain;version=0.0.4;q=0.3"
    assert without_refused(accept) == "text/plain;version=0.0.4;q=0.3"
