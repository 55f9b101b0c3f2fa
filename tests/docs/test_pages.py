"""What the documentation says exists: links lead somewhere, commands and options are real."""

import re
import subprocess
from pathlib import Path

import click
import pytest

from edgeinfer.cli.main import edgeinfer_command
from tests.docs.pages import ROOT, DocumentedCommand, commands, links, pages, reachable_from


@pytest.mark.parametrize(("page", "target"), links(), ids=lambda value: str(value).removeprefix(str(ROOT)))
def test_every_link_leads_somewhere(page: Path, target: str) -> None:
    assert (page.parent / target.partition("#")[0]).exists()


def test_readme_links_the_index() -> None:
    assert (ROOT / "README.md", "docs/index.md") in links()


def test_every_page_is_reachable_from_the_index() -> None:
    wanted = {*pages(), *(path for path in (ROOT / "docs/examples").iterdir() if path.is_file())} - {ROOT / "README.md"}
    unreachable = sorted(wanted - reachable_from(ROOT / "docs/index.md"))
    assert not unreachable, "no link leads from docs/index.md to: " + ", ".join(
        str(path.relative_to(ROOT)) for path in unreachable
    )


def of(program: str) -> list[tuple[DocumentedCommand, list[str]]]:
    return [
        (documented, words)
        for documented in commands()
        if (words := documented.arguments_of(program)) and "COMMAND" not in words
    ]


@pytest.mark.parametrize(("documented", "words"), of("edgeinfer"), ids=str)
def test_every_command_of_ours_takes_what_the_page_gives_it(documented: DocumentedCommand, words: list[str]) -> None:
    command: click.Command = edgeinfer_command
    context = click.Context(command, info_name="edgeinfer")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        assert found is not None, f"there is no command {words[0]}"
        command, words = found, words[1:]
        context = click.Context(command, info_name=command.name, parent=context)
    command.make_parser(context).parse_args(list(words))


@pytest.mark.parametrize(("documented", "words"), of("make"), ids=str)
def test_every_make_target_exists(documented: DocumentedCommand, words: list[str]) -> None:
    targets = {word for word in words if "=" not in word and not word.startswith("-")}
    known = set()
    for names in re.findall(r"^([a-z0-9 -]+):", (ROOT / "Makefile").read_text(), re.MULTILINE):
        known |= set(names.split())
    assert targets <= known


def test_there_are_commands_to_check() -> None:
    assert len(of("edgeinfer")) > 10
    assert len(of("make")) > 2


def test_no_line_of_the_docs_holds_two_sentences() -> None:
    offenders = []
    for page in pages():
        if "generated" in page.read_text()[:2000]:
            continue
        prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
        for line in prose.splitlines():
            if line.startswith(("|", "#", "!", "    ")):
                continue
            if re.search(r"[a-z)`]{3}[.!?] [A-Z][a-z]+ [a-z]", re.sub(r"\[[^]]*\]\([^)]*\)|\*\*[^*]*\*\*", "", line)):
                offenders.append(f"{page.relative_to(ROOT)}: {line}")
    assert not offenders, "\n".join(offenders)


def test_the_repository_speaks_of_the_project_alone() -> None:
    """No registry host (a lock names packages and hashes only) and no path of the machine it was made on."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    foreign = re.compile(rb"pypi\.org|pythonhosted|registry\.npmjs|deb\.debian\.org|/work/main|/root/|/tmp/up")
    offenders = []
    for name in tracked.decode().split("\0"):
        path = ROOT / name
        if name and path.is_file() and path != Path(__file__) and foreign.search(path.read_bytes()):
            offenders.append(name)
    assert not offenders, "\n".join(offenders)
