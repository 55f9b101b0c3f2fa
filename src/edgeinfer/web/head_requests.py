"""HEAD where GET is (RFC 9110, 9.3.2): the framework would answer 405."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadRequests:
    """Plain ASGI middleware: has HEAD answered as GET, without the body.

    Args:
        app: the application inside.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        # In the scope itself, where those outside read which route answered; they see the caller's method again.
        scope["method"] = "GET"
        try:
            await self._app(scope, receive, without_body)
        finally:
            scope["method"] = "HEAD"
