"""BIN: bare bytes, to be put at the start of the flash."""

from __future__ import annotations

from tinysim.simulator.images import Image, Segment, loaded_image


def read(blob: bytes, flash_base: int, where: str = "BIN") -> Image:
    """Read a bare image.

    Raises
    ------
    SimulationError
        If it holds nothing, or more than goes there.
    """
    return loaded_image([Segment(flash_base, blob)], flash_base, where)
