"""What moves on a terminal: a long message gives way on a narrow one, so that the share of it is still seen."""

from __future__ import annotations

import io

from controller.surfaces.cli.drawing import Drawing
from resources.meta import Key


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_long_message_leaves_room_for_the_whole() -> None:
    terminal, key = Terminal(), Key("Image", "default", "shop")
    drawing = Drawing(terminal, 7, width=80)
    drawing.begin(key, "create Image/shop")
    drawing.move(key, 0.5, "Image/shop: building shop:1: step 2/2: " + "RUN something " * 20)
    drawing.close()
    shown = terminal.getvalue()
    assert "0/7" in shown
    assert "50%" in shown
