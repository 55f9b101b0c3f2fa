"""A session by a library of Python: requests, httpx or urllib.

Prints a line for each step: its name, the status, and the error of the answer.
"""

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

JSON = {"Content-Type": "application/json"}
Ask = Callable[[str, str, bytes | None], tuple[int, bytes]]


def by_requests(authority: str) -> Ask:
    import requests  # noqa: PLC0415 - one library at a time

    session = requests.Session()

    def ask(method: str, url: str, body: bytes | None) -> tuple[int, bytes]:
        headers = JSON if body is not None else {}
        # Of the session it would give way to a variable of the environment.
        answer = session.request(method, url, data=body, headers=headers, timeout=20, verify=authority or True)
        return answer.status_code, answer.content

    return ask


def by_httpx(_: str) -> Ask:
    import httpx  # noqa: PLC0415 - one library at a time

    client = httpx.Client(timeout=20)

    def ask(method: str, url: str, body: bytes | None) -> tuple[int, bytes]:
        answer = client.request(method, url, content=body, headers=JSON if body is not None else {})
        return answer.status_code, answer.content

    return ask


def by_urllib(_: str) -> Ask:
    def ask(method: str, url: str, body: bytes | None) -> tuple[int, bytes]:
        request = urllib.request.Request(url, body, JSON if body is not None else {}, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - an address of our own
                return answer.status, answer.read()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read()

    return ask


def main() -> None:
    library, gateway, sidecar, folder, authority = (*sys.argv[1:], "")[:5]
    ask = {"requests": by_requests, "httpx": by_httpx, "urllib": by_urllib}[library](authority)
    api = f"{gateway}/api/v1/analysis"

    def step(name: str, method: str, url: str, body: bytes | None = None) -> str:
        try:
            status, content = ask(method, url, body)
        except Exception as failure:  # noqa: BLE001 - whatever the library raises is the result
            sys.stdout.write(f"{name} {type(failure).__name__}\n")
            return ""
        document = json.loads(content)
        sys.stdout.write(f"{name} {status} {document.get('error', '')}\n")
        return str(document.get("sessionId", ""))

    def body(name: str) -> bytes:
        return Path(folder, f"{name}.json").read_bytes()

    session = step("start", "POST", f"{api}/start")
    step("stream", "PUT", f"{api}/stream", body("stream").replace(b"SESSION", session.encode()))
    step("motifs", "GET", f"{api}/motifs?sessionId={session}")
    step("process", "POST", f"{api}/process", body("process"))
    step("infer", "POST", f"{sidecar}/infer", body("infer"))
    step("bad", "POST", f"{api}/process", body("bad"))
    step("huge", "POST", f"{api}/process", body("huge"))
    step("stop", "POST", f"{api}/stop", json.dumps({"sessionId": session}).encode())


if __name__ == "__main__":
    main()
