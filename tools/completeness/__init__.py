"""Says by name what was forgotten when something was added, and the file to edit; part of `make check`."""
