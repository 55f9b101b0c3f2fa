"""What can be wrong with a sensor, as far as its samples show it, and what to do to the sensor."""

SENSOR_REMEDIES: dict[str, str] = {
    "low_rate": "Set the sensor to 100 Hz (50 Hz at least) and switch battery saving off for its app.",
    "jitter": "Send the sensor's own times in place of the times at which the app got the samples.",
    "dropped_samples": "Bring the phone nearer to the collar, charge both, and let the app run in the background.",
    "duplicates": "Send each sample once: after an answer 202 the batch is stored.",
    "reordered": "Send batches one after another, in the order in which they were measured.",
    "clock_jumps": "Send times of a clock that is never set, such as the time since the phone started.",
    "clock_offset": "Set the phone's clock by the network, or empty its queue: samples arrive long after their time.",
    "accelerometer_missing": "Allow the app to read the accelerometer, or replace the sensor: it reads zero.",
    "acceleration_in_g": "Multiply accelerations by 9.80665: they arrive in g and not in m/s².",
    "gyroscope_missing": "Allow the app to read the gyroscope, or use a device that has one: it reads zero.",
    "gyroscope_in_degrees": "Multiply turn rates by 0.01745: they arrive in degrees and not in radians a second.",
    "axis_stuck": "Restart the sensor; if one axis still never changes, replace it.",
    "saturated": "Set a wider range (4 g or 8 g, 1000 or 2000 degrees a second): movements are cut off.",
}
SENSOR_NOTES: dict[str, str] = {
    "magnetometer_absent": "Nothing to do: the model does without a magnetometer.",
}
