"""Sets a Debian machine up as a device, says first what it will do, and undoes it: `deploy/install.sh`.

It runs before anything is installed: the standard library of the system's own Python is all that it needs.
"""
