"""Regular expressions that are compiled when they are first used: an import needs none of them."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

__all__ = ["pattern"]

if TYPE_CHECKING:  # for type checkers each is a re.Pattern
    from re import compile as pattern
else:

    class pattern:  # noqa: N801 - it is called like re.compile, and has what a re.Pattern has
        def __init__(self, source: str | bytes, flags: int = 0) -> None:
            self._source, self._flags = source, flags

        @cached_property
        def _compiled(self) -> re.Pattern:
            return re.compile(self._source, self._flags)

        def __getattr__(self, name: str) -> Any:
            found = getattr(self._compiled, name)
            setattr(self, name, found)  # so that it is asked for once
            return found
