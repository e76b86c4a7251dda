"""How the line being typed is drawn: without characters that hide others, and with a label for each folded paste.

Loads prompt_toolkit.
"""

from __future__ import annotations

import re
from bisect import bisect_right

from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput
from prompt_toolkit.layout.utils import explode_text_fragments

from chatcli.prompt.paste import Pastes
from chatcli.text import UNWANTED


class HideUnwanted(Processor):
    """Hides characters that hide or reverse the text around them; control characters appear as ^X anyway."""

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        source = transformation_input.fragments
        if not any(UNWANTED.search(fragment[1]) for fragment in source):
            return Transformation(source)
        return Transformation([(style, without_unwanted(text)) for style, text, *_ in source])


def without_unwanted(text: str) -> str:
    return UNWANTED.sub(_unseen, text)


def _unseen(found: re.Match[str]) -> str:
    return found[0] if found[0] < "\xa0" else "\u200b"


class ShowFolded(Processor):
    """Shows the label of a folded paste instead of its character."""

    def __init__(self, pastes: Pastes) -> None:
        self._pastes = pastes

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        source = transformation_input.fragments
        if not self._pastes.are_folded:
            return Transformation(source)
        starts: list[int] = []
        shown: StyleAndTextTuples = []
        column = 0
        for style, character, *_ in explode_text_fragments(source):
            label = self._pastes.label(character)
            starts.append(column)
            shown.append((f"{style} class:folded", label) if label else (style, character))
            column += len(label or character)
        starts.append(column)
        return Transformation(
            shown,
            source_to_display=lambda at: starts[min(at, len(starts) - 1)],
            display_to_source=lambda at: bisect_right(starts, at) - 1,
        )
