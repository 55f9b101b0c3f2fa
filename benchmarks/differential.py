"""Generated bodies through the quick and the careful decoder: both must accept the same ones, with the same values.

Run as `python -m benchmarks.differential [COUNT] [SEED]` (a million, 1); ends with 1 at the first difference.
"""

import argparse
import json
import random
import sys
from collections import Counter

import numpy as np

from edgeinfer.backends.base import Window
from edgeinfer.errors import InputError
from edgeinfer.sidecar.decoding import WindowDecoder
from edgeinfer.sidecar.fast_json import FastJson, find_parser

_LENGTH, _CHANNELS = 100, 9
_PIECES = (
    b"null", b"true", b"NaN", b"Infinity", b"-0", b"0", b"01", b"1e39", b"-3.4e38", b"3.5e38", b"1e-400", b"1e400",
    b'"1"', b"[]", b"{}", b"[1]", b",", b"]", b"[", b"}", b" ", b"\n", b"\t", b"\x00", b"\xff", b"\xef\xbb\xbf",
    b"18446744073709551616", b"123456789012345678901234567890", b"0.1234567890123456789", b".5", b"5.", b"+1", b"-",
    b'"x":1,', b'"y":1,', b"/*c*/", b"\\u0078",
)  # fmt: skip


def main() -> None:
    """Compare on `count` random bodies, repeatable by seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=1_000_000, help="bodies (%(default)s)")
    parser.add_argument("seed", type=int, nargs="?", default=1, help="of their making (%(default)s)")
    arguments = parser.parse_args()
    count, seed = arguments.count, arguments.seed
    seen = Counter[str]()
    comparison = Comparison(random.Random(seed))  # noqa: S311 - repeatable, not secret
    for number in range(1, count + 1):
        seen[comparison.next()] += 1
        if number % (max(count // 20, 1)) == 0:
            print(f"{number} of {count}: {dict(seen)}", file=sys.stderr, flush=True)
    print(json.dumps({"bodies": count, "seed": seed, **seen}))


class Comparison:
    """Makes bodies and has them decoded twice.

    Args:
        chance: where bodies come from.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        parser = find_parser()
        if parser is None:
            sys.exit("error: simdjson: not installed, so there is only one decoder. Run this on Python 3.11 to 3.13.")
        self._quick = FastJson(_LENGTH, _CHANNELS, parser)
        self._careful = WindowDecoder(_LENGTH, parser)
        self._bases = [self._base() for _ in range(64)]

    def next(self) -> str:
        """What came of the next body: accepted by both, refused by both, or left to the careful one.

        Raises:
            AssertionError: the two disagree.
        """
        body = self._changed(self._chance.choice(self._bases))
        quick, careful = self._quick.window(body), self._carefully(body)
        if quick is None:
            return "refused by both" if careful is None else "left to the careful one"
        if careful is None:
            raise AssertionError(f"only the quick decoder accepts {body!r}")
        if not np.array_equal(quick, careful):
            raise AssertionError(f"the decoders read other values in {body!r}")
        return "accepted by both"

    def _carefully(self, body: bytes) -> Window | None:
        try:
            return self._careful.from_json_carefully(body)
        except InputError:
            return None

    def _base(self) -> bytes:
        number = self._chance.choice((lambda v: f"{v:.6g}", repr, lambda v: f"{v:.3e}", lambda v: str(int(v))))
        rows = ([number(self._chance.gauss(0, 50)) for _ in range(_CHANNELS)] for _ in range(_LENGTH))
        return ('{"x":[' + ",".join("[" + ",".join(row) + "]" for row in rows) + "]}").encode()

    def _changed(self, body: bytes) -> bytes:
        """The body with none to three changes: a piece put in, put over, cut out, a byte changed, a row lost."""
        changed = bytearray(body)
        for _ in range(self._chance.choice((0, 1, 1, 1, 2, 3))):
            at = self._chance.randrange(len(changed) + 1)
            piece = self._chance.choice(_PIECES)
            match self._chance.randrange(6):
                case 0:
                    changed[at:at] = piece
                case 1:
                    changed[at : at + len(piece)] = piece
                case 2:
                    del changed[at : at + self._chance.randrange(1, 30)]
                case 3:
                    changed[at : at + 1] = bytes([self._chance.randrange(256)])
                case 4:
                    self._replace_number(changed, at, piece)
                case _:
                    changed = changed[:at] if self._chance.random() < 0.1 else changed
        return bytes(changed)

    def _replace_number(self, changed: bytearray, at: int, piece: bytes) -> None:
        start = changed.find(b",", at) + 1
        end = changed.find(b",", start)
        if 0 < start < end:
            changed[start:end] = piece


if __name__ == "__main__":
    main()
