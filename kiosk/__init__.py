"""kiosk: an open, plugin-based embedded service for municipal payment counters."""

from __future__ import annotations

__version__ = "0.1.0"
