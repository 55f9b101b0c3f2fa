"""Everything that knows HailoRT; only `library` imports hailo_platform, inside a function."""
