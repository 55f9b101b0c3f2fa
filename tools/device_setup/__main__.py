"""The command line of `deploy/install.sh`."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path

from tools.device_setup import facts as looking
from tools.device_setup.changes import Packages
from tools.device_setup.dead_ends import dead_ends, of_checkout
from tools.device_setup.environment import Environment
from tools.device_setup.journal import FOLDER, Journal
from tools.device_setup.machine import Machine, SetupError
from tools.device_setup.options import Options, merged
from tools.device_setup.plan import Plan
from tools.device_setup.services import PORTS, Services
from tools.device_setup.undo import Undo

CHECKOUT = Path(__file__).resolve().parents[2]
_MISTAKE = 78
# These take seconds or minutes, so each is worth a line when it begins.
_SLOW = (Packages, Environment, Services)
_DESCRIPTION = """\
Set this machine up as a device: gateway, sidecar, exporter, console, Prometheus and Alertmanager under systemd, all on
loopback. Run it again to update, or to continue after a failure; a second run changes nothing.
"""
_EPILOG = """\
examples:
  sudo deploy/install.sh --dry-run                       say what would be done, and do nothing
  sudo deploy/install.sh                                 set up; asks if run in a terminal
  sudo deploy/install.sh --yes --ntfy https://ntfy.example.org/edge
  sudo deploy/install.sh --yes --listen 0.0.0.0          phones reach the gateway directly, with a key
  sudo deploy/install.sh --undo                          undo it; sessions and measurements stay
