"""The collection of real files, where it lies beside the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"
DATA = SHARED / "data"
needs_data = pytest.mark.skipif(not (DATA / "m4").is_dir(), reason="the data are not beside this checkout")
