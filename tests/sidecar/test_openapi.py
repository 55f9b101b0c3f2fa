"""What /docs promises, the sidecar keeps: its own description drives requests at it."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from edgeinfer.metrics.registry import new_registry
from edgeinfer.sidecar.app import build_sidecar
from tests.sidecar.rig import Rig, ToyBackend, running, shipped_card

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
schemathesis.openapi.media_type("application/octet-stream", st.binary(max_size=4000) | st.just(bytes(3600)))
schema = schemathesis.openapi.from_asgi(
    "/openapi.json",
    build_sidecar(backend=ToyBackend(), card=shipped_card(), registry=new_registry(), version="1").app,
)


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with running(ToyBackend()) as rig:
        yield rig


@schema.parametrize()
@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_one_that_the_description_names(case: schemathesis.Case[Any], rig: Rig) -> None:
    session: Any = rig.client  # speaks as a session of requests does
    response = case.call(session=session, base_url="http://testserver")
    case.validate_response(response, checks=CHECKS)


def test_the_binary_contract_is_described(rig: Rig) -> None:
    operation = rig.client.get("/openapi.json").json()["paths"]["/infer"]["post"]
    assert set(operation["requestBody"]["content"]) == {"application/json", "application/octet-stream"}
    assert set(operation["responses"]["200"]["content"]) == {"application/json", "application/octet-stream"}
    assert set(operation["responses"]) == {"200", "400", "413", "415", "422", "500", "503"}
