"""The words that this project avoids, what to write in their place, and how often each room still has them.

`python -m tools.vocabulary` prints the counts; `python -m tools.vocabulary src/edgeinfer/web README.md` lists
each place in those paths with the word to write. `--check`, a part of `make check`, fails for each word in HELD.
"""

import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]

# Held at zero by `make check`: a file, or a folder with everything in it.
HELD = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "benchmarks",
    "chaos",
    "deploy",
    "docs",
    "src",
    "tests",
    "tools",
    "training",
)
ROOMS = ("src", "tests", "docs", "tools")

_SUFFIXES = {".py", ".md", ".js", ".html", ".css", ".sh", ".json", ".yml", ".toml", ".env", ".service", ".conf"}
# Names the words without using them, so it would count itself.
_EXEMPT = {
    "tools/vocabulary.py",
    "tests/docs/test_vocabulary.py",
    "tools/metric_diff.py",  # old names of metrics
    "docs/reports/metric-names.md",
    "src/edgeinfer/model/default/card.json",  # written when the model was trained
    "tests/browser/package-lock.json",  # written by npm
    "tests/fakes/hailo_platform/device.py",  # prints as HailoRT does
}
_SKIPPED_FOLDERS = {"grafana_data", "grafana_schema", "node_modules", "__pycache__", "vendor"}


@dataclass(frozen=True, slots=True)
class Term:
    """A word that is avoided.

    Args:
        name: how the table calls it.
        pattern: what finds it, upper and lower case alike.
        write: the words to use in its place.
        unless: where the line has this, the word is meant literally.
    """

    name: str
    pattern: str
    write: str
    unless: str = ""

    def places(self, line: str) -> int:
        """How often the line has the word where it should not."""
        if self.unless and re.search(self.unless, line, re.IGNORECASE):
            return 0
        return len(re.findall(self.pattern, line, re.IGNORECASE))


TERMS = (
    Term(
        "tell, told",
        r"(?<![a-z])(tell|tells|telling|told)(?![a-z])",
        "say, report, show, count; distinguish for 'tell apart'",
    ),
    Term("mend", r"(?<![a-z])mend(s|ed|ing)?(?![a-z])", "fix"),
    Term("calm", r"(?<![a-z])calm\w*", "steady state, idle"),
    Term("hush", r"(?<![a-z])hush\w*", "pause, silence"),
    Term("beside", r"(?<![a-z])besides?(?![a-z])", "next to, alongside, during, compared with"),
    Term("foresaw", r"(?<![a-z])fores(aw|ee|een)(?![a-z])", "expected; 'unexpected error in ...'"),
    Term("spoilt", r"(?<![a-z])spoil(s|t|ed)?(?![a-z])", "malformed, damaged"),
    Term("is no <noun>", r"(?<!there )\bis no (?!(?:longer|more|such|one)\b)\w+", "is not a ..."),
    Term("dial", r"(?<![a-z])dials?(?![a-z])", "gauge"),
    Term("somebody gets up", r"\b(somebody|who) (gets|looks)\b", "page; needs attention today"),
    Term("somebody", r"(?<![a-z])(some|any|every)body(?![a-z])", "someone, anyone, everyone; better: who it is"),
    Term(
        "board",
        r"(?<![a-z])boards?(?![a-z-])",
        "dashboard",
        unless=r"\b(chips?|circuit|raspberry|pis?|hat|serial|m\.2|sensor|loads?)\b"
        r"|board_(name|location)|evaluation_board",
    ),
    Term("neighbour", r"(?<![a-z])neighbours?(?![a-z])", "negative case; next to it"),
    Term("eldest", r"(?<![a-z])eldest(?![a-z])", "oldest"),
    Term("thrifty", r"\bthrift\w+", "uses the least CPU"),
    Term("of before", r"(?<![a-z])of[ _]before(?![a-z])", "previous"),
    Term("let go of", r"(?<![a-z])(let|lets|letting)[ _]go[ _]of(?![a-z])", "release, drop, close"),
    Term("anew", r"(?<![a-z])anew(?![a-z])", "again"),
    Term("newcomer", r"(?<![a-z])newcomers?(?![a-z])", "new client, new reader"),
    Term("held against", r"\b(held|hold|holds) (\w+ ){0,3}against\b", "compared with"),
    Term("stands in", r"(?<![a-z])stands?[ _](in|there|with|apart|at[ _]the)(?![a-z])", "is in, is at"),
    Term("lies in", r"(?<![a-z])lies?[ _](in|at|beside)(?![a-z])", "is in"),
    Term("goes on", r"(?<![a-z])(go|goes|going|went)[ _]on(?![a-z])", "continues"),
    Term("rubbish", r"(?<![a-z])rubbish(?![a-z])", "invalid data"),
    Term("last words", r"last[ _-]?words\b", "last output"),
    Term("for ever", r"(?<![a-z])for[ _]ever(?![a-z])", "forever"),
    Term("as demanded", r"(?<![a-z])as[ _]demanded(?![a-z])", "passed, as expected"),
    Term("trouble", r"(?<![a-z])trouble(?![a-z])", "failure", unless=r"troubleshoot"),
    Term("complain", r"(?<![a-z])complain\w*", "report, failure"),
    Term(
        "engine",
        r"(?<![a-z])engines?(?![a-z])",
        "monitoring servers",
        unless=r"docker|javascript|engine\(\)|_engine\b|this engine|engine_query",
    ),
    Term("sign of life", r"(?<![a-z])signs?[ _]of[ _]life(?![a-z])", "watchdog notification, heartbeat"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """One line that has an avoided word."""

    path: str
    line: int
    term: Term
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.term.name!r}: write {self.term.write}: {self.text.strip()}"


def files(path: Path) -> Iterator[Path]:
    """The text files at or under `path`, sorted."""
    candidates = [path] if path.is_file() else sorted(_below(path))
    yield from (one for one in candidates if one.suffix in _SUFFIXES and _name(one) not in _EXEMPT)


def _below(folder: Path) -> Iterator[Path]:
    """Every file under a folder; the packages of others, which are most files, are not even listed."""
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in _SKIPPED_FOLDERS]
        yield from (Path(here, name) for name in names)


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)


