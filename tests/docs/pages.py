"""The documentation as data: pages, links, and the commands that readers are asked to type."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOP_LEVEL = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
_BLOCK = re.compile(r"```([a-z]*)\n(.*?)```", re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class DocumentedCommand:
    """A command that a page asks its reader to type."""

    page: Path
    text: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text, comments=True)

    def arguments_of(self, program: str) -> list[str] | None:
        """What stands after the program, up to where the shell takes over; None where it is not called."""
        words = self.words
        end = next((at for at, word in enumerate(words) if word in {"|", ">", ">>", "&", "&&", "2>&1"}), len(words))
        at = next((at for at, word in enumerate(words[:end]) if Path(word).name == program), None)
        is_called = at is not None and all("=" in word or word == "sudo" for word in words[:at])
        return words[at + 1 : end] if is_called and at is not None else None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}: {self.text}"


def pages() -> list[Path]:
    return sorted([*(ROOT / name for name in TOP_LEVEL), *(ROOT / "docs").rglob("*.md")])


def commands() -> list[DocumentedCommand]:
    """What stands after a `$` prompt, each line of a shell block, and each command of ours named in the prose."""
    found = []
    for page in pages():
        text = page.read_text()
        for language, block in _BLOCK.findall(text):
            found += [DocumentedCommand(page, one) for one in _of_block(language, block)]
        prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        found += [DocumentedCommand(page, one) for one in re.findall(r"`((?:edgeinfer|make) [^`]+)`", prose)]
    return found


def _of_block(language: str, block: str) -> Iterator[str]:
    lines = iter(block.replace("\\\n", " ").splitlines())
    for line in lines:
        if line.startswith("$ "):
            yield _whole(line[2:].strip(), lines)
        elif language in {"bash", "sh"} and line.strip() and not line.startswith("#"):
            yield _whole(line.strip(), lines)


def _whole(text: str, following: Iterator[str]) -> str:
    """A command whose quotation continues in the next lines, joined."""
    while True:
        try:
            shlex.split(text, comments=True)
        except ValueError:
            text += "\n" + next(following)
        else:
            return text


def links() -> list[tuple[Path, str]]:
    """Page and target of each link that leads into the repository."""
    found = []
    for page in pages():
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
        found += [(page, target) for target in _LINK.findall(text) if "://" not in target and target[0] != "#"]
    return found


def reachable_from(start: Path) -> set[Path]:
    """Every file that a reader gets to from `start` by following links inside the repository."""
    outgoing: dict[Path, set[Path]] = {}
    for page, target in links():
        outgoing.setdefault(page, set()).add((page.parent / target.partition("#")[0]).resolve())
    reached, waiting = {start}, [start]
    while waiting:
        new = outgoing.get(waiting.pop(), set()) - reached
        reached |= new
        waiting += new
    return reached
