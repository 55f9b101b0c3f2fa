"""`make machine-proof SYSTEM=bookworm|trixie`: the guide of a device, followed word for word in a Debian that boots.

Needs root on a Debian that reaches its package archive and a Python package index; some minutes. Everything but the
bootstrapped tree, which is kept for the next run, is gone at the end.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tools.device_setup.services import UNITS
from tools.machine_proof import checks, session, suite, ways
from tools.machine_proof.container import Container, ProofError, base, booted, clone_repository, install_packages, say
from tools.machine_proof.guide import GUIDE, URL, Typed, commands
from tools.machine_proof.update import commit_something

CHECKOUT = Path(__file__).resolve().parents[2]
_FOLDER = Path(tempfile.gettempdir()) / "edgeinfer-machine-proof"
_WAYS = "the guide (%(default)s), make run and the wheel (run), or make test (suite)"
_NOTHING = "Nothing to do: everything is as it should be."
# Not of the set-up: accounts that Debian's packages never remove, and git, which the guide itself installs.
_WATCHED = "/etc /opt /usr/local /var/lib/edgeinfer* /var/lib/prometheus /etc/systemd /root"
_OF_OTHERS = (
    "/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/subuid", "/etc/subgid", "/etc/.pwd.lock",
    "/etc/ld.so.cache", "/etc/alternatives", "/etc/resolv.conf", "/root", "/etc/bash_completion.d", "/etc/perl",
)  # fmt: skip


class Proof:
    """One run on one machine.

    Args:
        machine: the booted Debian.
        bare: the repository that the guide clones.
    """

    def __init__(self, machine: Container, bare: Path) -> None:
        self.machine, self.bare = machine, bare
        self.typed = 0
        self.keys: dict[str, str] = {}
        self.before = self._tree()
        self.begin = 0.0
        self.row: list[str] = []

    def _tree(self) -> set[str]:
        shown = self.machine.run(f"find {_WATCHED} -xdev 2>/dev/null | sort", user="root").stdout.split("\n")
        return {path for path in shown if path and not path.startswith(_OF_OTHERS)}

    def type(self, command: str) -> str:
        """Type a command where the last one left off."""
        home = "/root" if self.machine.user == "root" else f"/home/{self.machine.user}"
        where = f"{home}/.where"
        line = f'cd "$(cat {where} 2>/dev/null || echo {home})" && {{ {command}; }} && pwd > {where}'
        began = time.monotonic()
        done = self.machine.run(line)
        say(f"  $ {command}   [{time.monotonic() - began:.1f} s]")
        if done.returncode:
            raise ProofError(f"{command!r} ended with {done.returncode}:\n{done.stdout[-4000:]}")
        self.typed += 1
        self.keys |= session.tally_of(done.stdout)
        return done.stdout

    def follow(self, typed: Typed) -> str:
        """Do what the guide says next."""
        if typed.why_not:
            say(f"  - {typed.command}   not here: {typed.why_not}")
            return ""
        return self.type(typed.command.replace(URL, "/srv/edgeinfer.git"))

    def after_set_up(self) -> None:
        """The machine as it must be after section 3."""
        checks.first_figures(self.machine)
        took = time.monotonic() - self.begin
        say(f"shown: first figures {took:.0f} s after the first command; {self.typed} commands typed")
        self.row.append(f"{took:.0f} s to first figures, {self.typed} commands")
        checks.listeners(self.machine)
        checks.files(self.machine)
        checks.processes(self.machine)
        checks.units(self.machine)
        checks.doctor(self.machine)
        must_say(self.type("sudo deploy/install.sh"), _NOTHING)
        session.killed_sidecar(self.machine, self.keys["phone"])
        session.killed_one_by_one(self.machine, UNITS)
        session.damaged(self.machine)
        checks.first_figures(self.machine)
        checks.listeners(self.machine)
        self._open_and_close()
        checks.errors_in_log(self.machine)

    def _open_and_close(self) -> None:
        """The gateway in the network, with a key alone, and back on loopback."""
        self.type("sudo deploy/install.sh --listen 0.0.0.0")
        checks.listeners(self.machine, {8080: "0.0.0.0"})  # noqa: S104 - it was asked for
        address = self.machine.must("hostname --all-ip-addresses").split()[0]
        url = f"http://{address}:8080/api/v1/analysis/start"
        answer = self.machine.must(f"curl -s -o /dev/null -w '%{{http_code}}' -X POST {url}")
        checks.must(answer == "401", f"from the network and without a key the gateway answered {answer}")
        self.type("sudo deploy/install.sh --listen 127.0.0.1")
        checks.listeners(self.machine)

    def after_roll_back(self, seconds: float) -> None:
        """The release before serves again."""
        checks.first_figures(self.machine)
        say(f"shown: rolled back in {seconds:.0f} s")

    def after_undo(self) -> None:
        """Everything is as it was, apart from what is kept on purpose; then without that, too."""
        checks.must("edgeinfer" in self.machine.must("ls /var/lib"), "the sessions are gone")
        shown = self.machine.must("ss --listening --tcp --numeric --no-header")
        checks.must(not shown, f"something still listens: {shown}")
        must_say(self.type("sudo deploy/install.sh --undo --remove-data"), "Undone.")
        left = sorted(self._tree() - self.before)
        gone = sorted(self.before - self._tree())
        checks.must(not left and not gone, f"left: {left}; gone: {gone}")
        say("shown: after --undo --remove-data no file is left and none is missing, and no port is open")


def must_say(printed: str, words: str) -> None:
    """Fail where something else was printed."""
    checks.must(words in printed, f"{words!r} was not printed, but:\n{printed[-3000:]}")


def follow_guide(proof: Proof) -> None:
    """The guide from its begin to its end, with a look at the machine in between."""
    section = ""
    after: dict[str, Callable[[], None]] = {"3. EdgeInfer": proof.after_set_up, "Undo": proof.after_undo}
    for typed in commands(GUIDE.read_text(encoding="utf-8")):
        if typed.section != section:
            if section in after:
                after[section]()
            section = typed.section
            say(f"{section}")
            if section == "3. EdgeInfer":
                proof.begin = time.monotonic()
            if section == "Update":
                commit_something(proof.bare)
        began = time.monotonic()
        printed = proof.follow(typed)
        if typed.section == "Roll back" and "install.sh" in typed.command:
            must_say(printed, "which is installed already")
            proof.after_roll_back(time.monotonic() - began)
    after[section]()


def main() -> int:
    """The command line; 1 where something was not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m tools.machine_proof", description=__doc__)
    parser.add_argument("system", choices=("bookworm", "trixie"))
    parser.add_argument("--user", choices=("pi", "root"), default="pi", help="who types: one with sudo (pi), or root")
    parser.add_argument("--way", choices=("guide", "run", "suite"), default="guide", help=_WAYS)
    parser.add_argument("--folder", type=Path, default=_FOLDER, help=f"where the bootstrapped tree is kept ({_FOLDER})")
    given = parser.parse_args()
    if os.geteuid() != 0:
        say("error: only root can boot a container\nhint: Run it with sudo.")
        return 1
    # So that whoever ends it leaves no container behind.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(130))
    try:
        install_packages()
        tree = base(given.folder, given.system)
        with tempfile.TemporaryDirectory(prefix="edgeinfer-repository-") as repository:
            Path(repository).chmod(0o755)
            bare = clone_repository(CHECKOUT, Path(repository), given.user)
            with booted(tree, bare, given.user) as machine:
                proof = Proof(machine, bare)
                if given.way == "guide":
                    follow_guide(proof)
                elif given.way == "suite":
                    proof.row += suite.run(machine, proof.type)
                else:
                    proof.row += ways.run(machine, CHECKOUT, proof.type)
    except ProofError as failure:
        say(f"FAILED on {given.system}: {failure}")
        return 1
    say(f"All of it was shown on {given.system} as {given.user}: {'; '.join(proof.row)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
