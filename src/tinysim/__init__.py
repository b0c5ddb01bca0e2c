"""Will this neural network fit this microcontroller, how long will it take, and why.

>>> import tinysim
>>> profile = tinysim.run("model.tflite", board="nano33ble")  # doctest: +SKIP
>>> profile.cycles, profile.latency_s, profile.fits  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinysim.api import compile, run, run_each, run_firmware
    from tinysim.boards import Board, board_names, load_board
    from tinysim.errors import TinysimError
    from tinysim.report import FORMATS, render
    from tinysim.simulator.profile import Profile

__version__ = "0.1.0"

#: Public name -> the module that holds it; imported when first used, so that the start is quick.
_PUBLIC = {
    "compile": "tinysim.api",
    "run": "tinysim.api",
    "run_each": "tinysim.api",
    "run_firmware": "tinysim.api",
    "Board": "tinysim.boards",
    "board_names": "tinysim.boards",
    "load_board": "tinysim.boards",
    "TinysimError": "tinysim.errors",
    "FORMATS": "tinysim.report",
    "render": "tinysim.report",
    "Profile": "tinysim.simulator.profile",
}

__all__ = [
    "FORMATS",
    "Board",
    "Profile",
    "TinysimError",
    "__version__",
    "board_names",
    "compile",
    "load_board",
    "render",
    "run",
    "run_each",
    "run_firmware",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'tinysim' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)
