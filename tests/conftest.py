"""Settings for every test."""

from __future__ import annotations

from hypothesis import settings

# a slow machine is no failure
settings.register_profile("tsforecast", deadline=None)
settings.load_profile("tsforecast")
