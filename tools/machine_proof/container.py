"""One Debian that boots on this machine: systemd-nspawn on a bootstrapped tree, with a network of its own.

What it writes is kept in memory and is gone when it ends. It has a loopback of its own, so its ports and those of this
machine never meet; its way out is slirp4netns, which changes nothing of this machine's network.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("debootstrap", "systemd-container", "slirp4netns", "iproute2", "util-linux", "git")
# What Raspberry Pi OS Lite has and Debian's smallest variant lacks; git, python3-venv and a time service are not here,
# so that the guide has to bring them.
_BASE = "ca-certificates,systemd,systemd-sysv,dbus,udev,sudo,python3,iproute2,curl,procps"
_AUTHORITIES = Path("/usr/local/share/ca-certificates")
_RESOLVER = "nameserver 10.0.2.3\n"  # slirp4netns' own
_BOOT_SECONDS = 120.0
_USER, _USER_ID = "pi", 1000


class ProofError(Exception):
    """Something is not as it must be."""


def say(words: str) -> None:
    """Progress."""
    print(words, flush=True)


def install_packages() -> None:
    """What this machine needs for the proof."""
    there = ("debootstrap", "systemd-nspawn", "slirp4netns", "ip", "nsenter", "git")
    if all(shutil.which(program) for program in there):
        return
    say(f"installing {' '.join(PACKAGES)}")
    _checked("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *PACKAGES)


def _checked(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ProofError(
            f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip() or done.stdout.strip()}"
        )
    return done.stdout


def _mirror() -> str:
    """The archive that this machine uses."""
    sources = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources if path.is_file())
    found = re.search(r"(?m)^(?:deb|URIs:)[^#\n]*?(https?://\S+/debian)/?(?:\s|$)", text)
    if not found:
        raise ProofError("this machine's apt names no archive of Debian")
    return found.group(1)


def base(folder: Path, system: str) -> Path:
    """A fresh tree of this Debian, bootstrapped once."""
    tree, mark = folder / system, folder / f"{system}.complete"
    if not mark.exists():
        say(f"bootstrapping {system} (once, a minute or two)")
        shutil.rmtree(tree, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        _checked("nice", "debootstrap", "--variant=minbase", f"--include={_BASE}", system, str(tree), _mirror())
        _take_over_registries(tree)
        chroot = ("chroot", str(tree))
        _checked(*chroot, "useradd", "--uid", str(_USER_ID), "--create-home", "--shell", "/bin/bash", _USER)
        _checked(*chroot, "useradd", "--shell", "/bin/bash", "stranger")
        (tree / "etc/sudoers.d/pi").write_text(f"{_USER} ALL=(ALL) NOPASSWD: ALL\n", encoding="utf-8")
        mark.touch()
    return tree


def _take_over_registries(tree: Path) -> None:
    """How this machine reaches package registries: its authorities, and what pip and apt know of a proxy or index."""
    for authority in _AUTHORITIES.glob("*.crt"):
        shutil.copy(authority, tree / "usr/local/share/ca-certificates")
    _checked("chroot", str(tree), "update-ca-certificates")
    lines = ["[global]", "cert = /etc/ssl/certs/ca-certificates.crt"]
    for name in ("index-url", "proxy"):
        done = subprocess.run(["pip", "config", "get", f"global.{name}"], capture_output=True, text=True, check=False)
        lines += [f"{name} = {done.stdout.strip()}"] if not done.returncode else []
    (tree / "etc/pip.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
    # Nobody is there to answer.
    (tree / "etc/apt/apt.conf.d/90-yes").write_text('APT::Get::Assume-Yes "true";\n', encoding="utf-8")
    for options in Path("/etc/apt/apt.conf.d").glob("*proxy*"):
        shutil.copy(options, tree / "etc/apt/apt.conf.d")
    shutil.copy("/etc/hosts", tree / "etc/hosts")


def clone_repository(checkout: Path, folder: Path, owner: str) -> Path:
    """What `git clone` will fetch: the commits of this checkout, and nothing else of this machine.

    Args:
        checkout: whose commits.
        folder: where the clone is put.
        owner: user of the container whose it is: git refuses what belongs to others.
    """
    bare = folder / "edgeinfer.git"
    shutil.rmtree(bare, ignore_errors=True)
    _checked("git", "clone", "--quiet", "--bare", "--single-branch", str(checkout), str(bare))
    number = 0 if owner == "root" else _USER_ID
    _checked("chown", "--recursive", f"{number}:{number}", str(bare))
    return bare


@dataclass(slots=True)
class Container:
    """One booted Debian.

    Args:
        leader: its first process, as this machine counts.
        user: who types; commands with sudo are root's.
    """

    leader: int
    user: str

    def run(self, command: str, *, user: str = "", seconds: float = 1200.0) -> subprocess.CompletedProcess[str]:
        """Run a line of shell in a login of that user; stderr comes with stdout."""
        who = user or self.user
        inside = ("nsenter", "--target", str(self.leader), "--all", "--wdns=/", "--")
        login = ("env", "-i", "TERM=dumb", "su", "--login", who, "--command", command)
        return subprocess.run(
            [*inside, *login],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )

    def must(self, command: str, *, user: str = "root", seconds: float = 1200.0) -> str:
        """Run a line that must succeed; returns what it printed.

        Raises:
            ProofError: it failed.
        """
        done = self.run(command, user=user, seconds=seconds)
        if done.returncode:
            raise ProofError(f"{command!r} ended with {done.returncode}:\n{done.stdout[-3000:]}")
        return done.stdout


@contextlib.contextmanager
def booted(tree: Path, repository: Path, user: str) -> Iterator[Container]:
    """Boot it, and end it with everything that it wrote.

    Args:
        tree: the Debian.
        repository: bare clone that `/srv/edgeinfer.git` shows.
        user: who types in it: root, or one with sudo.
    """
    name = f"edgeinfer-proof-{os.getpid()}"
    ended = contextlib.ExitStack()
    with ended:
        _checked("ip", "netns", "add", name)
        ended.callback(_checked, "ip", "netns", "delete", name)
        _checked("ip", "netns", "exec", name, "ip", "link", "set", "lo", "up")
        namespace = f"/run/netns/{name}"
        way_out = ("slirp4netns", "--configure", "--mtu=65520", "--disable-host-loopback", "--netns-type=path")
        ended.enter_context(_process([*way_out, namespace, "tap0"]))
        nspawn = (
            "systemd-nspawn", f"--directory={tree}", f"--machine={name}", "--volatile=overlay", "--boot", "--quiet",
            "--register=no", "--keep-unit", f"--network-namespace-path={namespace}", "--resolv-conf=off",
            f"--bind-ro={repository}:/srv/edgeinfer.git", "--console=read-only", "--link-journal=no",
        )  # fmt: skip
        boot = ended.enter_context(_process(nspawn, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY="1"))
        container = Container(_leader(boot), user)
        _until(
            lambda: container.run("systemctl is-system-running", user="root").stdout.strip() in {"running", "degraded"}
        )
        container.must(f"printf '{_RESOLVER}' > /etc/resolv.conf")
        yield container
        container.run("systemctl poweroff", user="root")
        with contextlib.suppress(subprocess.TimeoutExpired):
            boot.wait(60)


@contextlib.contextmanager
def _process(command: Sequence[str], **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )  # fmt: skip
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _leader(boot: subprocess.Popen[bytes]) -> int:
    """The container's process 1: a descendant that is number 1 in its own count."""
    deadline = time.monotonic() + _BOOT_SECONDS
    while time.monotonic() < deadline and boot.poll() is None:
        for pid in _descendants(boot.pid):
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
                if re.search(r"(?m)^NSpid:.*\s1$", status) and re.search(r"(?m)^Name:\s+systemd$", status):
                    return pid
        time.sleep(0.2)
    raise ProofError("the container does not boot")


def _descendants(pid: int) -> list[int]:
    found = []
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8")
        for child in map(int, children.split()):
            found += [child, *_descendants(child)]
    return found


def _until(is_so: Callable[[], bool], seconds: float = _BOOT_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise ProofError("the container's systemd does not get ready")
        time.sleep(0.5)
