"""The Open Inference Protocol's published descriptions, compared with the sidecar by schemathesis.

`python -m tools.published_description [FILE ...]` drives requests made from each description, OpenAPI in JSON or YAML,
at a running sidecar, and checks each answer against it. Without a file it takes the one that MLServer's package ships,
from the environment that benchmarks/peers/setup.sh mlserver makes. It ends with 1 where an answer differs in a way
that is not one of `MEANT`.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from edgeinfer.model.card import default_folder, load_card
from tests.end_to_end.service_process import ServiceProcess

_ROOT = Path(__file__).parents[1]
_OF_MLSERVER = ".benchmarks/peers/mlserver/lib/python3*/site-packages/mlserver/rest/openapi/dataplane.json"
_EXAMPLES = 60
_CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance]
# MLServer's own, in no other description of the protocol.
_NOT_OF_THE_PROTOCOL = ("/generate", "/generate_stream", "/infer_stream")
MEANT = {
    413: "a body of more than 1 MB",
    415: "a body that is declared as something else",
    422: "a request that is whole, with a tensor that the model does not take",
    405: "a method that the path does not have",
}
"""Statuses that the descriptions do not name, whose answers have the protocol's shape of an error."""
Finding = tuple[str, str]


def main() -> None:
    """Print what differs from each description."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("descriptions", nargs="*", type=Path, help="OpenAPI files; MLServer's if none is named.")
    given_files = parser.parse_args().descriptions or sorted(_ROOT.glob(_OF_MLSERVER))
    if not given_files:
        raise SystemExit("no description here: run benchmarks/peers/setup.sh mlserver, or name a file")
    failures = 0
    with TemporaryDirectory() as folder, ServiceProcess("sidecar", log=Path(folder) / "sidecar.log") as sidecar:
        for path in given_files:
            answers, findings = compare(load(path), sidecar.url)
            failures += len(findings)
            print(f"{path.name}: {sum(answers.values())} answers to {len({place for place, _ in answers})} operations")
            for (place, status), count in sorted(answers.items()):
                print(f"  {place}: {count} x {status}{meaning(status)}")
            for (place, fault), count in sorted(findings.items()):
                print(f"  DIFFERS {place}: {fault} ({count} times)")
    sys.exit(failures > 0)


def meaning(status: int) -> str:
    """Why a status is given that no description names."""
    return f", {MEANT[status]}" if status in MEANT else ""


def load(path: Path) -> dict[str, Any]:
    """A description without its slips: MLServer's has a type "bytes", KServe's writes {NAME} in paths as ${NAME}."""
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["servers"] = []
    document["paths"] = {
        name.replace("${", "{"): operations
        for name, operations in document["paths"].items()
        if not name.endswith(_NOT_OF_THE_PROTOCOL)
    }
    _drop_unknown_types(document)
    return document


def _drop_unknown_types(node: Any) -> None:
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _drop_unknown_types(child)
    if isinstance(node, dict) and isinstance(node.get("oneOf"), list):
        node["oneOf"] = [one for one in node["oneOf"] if one.get("type") != "bytes"]


def compare(document: dict[str, Any], url: str) -> tuple[Counter[tuple[str, int]], Counter[Finding]]:
    """Answers by operation and status, and what differs from the description.

    Args:
        document: of OpenAPI.
        url: of the sidecar.
    """
    answers: Counter[tuple[str, int]] = Counter()
    findings: Counter[Finding] = Counter()
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        if not isinstance(found, Ok):
            raise SystemExit(f"the description has an operation that cannot be read: {found.err()}")
        operation = found.ok()
        named = {int(status) for status in operation.definition.raw["responses"] if status.isdigit()}
        place = f"{operation.method.upper()} {operation.path}"

        def ask(case: Any, place: str = place, named: set[int] = named) -> None:
            response = case.call(base_url=url)
            answers[place, response.status_code] += 1
            findings.update((place, fault) for fault in faults(case, response, named))

        for change in (_as_generated, _of_the_model, _of_the_input, _valid):
            _drive(operation, change, ask)
    return answers, findings


def _drive(operation: Any, change: Callable[[Any], None], ask: Callable[[Any], None]) -> None:
    @given(case=operation.as_strategy())
    @settings(
        max_examples=_EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def check(case: Any) -> None:
        change(case)
        ask(case)

    check()


def _as_generated(case: Any) -> None:
    """Names of models that do not exist, tensors of other models."""
    del case


def _of_the_model(case: Any) -> None:
    """The path of the model that is served."""
    card = load_card(default_folder())
    for name in case.path_parameters or {}:
        case.path_parameters[name] = card.version if "version" in name.lower() else card.name


def _of_the_input(case: Any) -> None:
    """The same with whatever tensor the description makes, under the name of the model's input."""
    _of_the_model(case)
    if isinstance(case.body, dict) and case.body.get("inputs"):
        case.body = case.body | {"inputs": [case.body["inputs"][0] | {"name": "window"}], "outputs": []}


def _valid(case: Any) -> None:
    """The same with a window, and whatever else the description allows."""
    _of_the_model(case)
    if case.method.upper() == "POST" and isinstance(case.body, dict):
        window = {"name": "window", "shape": [1, 100, 9], "datatype": "FP32", "data": [0.5] * 900}
        case.body = case.body | {"inputs": [window], "outputs": [{"name": "latent"}], "parameters": {"x": 1}}
        case.media_type = "application/json"


def faults(case: Any, response: Any, named: set[int]) -> Iterator[str]:
    """What differs from the description in one answer.

    Args:
        case: that was asked.
        response: to it.
        named: statuses that the description has for the operation.
    """
    status = response.status_code
    if status not in named:
        if status >= 500 or not (status in MEANT or status == 404):  # noqa: PLR2004 - the classes of HTTP
            yield f"status {status} is not described: {response.text[:200]}"
        elif case.method.upper() != "HEAD" and not isinstance(response.json().get("error"), str):
            yield f"the answer with {status} has no error: {response.text[:200]}"
        return
    for check in _CHECKS:
        try:
            case.validate_response(response, checks=[check])
        except AssertionError as failure:
            yield f"{check.__name__}: {' '.join(str(failure).split())[:300]}"
        except BaseExceptionGroup as group:
            for one in group.exceptions:
                yield f"{check.__name__}: {' '.join(str(one).split())[:300]}"


if __name__ == "__main__":
    main()
