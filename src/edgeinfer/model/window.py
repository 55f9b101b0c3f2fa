"""The window that every service cuts, sends and takes: the one place of its channels, units, length and rate.

What a model may vary is in its card: normalization, how the device is mounted, latent vector and motifs.
"""

CHANNELS = ("ax", "ay", "az", "gx", "gy", "gz", "mx", "my", "mz")
"""The order of the columns: accelerometer, gyroscope, magnetometer."""

CHANNEL_UNITS = ("m/s²", "m/s²", "m/s²", "rad/s", "rad/s", "rad/s", "µT", "µT", "µT")
"""The unit of each column."""

WINDOW_LENGTH, WINDOW_RATE_HZ = 100, 100.0
"""Rows of a window, and their rate: one second at 100 Hz."""

WINDOW_SHAPE = (WINDOW_LENGTH, len(CHANNELS))
"""Rows and columns of a window as an array, float32, row by row."""

MAX_READING = 1e6
"""Largest absolute value that is taken for a reading.

Far beyond any sensor, and far below what makes a model's own numbers overflow: such a window would look like a failure
of the device, and a single client could open the circuit for all.
"""