def prose(path: Path) -> list[str]:
    """The lines of a file; of a page only what its author wrote as prose.

    Code in a page is what the code is called now, link targets are file names, and generated parts are put right
    where they are generated: each becomes empty, so that line numbers stay.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix != ".md":
        return text.splitlines()
    for pattern in (r"```.*?```", r"<!-- figures: generated.*?<!-- end of figures -->", r"<!--.*?-->"):
        text = re.sub(pattern, lambda found: "\n" * found.group().count("\n"), text, flags=re.DOTALL)
    return [re.sub(r"`[^`]*`|\]\([^)]*\)", " ", line) for line in text.splitlines()]


def places(path: Path) -> list[Place]:
    """Every avoided word at or under `path`, one entry for each occurrence."""
    found = []
    for one in files(path):
        name = _name(one)
        lines = prose(one)
        # Most files have none of the words: lower case is searched faster than both cases.
        whole = "\n".join(lines).lower()
        terms = [term for term in TERMS if re.search(term.pattern, whole)]
        for number, line in enumerate(lines, start=1):
            for term in terms:
                found += [Place(name, number, term, line)] * term.places(line)
    return found


def held() -> list[Place]:
    """Every avoided word in the paths that are held at zero."""
    return [place for path in HELD for place in places(ROOT / path)]


def table() -> str:
    """Counts by term and room; the last column is what is held at zero."""
    columns = {room: Counter(place.term.name for place in places(ROOT / room)) for room in ROOMS}
    columns["held"] = Counter(place.term.name for place in held())
    rows = [["term", *columns]]
    rows += [[term.name, *(str(counts[term.name]) for counts in columns.values())] for term in TERMS]
    rows += [["all", *(str(counts.total()) for counts in columns.values())]]
    return "\n".join(f"{row[0]:<18}" + "".join(f"{cell:>8}" for cell in row[1:]) for row in rows)


def main(paths: list[str]) -> None:
    """Print the table, or each place in the given paths; with `--check` the places that are held, and fail for them."""
    if paths == ["--check"]:
        found = held()
        sys.exit("\n".join(map(str, found)) if found else 0)
    if not paths:
        print(table())
    for path in paths:
        for place in places((ROOT / path).resolve()):
            print(place)


if __name__ == "__main__":
    main(sys.argv[1:])
