"""A sidecar and a gateway before it, joined by a Unix socket; ends both on SIGTERM.

Run as `python -m benchmarks.gateway_and_sidecar PORT`, the gateway's.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.processes import free_port


def main() -> None:
    """Run both until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", help="the gateway's, on the loopback")
    port = parser.parse_args().port
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder) / "sidecar.sock"
        start = [sys.executable, "-m", "edgeinfer"]
        with (
            subprocess.Popen([*start, "sidecar", "--port", str(free_port()), "--socket", str(socket)]) as sidecar,
            subprocess.Popen([*start, "gateway", "--port", port, "--backend-url", f"unix:{socket}"]) as gateway,
        ):
            try:
                gateway.wait()
            finally:
                gateway.terminate()
                sidecar.terminate()


if __name__ == "__main__":
    main()
