"""Proves the guide of a device on a whole Debian: bootstrapped, booted with its own systemd, set up, broken, undone."""
