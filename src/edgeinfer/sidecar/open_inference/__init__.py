"""The Open Inference Protocol: what Triton, KServe and MLServer speak, on the same model and the same fast path."""
