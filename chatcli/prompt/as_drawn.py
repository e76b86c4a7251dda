"""Draws a prompt again as it stands on the screen, or with a new toolbar: to lay all of it out takes much longer.

Loads prompt_toolkit.
"""

from __future__ import annotations

from prompt_toolkit.layout import Layout
from prompt_toolkit.layout.containers import Container, Window
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.layout.mouse_handlers import MouseHandlers
from prompt_toolkit.layout.screen import Screen, WritePosition


def as_drawn(screen: Screen, with_toolbar: bool) -> Layout | None:
    """Returns a layout that draws `screen`, which the renderer drew last. `with_toolbar`: its lowest window is
    asked for its text once more. None where no window was drawn.
    """
    places = screen.visible_windows_to_write_positions
    if not places:
        return None
    return Layout(_AsDrawn(screen, max(places, key=lambda window: places[window].ypos), with_toolbar))


class _AsDrawn(Container):
    def __init__(self, screen: Screen, lowest: Window, with_lowest: bool) -> None:
        self._drawn, self._lowest, self._with_lowest = screen, lowest, with_lowest

    def reset(self) -> None:
        """There is nothing to reset: the screen is finished."""

    def preferred_width(self, _most: int) -> Dimension:
        return Dimension(preferred=self._drawn.width)

    def preferred_height(self, _width: int, _most: int) -> Dimension:
        return Dimension.exact(self._drawn.height)

    def write_to_screen(
        self,
        screen: Screen,
        mouse_handlers: MouseHandlers,
        _place: WritePosition,
        parent_style: str,
        erase_bg: bool,
        z_index: int | None,
    ) -> None:
        drawn = self._drawn
        places = drawn.visible_windows_to_write_positions
        screen.data_buffer.update(drawn.data_buffer)
        screen.zero_width_escapes.update(drawn.zero_width_escapes)
        screen.cursor_positions.update(drawn.cursor_positions)
        screen.menu_positions.update(drawn.menu_positions)
        screen.visible_windows_to_write_positions.update(places)
        screen.show_cursor, screen.width, screen.height = drawn.show_cursor, drawn.width, drawn.height
        if self._with_lowest:
            place = places[self._lowest]
            for row in range(place.ypos, place.ypos + place.height):
                del screen.data_buffer[row]
            self._lowest.write_to_screen(screen, mouse_handlers, place, parent_style, erase_bg, z_index)

    def get_children(self) -> list[Container]:
        return [self._lowest]
