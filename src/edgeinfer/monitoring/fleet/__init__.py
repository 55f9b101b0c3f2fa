"""Many devices seen from one place: who a device is, what it sends, and what the centre makes of it."""
