"""What holds for all tests."""

from hypothesis import settings

# A deadline in real time says how busy the machine is; no property here measures time.
settings.register_profile("edgeinfer", deadline=None)
settings.load_profile("edgeinfer")
