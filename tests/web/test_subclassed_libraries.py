"""Libraries whose classes ours are built on have an upper bound: what a subclass relies on is not promised by them."""

import ast
import inspect
import re
import tomllib
from importlib.metadata import packages_distributions, version
from pathlib import Path

import uvicorn
from uvicorn.server import ServerState

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIREMENTS = {
    re.match(r"[A-Za-z0-9-]+", line)[0].lower(): line  # type: ignore[index]  # each begins with a name
    for lines in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for line in lines
}
# Starlette comes with FastAPI, whose bound is the one that counts.
COMES_WITH = {"starlette": "fastapi"}


def subclassed_distributions() -> dict[str, str]:
    """Distribution of every foreign class that a class of ours is built on, with one that is."""
    of_module, found = packages_distributions(), {}
    for path in sorted((ROOT / "src").rglob("*.py")):
        tree = ast.parse(path.read_text())
        modules = imported_modules(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                for base in node.bases:
                    name = ast.unparse(base).partition("[")[0].partition(".")[0]
                    (distribution,) = of_module.get(modules.get(name, ""), [""])[:1]
                    if distribution and distribution != "edgeinfer":
                        distribution = COMES_WITH.get(distribution.lower(), distribution.lower())
                        found[distribution.replace("_", "-")] = f"{path.name}: {node.name}"
    return found


def imported_modules(tree: ast.Module) -> dict[str, str]:
    """Top-level module of each name that a module imports."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update({(one.asname or one.name).partition(".")[0]: one.name.partition(".")[0] for one in node.names})
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update({one.asname or one.name: node.module.partition(".")[0] for one in node.names})
    return names


def test_a_library_that_is_subclassed_has_an_upper_bound() -> None:
    found = subclassed_distributions()
    assert {"uvicorn", "fastapi", "pydantic", "prometheus-client", "click"} <= set(found)
    unbounded = {name: where for name, where in found.items() if "<" not in REQUIREMENTS[name].partition("#")[0]}
    assert unbounded == {}


def test_the_bound_of_uvicorn_is_the_minor_version_that_was_tried() -> None:
    """Before 1.0 each minor version of uvicorn may change what `SupervisedServer` and `HttpConnection` rely on.

    To raise the bound: read its changes of server.py, run tests/web, then set the bound to the next minor version.
    """
    major, minor = version("uvicorn").split(".")[:2]
    assert f"<{major}.{int(minor) + 1}" in REQUIREMENTS["uvicorn"]


def test_uvicorn_still_calls_what_the_server_overrides() -> None:
    expected = {
        "startup": ["self", "sockets"],
        "shutdown": ["self", "sockets"],
        "handle_exit": ["self", "sig", "frame"],
        "on_tick": ["self", "counter"],
        "main_loop": ["self"],
    }
    for name, parameters in expected.items():
        assert list(inspect.signature(getattr(uvicorn.Server, name)).parameters) == parameters
    source = inspect.getsource(uvicorn.Server)
    calls = ("startup(", "shutdown(", "handle_exit", "on_tick(", "main_loop(")
    for call in (*(f"self.{name}" for name in calls), "connection.shutdown()"):
        assert call in source


def test_uvicorn_still_gives_a_connection_what_it_needs() -> None:
    source = inspect.getsource(uvicorn.Server.startup)
    for keyword in ("config=config", "server_state=", "app_state=", "_loop="):
        assert keyword in source
    state = ServerState()
    assert (state.connections, state.tasks) == (set(), set())
