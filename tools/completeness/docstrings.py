"""Docstrings that say nothing, and long public functions that have none.

A property's docstring is that of an attribute, and a protocol's methods are a contract: both may be short.
"""

import ast
import re
from collections.abc import Iterator

from tools.completeness.gap import ROOT, Gap

# So few words say no more than a name does, unless one is a number, code, a shape or an error.
_MIN_WORDS = 6
_SAYS_MORE = re.compile(r"[\d`(]|\braises?\b", re.IGNORECASE)
# A public function of more lines is not read at a glance.
_MAX_LINES_WITHOUT = 12
_NO_NEED = ("create",)  # the entry of a file in a searched folder: its contract is in the guide of the folder
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def gaps() -> Iterator[Gap]:
    """Every docstring and every function of the package that does not keep to this."""
    for path in sorted((ROOT / "src" / "edgeinfer").rglob("*.py")):
        yield from gaps_of(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))


def gaps_of(path: str, text: str) -> Iterator[Gap]:
    """The same for the text of one file."""
    for node, is_contract in _functions(ast.parse(text), is_contract=False):
        docstring = ast.get_docstring(node)
        at = f"{path}:{node.lineno}"
        if docstring is None and _is_long(node) and not node.name.startswith("_") and node.name not in _NO_NEED:
            lines = (node.end_lineno or node.lineno) - node.lineno
            yield Gap(at, f"{node.name} has {lines} lines and no docstring", "Say what it does, with units and errors.")
        elif docstring is not None and not is_contract and _is_empty(docstring):
            remedy = "Delete it, or say what the name does not: a shape, a unit, an error, a reason."
            yield Gap(at, f"the docstring of {node.name} says no more than its name", remedy)


def _functions(node: ast.AST, *, is_contract: bool) -> Iterator[tuple[_Function, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _Function):
            yield (
                child,
                is_contract or any(_name(one) in ("property", "abstractmethod") for one in child.decorator_list),
            )
        if isinstance(child, ast.ClassDef):
            is_protocol = any(_name(base) in ("Protocol", "ABC") for base in child.bases)
            yield from _functions(child, is_contract=is_protocol)


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _is_long(node: _Function) -> bool:
    return (node.end_lineno or node.lineno) - node.lineno > _MAX_LINES_WITHOUT


def _is_empty(docstring: str) -> bool:
    return len(docstring.split()) < _MIN_WORDS and not _SAYS_MORE.search(docstring)
