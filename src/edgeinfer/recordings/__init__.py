"""Recorded sessions of inertial sensors, shipped for replay."""