exit codes: 0 done; 1 a step failed; 78 something must be set right first, nothing was changed
"""
Say = Callable[[str], None]
Ask = Callable[[str], str]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="deploy/install.sh",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")
    parser.add_argument("--yes", action="store_true", help="ask nothing")
    parser.add_argument("--undo", action="store_true", help="undo what was done; sessions and measurements stay")
    parser.add_argument("--remove-data", action="store_true", help="with --undo: sessions and measurements go as well")
    parser.add_argument("--listen", metavar="ADDRESS", help="where the gateway listens (127.0.0.1)")
    parser.add_argument("--key-name", metavar="NAME", help="whose the first API key is (phone)")
    parser.add_argument("--ntfy", metavar="URL", help="ntfy topic that alerts are sent to")
    parser.add_argument("--webhook", metavar="URL", help="address that alerts are sent to, as Alertmanager's JSON")
    parser.add_argument(
        "--backend",
        choices=("auto", "hailort", "onnx"),
        help="what the sidecar computes on (auto: the chip, where chip, HailoRT and model are there)",
    )
    parser.add_argument(
        "--take-over-prometheus",
        dest="take_over",
        action="store_const",
        const="yes",
        help="give a Prometheus that was configured by hand EdgeInfer's configuration",
    )
    return parser


def main(
    arguments: Sequence[str],
    machine: Machine,
    *,
    say: Say = print,
    ask: Ask | None = None,
    checkout: Path = CHECKOUT,
) -> int:
    """Set up, or undo; returns the exit code.

    Args:
        arguments: of the command line.
        machine: the one that is set up.
        say: prints a line.
        ask: asks a question; None where nobody can answer.
        checkout: what is installed from.
    """
    given = _parser().parse_args(arguments)
    try:
        _check_rights(machine, is_dry=given.dry_run)
        journal = Journal.read(machine)
        if given.undo or given.remove_data:
            return _undo(machine, journal, given, say)
        named = {field.name: getattr(given, field.name) for field in fields(Options)}
        if ask and not given.yes and not given.dry_run and not journal.options:
            _question(named, ask)
        return _set_up(machine, journal, merged(journal.options, named), given, say, ask, checkout)
    except SetupError as failure:
        say(_in_words(failure))
        return 1


def _check_rights(machine: Machine, *, is_dry: bool) -> None:
    folder = machine.path(FOLDER)
    may_read = not folder.exists() or os.access(folder, os.R_OK | os.X_OK)
    if not machine.is_root and not (is_dry and may_read):
        raise SetupError("this user", "may not change the machine", "Run it with sudo.")


def _question(named: dict[str, str | None], ask: Ask) -> None:
    """What is not known yet, asked of the person at the terminal."""
    if named["listen"] is None:
        answer = ask("Shall phones in the network reach the gateway directly, without a TLS proxy? [y/N] ")
        named["listen"] = "0.0.0.0" if answer.lower().startswith("y") else None  # noqa: S104 - it was asked for
    if named["ntfy"] is None and named["webhook"] is None:
        answer = ask("ntfy topic that alerts are sent to, such as https://ntfy.example.org/edge (empty: none): ")
        named["ntfy"] = answer.strip() or None


def _set_up(  # noqa: PLR0913, PLR0917 - the parts of one run
    machine: Machine,
    journal: Journal,
    options: Options,
    given: argparse.Namespace,
    say: Say,
    ask: Ask | None,
    checkout: Path,
) -> int:
    facts = looking.look(machine, tuple(PORTS))
    python = ".".join(map(str, facts.python))
    say(f"{facts.system}, Python {python}, {'a' if facts.has_chip else 'no'} Hailo chip")
    obstacles = of_checkout(checkout) or dead_ends(machine, facts, options, journal)
    if obstacles:
        say("\n".join(map(_in_words, obstacles)))
        say("Nothing was changed.")
        return _MISTAKE
    plan = Plan(checkout, facts, options, journal)
    count = plan.show(machine, say)
    if given.dry_run:
        say("Nothing was changed: this was a dry run." if count else "")
        return 0
    if count:
        if ask and not given.yes and ask("Continue? [Y/n] ").lower().startswith("n"):
            say("Nothing was changed.")
            return 0
        try:
            plan.fetch(machine, say)
        except SetupError as failure:
            say(f"{_in_words(failure)}\nNothing was changed.")
            return 1
        journal.options = options.as_words()
        journal.save()
        _apply(plan, machine, journal, say)
    _close(plan, machine, say)
    return 0


def _apply(plan: Plan, machine: Machine, journal: Journal, say: Say) -> None:
    sections = plan.sections()
    for number, section in enumerate(sections, start=1):
        say(f"[{number}/{len(sections)}] {section.title}")
        for change in section.changes:
            if line := change.pending(machine, journal):
                plan.services.touched.update(change.units)
                if isinstance(change, _SLOW):
                    say(f"      {line}")
                change.apply(machine, journal)


def _close(plan: Plan, machine: Machine, say: Say) -> None:
    for name, secret in plan.secrets.items():
        say(f"\nAPI key of {name}, shown this once: {secret}\nPhones send it as 'Authorization: Bearer KEY'.")
    say("\n" + "\n".join(f"- {note}" for note in plan.notes(machine)))
    if machine.systemd_runs:
        say("\nLook: systemctl status 'edgeinfer-*'; edgeinfer top; the console is on http://127.0.0.1:8088")


def _undo(machine: Machine, journal: Journal, given: argparse.Namespace, say: Say) -> int:
    undo = Undo(machine, journal, removes_data=given.remove_data)
    lines = undo.steps()
    if not lines:
        say("Nothing to undo.")
        return 0
    if given.dry_run:
        say("\n".join(("This would be undone:", *(f"  {line}" for line in lines))))
        return 0
    undo.run(say)
    say("\n".join(("Undone.", *(f"- {note}" for note in undo.notes))))
    return 0


def _in_words(failure: SetupError) -> str:
    return f"error: {failure.thing}: {failure.fault}\nhint: {failure.remedy}"


def _ask_person() -> Ask | None:
    return input if sys.stdin.isatty() and sys.stdout.isatty() else None


if __name__ == "__main__":
    os.umask(0o022)
    try:
        sys.exit(main(sys.argv[1:], Machine(), say=lambda line: print(line, flush=True), ask=_ask_person()))
    except KeyboardInterrupt:
        print("\nStopped: run it again to continue, or with --undo.")
        sys.exit(130)
