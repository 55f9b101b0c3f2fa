"""Kill the session store and cut its power again and again, under load; `make store-proof`.

A kill: a process that streams for eight phones gets SIGKILL at a random moment, its files stay, and everything that it
acknowledged is looked for; then the next process continues with the same files. Among the uploads are late ones, which
are merged into the past. A power cut: the same load on a disk in
memory that loses what was not synced, in part, in any order (see `tests/gateway/power_cut.py`). In each durability
nothing may be served that was not sent; with `full` nothing acknowledged may be lost, with `bounded` nothing that was
acknowledged longer ago than its bound.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
from pathlib import Path
from typing import get_args

from edgeinfer.gateway.store.writer import Durability
from tests.gateway.store_load import cut_past_the_bound, cut_power, kill_at_random
from tests.gateway.store_promises import LossError

MODES: tuple[Durability, ...] = get_args(Durability)


def prove_kills(kills: int, seed: int) -> None:
    """Split the kills among the durabilities; raises LossError."""
    for index, mode in enumerate(MODES):
        share = kills // len(MODES) + (index < kills % len(MODES))
        with tempfile.TemporaryDirectory() as folder:
            found, by_loop = kill_at_random(Path(folder), share, seed, mode)
        print(
            f"{mode:8} {share:5} kills: every acknowledged sample found, {found:,} in all; "
            f"{by_loop:,} uploads were written by the event loop",
            flush=True,
        )


def prove_cuts(cuts: int, seed: int) -> None:
    """The same for power cuts, after one that leaves nothing to chance; raises LossError."""
    for index, mode in enumerate(MODES):
        asyncio.run(cut_past_the_bound(mode))
        share = cuts // len(MODES) + (index < cuts % len(MODES))
        done = [asyncio.run(cut_power(seed + number, mode)) for number in range(share)]
        lost, merging = sum(cut.lost_samples for cut in done), sum(cut.merges > 0 for cut in done)
        print(
            f"{mode:8} {share:5} power cuts, {merging} of them while late samples were being merged: {_cost(mode)}; "
            f"{lost:,} acknowledged samples lost",
            flush=True,
        )


def _cost(mode: Durability) -> str:
    return {
        "full": "nothing acknowledged may be lost",
        "bounded": "the newest 200 ms may be lost",
        "normal": "what was not synced may be lost",
    }[mode]


def main() -> int:
    """The program; 1 where something was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000, help="(default %(default)s)")
    parser.add_argument("--cuts", type=int, default=200, help="(default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the first one (default %(default)s)")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)  # each cut is logged by the store, as it should be
    try:
        prove_cuts(arguments.cuts, arguments.seed)
        prove_kills(arguments.kills, arguments.seed)
    except LossError as loss:
        print(f"error: {loss}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
