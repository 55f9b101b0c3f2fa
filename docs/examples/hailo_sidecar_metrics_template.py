"""A FastAPI sidecar of your own, with the metrics that the dashboards and alerts of this project read.

Run it: uvicorn --app-dir docs/examples hailo_sidecar_metrics_template:app --port 9000
Then:   curl -s localhost:9000/metrics | grep hailo_
"""

from fastapi import FastAPI

from edgeinfer.errors import BackendError
from edgeinfer.metrics.registry import new_registry
from edgeinfer.web.instrumentation import instrument

app = FastAPI(title="My Hailo sidecar")
hailo = instrument(app, new_registry())  # GET /metrics, HTTP requests, memory and CPU: nothing else to do
hailo.ready(backend="stub", device="none", runtime="none")  # say what computes; "hailo" once it is your chip


@app.post("/infer")
async def infer(window: list[list[float]]) -> dict[str, list[float]]:
    """Answer one window."""
    with hailo.window():
        with hailo.stage("preprocess"):
            samples = [value for row in window for value in row]
        with hailo.stage("execute"):
            latent = run_on_the_chip(samples)
    return {"latent": latent}


def run_on_the_chip(samples: list[float]) -> list[float]:
    """Stands where your call to HailoRT goes; a failure is raised with its class, which is counted."""
    if not samples:
        raise BackendError("the chip", "got nothing to do", "Send a window.", error_class="misuse")
    return [sum(samples) / len(samples)]
