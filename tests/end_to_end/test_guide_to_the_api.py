"""Every curl of the API guide, typed in its order against a running gateway."""

import json
import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.docs.pages import ROOT, DocumentedCommand, commands
from tests.end_to_end.running_stack import RunningStack

pytestmark = pytest.mark.end_to_end
GUIDE = ROOT / "docs/guides/use-the-api.md"
_SESSION = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    running = RunningStack(tmp_path_factory.mktemp("guide") / "data", "--no-replay", "--no-monitoring")
    yield running
    running.close()


def typed(command: DocumentedCommand, address: str, session: str) -> dict[str, object]:
    text = command.text.replace("http://127.0.0.1:8080", address)
    text = _SESSION.sub(session, text) if session else text
    done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=True, timeout=20)
    answer: dict[str, object] = json.loads(done.stdout) if done.stdout else {}
    assert "error" not in answer, (command.text, answer)
    return answer


def test_the_guide_to_the_api_works_as_it_is_written(gateway: RunningStack) -> None:
    documented = [one for one in commands() if one.page == GUIDE and one.text.startswith("curl")]
    start, stream, *asking, stop = documented
    address = gateway.addresses["gateway"]
    session = str(typed(start, address, "")["sessionId"])
    typed(stream, address, session)
    still = dict.fromkeys(("ax", "ay", "az", "gx", "gy", "gz", "mx", "my", "mz"), 0.0)
    samples = [{"t": number / 100, **still} for number in range(2, 100)]
    status, _ = gateway.ask("PUT", "/api/v1/analysis/stream", {"sessionId": session, "samples": samples})
    assert status == 202
    answers = [typed(one, address, session) for one in asking]
    assert [answer for answer in answers if "motifs" in answer and answer["topK"] == 12]
    assert [answer for answer in answers if "lag_ms" in answer]
    assert typed(stop, address, session)["totalSamples"] == 100
