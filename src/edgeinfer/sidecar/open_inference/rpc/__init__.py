"""The Open Inference Protocol over gRPC: imported only where its port is set, for it costs memory and start-up time."""
