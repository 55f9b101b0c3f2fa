"""The labels that the alerts on gateway and sidecar share."""

from edgeinfer.monitoring.promql import Queries

GATEWAY = 'job="edge-infer", instance="gateway:8080"'
SIDECAR = 'job="hailo-inference", instance="sidecar:9000"'
SIDECAR_LABELS = {"job": "hailo-inference", "instance": "sidecar:9000"}
TARGET = ("job", "instance")
QUERIES = Queries("5m", {})
