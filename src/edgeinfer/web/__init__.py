"""ASGI parts that sidecar, gateway, exporter and console share."""
