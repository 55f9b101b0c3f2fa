"""Many devices seen from one place: who a device is, what it sends, and what the centre records and alerts on."""
