"""tsforecast: does an LSTM really forecast this better than ARIMA, by how much, and may I trust that answer?"""

from __future__ import annotations

__version__ = "0.1.0"
