"""An addition to the product in steps, and what is said where a step is forgotten."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Omission:
    """A part of a step that may be forgotten, or done wrongly.

    Args:
        what: as a person would say it.
        part: of the step's text.
        instead: what is in its place.
        named: what must be named then.
        is_found_by_linters: whether ruff or mypy say it.
    """

    what: str
    part: str
    instead: str = ""
    named: tuple[str, ...] = ()
    is_found_by_linters: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a guide, as an edit.

    Args:
        what: the step, as a person would say what they forgot; empty for the only one, without which nothing is added.
        path: the file that is touched.
        text: what is added.
        before: a line that the text is put in front of; empty puts it at the end.
        named: what must be named when the step is forgotten.
        is_found_by_linters: whether ruff or mypy say that it is missing.
        is_generating: whether the step is `make generate`.
        omissions: parts of it that may be forgotten.
    """

    what: str
    path: str = ""
    text: str = ""
    before: str = ""
    named: tuple[str, ...] = ()
    is_found_by_linters: bool = False
    is_generating: bool = False
    omissions: tuple[Omission, ...] = ()

    def apply(self, root: Path, omission: Omission | None = None) -> None:
        """Make the edit below `root`, without a part of it if one is named.

        Raises:
            LookupError: the line is not there any more, so that this example must be changed.
        """
        if self.is_generating:
            return
        if omission and omission.part not in self.text:
            raise LookupError(f"the step has no part {omission.part!r}; change the example in {__file__}")
        text = self.text.replace(omission.part, omission.instead) if omission else self.text
        file = root / self.path
        content = file.read_text(encoding="utf-8") if file.exists() else ""
        if self.before and self.before not in content:
            raise LookupError(f"{self.path} has no line {self.before!r}; change the example in {__file__}")
        changed = content.replace(self.before, text + self.before, 1) if self.before else content + text
        file.write_text(changed, encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Addition:
    """Something that is added in few steps."""

    name: str
    steps: tuple[Step, ...]
