"""The native stack: Prometheus and Alertmanager found, children started, watched and ended."""
