"""A program that stands for a service: it listens, answers, and misbehaves as its arguments say."""

import argparse
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


def main() -> None:
    options = _arguments()
    print(f"fake service {os.getpid()} starts", flush=True)  # noqa: T201 - what its log shows
    if options.count_starts:
        with options.count_starts.open("a") as file:
            file.write(f"{os.getpid()}\n")
    if options.ignore_term:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    time.sleep(options.start_after)
    if options.exit_code is not None:
        print(options.last_output, flush=True)  # noqa: T201 - what its log shows
        sys.exit(options.exit_code)
    if options.port:
        HTTPServer(("127.0.0.1", options.port), _handler(ready=not options.never_ready)).serve_forever()
    while True:
        time.sleep(60)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--start-after", type=float, default=0.0)
    parser.add_argument("--never-ready", action="store_true")
    parser.add_argument("--ignore-term", action="store_true")
    parser.add_argument("--exit-code", type=int)
    parser.add_argument("--last-output", default="")
    parser.add_argument("--count-starts", type=Path)
    return parser.parse_args()


def _handler(*, ready: bool) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if ready else 503)
            self.end_headers()
            self.wfile.write(b"OK")

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    return Handler


if __name__ == "__main__":
    main()
