import logging

import numpy as np
import pytest

from edgeinfer.errors import NotReady
from edgeinfer.gateway.fallback import Fallback
from tests.gateway.rigs import SmallModel


async def test_a_model_that_cannot_be_loaded_is_reported_once_and_without_a_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fallback = Fallback(SmallModel(fails_to_open=True))
    with caplog.at_level(logging.ERROR):
        fallback.start()
        for _ in range(2):
            with pytest.raises(NotReady, match="its model cannot be loaded"):
                await fallback.infer(np.zeros((100, 9), np.float32))
    await fallback.close()
    (line,) = caplog.records
    assert (line.getMessage(), line.exc_info) == ("the fallback model cannot be loaded", None)
    assert "it is missing" in vars(line)["fault"]
