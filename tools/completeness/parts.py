"""Backends, collectors, metrics, settings and commands that are not complete."""

import ast
import importlib
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from edgeinfer.catalog.all import MODULES
from edgeinfer.catalog.backends import backend_files
from edgeinfer.catalog.metric import Metric
from edgeinfer.settings import ProcessSettings, all_settings
from tools.completeness.gap import ROOT, Gap
from tools.python_api_reference import PUBLIC_MODULES

_PACKAGE = ROOT / "src" / "edgeinfer"
_SETTINGS = "src/edgeinfer/settings.py"
# Files of the folder `collectors` whose collector runs in another process than the exporter.
_IN_OTHER_PROCESSES = ("system",)


def gaps() -> Iterator[Gap]:
    """Everything of this module that is not complete."""
    yield from gaps_of_files()
    for folder in ("monitoring/alerts", "monitoring/dashboards"):
        yield from unused_functions(_PACKAGE / folder, f"src/edgeinfer/{folder}")
    yield from left_out_of_the_api(PUBLIC_MODULES)
    yield from metrics_never_set(catalog_constants(), words_outside(("catalog", "monitoring")))
    yield from settings_without_a_use(all_settings(), words_outside(("settings.py",)))


def gaps_of_files() -> list[Gap]:
    """What is missing in files that a folder is searched for."""
    found = (backends(_PACKAGE / "backends"), collectors(_PACKAGE / "collectors"), commands(_PACKAGE / "cli"))
    return [gap for gaps_of_folder in found for gap in gaps_of_folder]


def backends(folder: Path) -> Iterator[Gap]:
    """Backends without a constant, a docstring or a function that the folder is searched for."""
    for backend in backend_files(folder):
        path = f"src/edgeinfer/backends/{backend.name}.py"
        if not backend.kind:
            fault = f'the backend {backend.name} has no line such as KIND = "cpu"'
            yield Gap(path, fault, "Add it: answers and metrics name the backend by it.")
        if not backend.summary:
            fault = f"the backend {backend.name} has no docstring, whose first line --help shows"
            yield Gap(path, fault, "Add it at the top of the file.")
        if "create" not in functions(folder / f"{backend.name}.py"):
            fault = f"the backend {backend.name} has no function create(card, settings)"
            yield Gap(path, fault, "Add it: the sidecar makes the backend with it.")


def collectors(folder: Path) -> Iterator[Gap]:
    """Files with a collector and without the function that the exporter looks for."""
    for path in sorted(folder.glob("*.py")):
        if path.stem in _IN_OTHER_PROCESSES or path.stem == "base":
            continue
        methods = [set(_methods(node)) for node in ast.parse(path.read_text(encoding="utf-8")).body]
        if any({"collect", "close"} <= found for found in methods) and "create" not in functions(path):
            fault = f"the collector of {path.name} is never run: the file has no function create(context)"
            yield Gap(
                f"src/edgeinfer/collectors/{path.name}", fault, "Add it: the exporter makes the collector with it."
            )


def commands(folder: Path) -> Iterator[Gap]:
    """Command files without the function that the command line looks for, and commands that say nothing."""
    for path in sorted(folder.glob("*.py")):
        if path.stem.startswith("_") or path.stem == "main":
            continue
        where = f"src/edgeinfer/cli/{path.name}"
        if "create" not in functions(path):
            fault = f"the command {path.stem.replace('_', '-')} cannot be made: the file has no function create()"
            yield Gap(where, fault, "Add it; it gives a click.Command. A helper's file begins with an underscore.")


def left_out_of_the_api(modules: Iterable[str]) -> Iterator[Gap]:
    """Public classes and functions of public modules that their `__all__` does not name."""
    for module in modules:
        found = vars(importlib.import_module(module))
        own = {name for name, value in found.items() if getattr(value, "__module__", "") == module and name[0] != "_"}
        # `create` is the hook by which a folder is searched.
        for name in sorted(own - {"create"} - set(found["__all__"])):
            fault = f"the public module {module} does not name {name} in its __all__"
            remedy = "Name it, and run make generate; or let its name begin with an underscore."
            yield Gap(f"src/{module.replace('.', '/')}.py", fault, remedy)


def unused_functions(folder: Path, where: str) -> Iterator[Gap]:
    """Functions of entries, such as an alert or the panels of a row, that their file makes and never uses."""
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for name in sorted(functions(path)):
            if name.startswith("_") and len(re.findall(rf"\b{name}\b", text)) == 1:
                fault = f"{name}() is never used, so that what it makes is nowhere"
                file = f"{where}/{path.relative_to(folder)}"
                yield Gap(file, fault, "Use it in create(), or in the row or list that it is for.")


@cache
def functions(path: Path) -> frozenset[str]:
    """The names of the functions at the top of a module."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return frozenset(node.name for node in body if isinstance(node, ast.FunctionDef))


def _methods(node: ast.stmt) -> list[str]:
    inside = node.body if isinstance(node, ast.ClassDef) else []
    return [one.name for one in inside if isinstance(one, ast.FunctionDef)]


def catalog_constants() -> dict[str, tuple[str, Metric]]:
    """Each metric of the catalog by the name of its constant, with the module that has it."""
    return {
        constant: (module.__name__.rpartition(".")[2], value)
        for module in MODULES
        for constant, value in vars(module).items()
        if isinstance(value, Metric)
    }


def words_outside(excluded: Iterable[str]) -> frozenset[str]:
    """Every name and word of the package's code, but for these folders and files."""
    words: set[str] = set()
    for path in _PACKAGE.rglob("*.py"):
        if path.relative_to(_PACKAGE).parts[0] not in excluded:
            words |= set(re.findall(r"\w+", path.read_text(encoding="utf-8")))
    return frozenset(words)


def metrics_never_set(constants: Mapping[str, tuple[str, Metric]], words: frozenset[str]) -> Iterator[Gap]:
    """Metrics whose constant no process uses."""
    for constant, (module, metric) in constants.items():
        if constant not in words:
            yield Gap(
                f"src/edgeinfer/catalog/{module}.py",
                f"the metric {metric.name} is never set: no process uses {constant}",
                f"Set it in the process that owns it ({', '.join(metric.owners)}), or remove the entry.",
            )


def settings_without_a_use(processes: Iterable[type[ProcessSettings]], words: frozenset[str]) -> Iterator[Gap]:
    """Settings without a description, and settings that nothing reads."""
    for process in processes:
        for name, field in process.model_fields.items():
            variable = process.variables().get(name, name)
            if not field.description:
                yield Gap(_SETTINGS, f"the setting {variable} has no description", "Add it: the reference shows it.")
            if name not in words and not is_checked_only(name):
                fault = f"nothing reads the setting {variable}: no code uses {process.__name__}.{name}"
                yield Gap(_SETTINGS, fault, "Use it where the process is put together, or remove it.")


@cache
def is_checked_only(name: str) -> bool:
    """Whether a field is read by a validator of its own class."""
    return f"self.{name}" in (_PACKAGE / "settings.py").read_text(encoding="utf-8")
