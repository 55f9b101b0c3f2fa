"""An address of a service as people type it."""

from typing import Any
from urllib.parse import urlsplit

import click


class HttpAddress(click.ParamType[str]):
    """Takes the address of a service that is asked by HTTP; anything else would be waited for as if it were down."""

    name = "url"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        if not _is_http(text):
            self.fail(f"{text!r} is not an address such as http://127.0.0.1:8080", param, ctx)
        return text


def _is_http(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is not a number, or a bracket without its other one
        return False
