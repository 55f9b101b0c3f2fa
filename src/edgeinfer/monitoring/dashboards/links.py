"""Where panels and rows lead: one link to each dashboard, with the words that every dashboard uses for it."""

from edgeinfer.monitoring.dashboards.panels import DashboardLink

SIDECAR = DashboardLink("Inference in detail", "hailo-sidecar-monitoring")
GATEWAY = DashboardLink("The gateway in detail", "edgeinfer-gateway")
HARDWARE = DashboardLink("The chip in detail", "edgeinfer-hardware")
SLO = DashboardLink("What the objectives say", "edgeinfer-slo")
