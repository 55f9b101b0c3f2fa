"""Where each service is found: by its name in compose, on loopback under systemd."""

from collections.abc import Mapping

from edgeinfer.catalog.metric import Owner

COMPOSE: Mapping[str, list[str]] = {
    str(Owner.GATEWAY): ["edge-infer:8080"],
    str(Owner.SIDECAR): ["hailo-inference:9000"],
    "prometheus": ["localhost:9090"],
    "alertmanager": ["alertmanager:9093"],
    "node": ["node-exporter:9100"],
}
# Only machines with a chip run the exporter: its file is in deploy/monitoring/targets/present, and is mounted there.
COMPOSE_DISCOVERED: Mapping[str, str] = {str(Owner.EXPORTER): "/etc/prometheus/targets/hailo-exporter*.yml"}
SYSTEMD: Mapping[str, list[str]] = {
    str(Owner.GATEWAY): ["127.0.0.1:8080"],
    str(Owner.SIDECAR): ["127.0.0.1:9000"],
    str(Owner.EXPORTER): ["127.0.0.1:9048"],
    "prometheus": ["127.0.0.1:9090"],
    "alertmanager": ["127.0.0.1:9093"],
}
