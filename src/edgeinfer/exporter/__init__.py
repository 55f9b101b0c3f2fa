"""The exporter: telemetry of Hailo chips, in a process of its own because control calls hold the GIL."""
