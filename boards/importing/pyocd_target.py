"""The memory map of one of pyOCD's own targets; pyOCD is asked only if it is installed."""

from __future__ import annotations

import difflib
import importlib
from typing import Any

from tinysim.boards.importing import Findings, FoundRegion
from tinysim.boards.limits import shown
from tinysim.errors import BoardError


def read_pyocd_target(name: str) -> Findings:
    """Read the memory map of a target.

    Raises
    ------
    BoardError
        If pyOCD is not installed, or has no such target.
    """
    try:
        targets = importlib.import_module("pyocd.target.builtin").BUILTIN_TARGETS
    except ImportError as error:
        raise BoardError(
            "pyOCD is not installed", where=f"--pyocd {name}", fix="run: pip install pyocd"
        ) from error
    target = targets.get(name.lower())
    if target is None:
        near = difflib.get_close_matches(name.lower(), targets, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "`pyocd list --targets` lists them"
        raise BoardError(f"{shown(name)} is none of pyOCD's own targets", where="--pyocd", fix=hint)
    source = f"from pyOCD, target {name.lower()}"
    return Findings(
        tuple(
            FoundRegion(
                region.name or ("flash" if region.is_flash else "ram"),
                "flash" if region.is_flash else "ram",
                region.start,
                region.length,
                source,
            )
            for region in _memory_map(target)
            if region.is_flash or region.is_ram
        ),
        mcu=name,
    )


def _memory_map(target: Any) -> Any:
    """Return a target class's memory map, under either of the names that it goes by."""
    return getattr(target, "MEMORY_MAP", None) or getattr(target, "memoryMap", ())
