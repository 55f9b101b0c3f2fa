"""The console: the dashboards that Grafana gets, drawn in a browser from the same files and the same Prometheus."""
