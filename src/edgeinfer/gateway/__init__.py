"""The service that phones speak to: sessions, analyses, health."""
