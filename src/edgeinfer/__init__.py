"""EdgeInfer: serve and observe inference on edge NPUs."""
