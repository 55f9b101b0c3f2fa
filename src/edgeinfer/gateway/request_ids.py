"""Every request has an id, the caller's or a new one, and every answer says which."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgeinfer.web.request_id import request_id_of

_HEADER = b"x-request-id"
_KEY = "edgeinfer.request_id"


class RequestIds:
    """Plain ASGI middleware; it puts the id into the scope for `id_of`.

    Args:
        app: the application inside.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == _HEADER), b"")
        request_id = request_id_of(given)
        scope[_KEY] = request_id.decode()

        async def mark(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (_HEADER, request_id)]
            await send(message)

        await self._app(scope, receive, mark)


def id_of(scope: Scope) -> str:
    """The id of a request that came through `RequestIds`."""
    found: str = scope[_KEY]
    return found
