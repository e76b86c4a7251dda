"""Times in this machine's time zone."""

from __future__ import annotations

from datetime import datetime


def local_time(moment: datetime) -> datetime:
    """The moment in this machine's time zone; unchanged where that has no such day (at the ends of the calendar,
    which an imported date may name).
    """
    try:
        return moment.astimezone()
    except (OverflowError, ValueError, OSError):
        return moment
