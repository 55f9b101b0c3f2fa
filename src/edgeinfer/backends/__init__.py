"""What can answer a window: one file per kind of backend."""
