"""The time as clocks here show it."""

from __future__ import annotations

from datetime import datetime


def local_time(moment: datetime) -> datetime:
    """In the zone of this machine; as it stands where that has no such day: at the ends of the calendar, which an
    imported date may name.
    """
    try:
        return moment.astimezone()
    except (OverflowError, ValueError, OSError):
        return moment
