"""The Hailo sidecar: one model on one device behind POST /infer."""
