"""API keys: a file of hashes that names who may ask, and how often each may."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from edgeinfer.errors import RateLimited, SettingsError, Unauthorized

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)
_HASH = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_PREFIX = "ei_"
_SECRET_BYTES = 32
# What a key may send at once after a pause, in seconds of its rate.
_BURST_SECONDS = 2.0
_LINE = "NAME sha256:HASH [REQUESTS_PER_SECOND]"
_MAKE_ONE = "Make lines with 'edgeinfer key new'."


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key, as the file knows it.

    Args:
        name: who has it.
        digest: "sha256:" and the hash of the secret; a secret of 256 random bits needs no slow hash.
        requests_per_second: its own limit, None for the one that all share.
    """

    name: str
    digest: str
    requests_per_second: float | None = None

    @property
    def line(self) -> str:
        """Its line in the file."""
        own = "" if self.requests_per_second is None else f" {self.requests_per_second:g}"
        return f"{self.name} {self.digest}{own}"


def new_key(name: str, requests_per_second: float | None = None) -> tuple[str, ApiKey]:
    """A new secret, which is shown once, and what the file keeps of it.

    Raises:
        SettingsError: the name is none.
    """
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"key name {name!r}", "it is not a short word", "Use letters, digits, dot, dash and underscore."
        )
    secret = _PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    return secret, ApiKey(name, digest_of(secret), requests_per_second)


def digest_of(secret: str) -> str:
    """What is kept of a secret."""
    return f"sha256:{hashlib.sha256(secret.encode('utf-8', 'surrogateescape')).hexdigest()}"


def parse_keys(text: str, source: str) -> tuple[ApiKey, ...]:
    """The keys of a file: one a line, empty lines and lines after # are skipped.

    Args:
        text: content of the file.
        source: what errors call it.

    Raises:
        SettingsError: a line is not a key, or a name or a key is in it twice.
    """
    keys: list[ApiKey] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        key = _parse(words)
        if key is None:
            raise SettingsError(f"{source} line {number}", f"it is not {_LINE}", _MAKE_ONE)
        if any(other.name == key.name or other.digest == key.digest for other in keys):
            raise SettingsError(f"{source} line {number}", "its name or its key is already in the file", "Remove one.")
        keys.append(key)
    return tuple(keys)


def _parse(words: Sequence[str]) -> ApiKey | None:
    name, digest, *rest = (*words, "")
    if not _NAME.fullmatch(name) or not _HASH.fullmatch(digest):
        return None
    match rest:
        case [""]:
            return ApiKey(name, digest)
        case [rate, ""] if re.fullmatch(r"\d{1,6}(\.\d+)?", rate, re.ASCII) and float(rate) > 0:
            return ApiKey(name, digest, float(rate))
        case _:
            return None


def read_keys(path: Path) -> tuple[ApiKey, ...]:
    """The keys of a file.

    Raises:
        SettingsError: it cannot be read, others may write it, or a line is not a key.
    """
    source = f"key file {path}"
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as failure:
        fault = getattr(failure, "strerror", None) or "it is not text"
        raise SettingsError(source, f"it cannot be read ({fault})", _MAKE_ONE) from failure
    if mode & 0o022:
        raise SettingsError(source, "others may write it, so anyone may add a key", f"chmod 600 {path}")
    return parse_keys(text, source)


@dataclass(slots=True)
class TokenBucket:
    """A bucket of requests that fills at a steady rate."""

    rate: float
    left: float
    at: float

    def take(self, now: float) -> float:
        """Take one token; returns the seconds until there is one, 0 if one was taken."""
        self.left = min(self.rate * _BURST_SECONDS + 1, self.left + (now - self.at) * self.rate)
        self.at = now
        if self.left < 1:
            return (1 - self.left) / self.rate
        self.left -= 1
        return 0.0


class KeyRing:
    """Checks keys and their rates; the file is read by `load`, before serving and when it has changed.

    Args:
        path: of the file.
        requests_per_second: of each key without a limit of its own.
        clock: monotonic seconds.
        is_same: compares two hashes in constant time.
    """

    def __init__(
        self,
        path: Path,
        *,
        requests_per_second: float,
        clock: Callable[[], float] = monotonic,
        is_same: Callable[[str, str], bool] = hmac.compare_digest,
    ) -> None:
        self._path = path
        self._rate = requests_per_second
        self._clock = clock
        self._is_same = is_same
        self._keys: tuple[ApiKey, ...] = ()
        self._allowances: dict[str, TokenBucket] = {}
        self._seen: tuple[int, int, int] | None = None

    def load(self) -> int:
        """Read the file; returns the number of keys in it.

        Raises:
            SettingsError: as `read_keys`; the previous keys stay in effect.
        """
        seen = self._stamp()
        keys = read_keys(self._path)
        self._seen = seen
        self._keys = keys
        now = self._clock()
        rates = {key.name: key.requests_per_second or self._rate for key in keys}
        kept = self._allowances
        self._allowances = {
            name: kept[name]
            if name in kept and kept[name].rate == rate
            else TokenBucket(rate, rate * _BURST_SECONDS + 1, now)
            for name, rate in rates.items()
        }
        return len(keys)

    def has_changed(self) -> bool:
        """Whether the file is another one than the one that was read; blocks for one look at the disk."""
        return self._stamp() != self._seen

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def admit(self, secret: str) -> ApiKey:
        """The key of a secret, whose allowance is used by one request.

        Every key of the file is compared, each in constant time: its duration reveals nothing.

        Raises:
            Unauthorized: no key has this secret.
            RateLimited: it asks too often.
        """
        digest = digest_of(secret)
        found: ApiKey | None = None
        for key in self._keys:
            if self._is_same(key.digest, digest):
                found = key
        if found is None:
            raise Unauthorized("API key", "it is not valid", "Ask the operator for a key, or for a new one.")
        wait = self._allowances[found.name].take(self._clock())
        if wait:
            fault = f"it asks more often than {self._allowances[found.name].rate:g} times a second"
            raise RateLimited(f"API key {found.name}", fault, "Slow down.", retry_after_seconds=max(1, round(wait)))
        return found
