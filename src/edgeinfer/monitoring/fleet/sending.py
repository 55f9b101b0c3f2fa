"""What a device sends to the centre: a short list of series, over a queue with an end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgeinfer.catalog import device, gateway, model_output, system

# A full server records what the fleet needs at the fleet's own pace, and sends nothing else.
SERVER_KEEPS = "fleet:.+"
# What every client library exports; for Prometheus itself it distinguishes two devices of one name.
PROCESS_START = "process_start_time_seconds"
# An agent has no rules: it sends what the centre makes the same series of.
_RAW = (
    gateway.INFERENCE_REQUESTS.name,
    f"{gateway.INFERENCE_DURATION.name}_bucket",
    gateway.INFERENCE_ERRORS.name,
    gateway.ANALYSES.name,
    model_output.LATENT_DRIFT.name,
    model_output.MOTIF_DRIFT.name,
    gateway.BUILD_INFO.name,
    device.TEMPERATURE.name,
    device.UTILIZATION_RATIO.name,
    system.CPU_USAGE_RATIO.name,
)
AGENT_KEEPS = "|".join(("up", PROCESS_START, *_RAW))
AGENT_INTERVAL_SECONDS = 15
# What is sent together is compressed together: 13 bytes a sample with a minute's worth, 29 with each round alone.
SERVER_DEADLINE = "60s"
# The centre computes rates over the last minute of an agent's samples, so these may be late by one round only.
AGENT_DEADLINE = "15s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """Paths on the device for mutual TLS: who the centre is, and who we are."""

    authority: str
    certificate: str
    key: str


def remote_write(
    url: str,
    *,
    keep: str = SERVER_KEEPS,
    certificates: Certificates | None = None,
    deadline: str = SERVER_DEADLINE,
    backoff: str = "30s",
) -> Mapping[str, Any]:
    """The part of prometheus.yml that sends; 2.42 and 3.x read it alike.

    The queue is small because the write-ahead log is the real one: an outage of up to two hours is sent
    later from there, without memory for it.

    Args:
        url: the receiver's write address.
        keep: names of the series that are sent, as a regular expression.
        certificates: for mutual TLS.
        deadline: how long samples are gathered before they are sent; what is sent together is compressed together.
        backoff: longest pause between two tries.
    """
    document: dict[str, Any] = {
        "name": "fleet",
        "url": url,
        "remote_timeout": "10s",
        "write_relabel_configs": [{"source_labels": ["__name__"], "regex": keep, "action": "keep"}],
        "queue_config": {
            "capacity": 5000,
            "max_shards": 2,
            "max_samples_per_send": 1000,
            "batch_send_deadline": deadline,
            "min_backoff": "1s",
            "max_backoff": backoff,
        },
        "metadata_config": {"send": False},
        "send_exemplars": False,
    }
    if certificates:
        document["tls_config"] = {
            "ca_file": certificates.authority,
            "cert_file": certificates.certificate,
            "key_file": certificates.key,
        }
    return document
