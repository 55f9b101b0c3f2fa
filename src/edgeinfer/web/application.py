"""The framework's application with one set of choices for every service, in place of the framework's defaults."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version

from fastapi import FastAPI
from prometheus_client import Counter

from edgeinfer.web.api_page import api_page_router
from edgeinfer.web.head_requests import HeadRequests
from edgeinfer.web.problems import install_problems


def new_application(
    title: str,
    *,
    description: str,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
    problems: Counter | None = None,
) -> FastAPI:
    """An application without routes of its own yet.

    A path with a slash too many is not found rather than redirected: the redirect would name the scheme and host that
    this process sees, which behind a proxy are not the caller's. The pages of the API come from this package, because
    those of the framework are loaded from the internet. A caller who asks for HEAD gets what GET answers, without its
    body.

    Args:
        title: of the service.
        description: what it is for, in Markdown.
        lifespan: what runs around the serving.
        problems: a counter with the label `error_type`; none where the process exports no metrics.
    """
    app = FastAPI(
        title=title,
        version=version("edgeinfer"),
        description=description,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.add_middleware(HeadRequests)
    # Asked late: services put their own parts into the document.
    app.include_router(api_page_router(lambda: app.openapi()))  # noqa: PLW0108 - it is replaced later
    install_problems(app, problems)
    return app
