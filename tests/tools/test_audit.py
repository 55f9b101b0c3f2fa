"""The audit fails on a known hole, and never passes on an index without any answer."""

from typing import Any

from tools.audit import verdict


def package(name: str, *holes: str) -> dict[str, Any]:
    return {"name": name, "version": "1.0", "vulns": [{"id": hole, "fix_versions": ["1.1"]} for hole in holes]}


def unknown(name: str) -> dict[str, Any]:
    return {"name": name, "skip_reason": "Dependency not found"}


def test_a_known_hole_fails_and_is_named() -> None:
    code, reported = verdict({"dependencies": [package("a"), package("b", "PYSEC-1", "PYSEC-2"), unknown("c")]})
    assert code == 1
    assert "b 1.0: PYSEC-1, fixed in 1.1" in reported
    assert "PYSEC-2" in reported


def test_no_hole_passes_and_says_how_many_were_asked_for() -> None:
    assert verdict({"dependencies": [package("a"), package("b")]}) == (
        0,
        "2 packages audited, no known vulnerabilities",
    )
    assert verdict({"dependencies": [package("a"), unknown("c")]})[1].endswith("no advisories are reported of c")


def test_an_index_that_shows_nothing_is_reported() -> None:
    code, reported = verdict({"dependencies": [unknown("a"), unknown("b")]})
    assert code == 0
    assert reported.startswith("NOT AUDITED")
