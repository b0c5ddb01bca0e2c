"""What cycle counts depend on besides the program: a hash of the tables, to know old counts by."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from typing import Any

from tinysim.boards import Board
from tinysim.simulator.cores import Core

#: Grows with every change to a mechanism that makes a program cost something else.
TIMING_MODEL = 3

_TELLS_NOTHING = ("source", "sha256", "is_data_only")


def fingerprint(board: Board, core: Core) -> str:
    """Return a short hash of everything in a board's and a core's files that costs cycles."""
    parts = (
        TIMING_MODEL,
        core.pipeline,
        core.issue_width,
        _plain(core.exceptions),
        sorted((name, _plain(cost)) for name, cost in core.costs.items()),
        sorted((name, rule.cycles) for name, rule in core.rules.items()),
        [_plain(region) for region in board.regions],
        [_plain(cache) for cache in board.caches],
        [_plain(bank) for bank in board.banks],
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _plain(row: Any) -> list[tuple[str, Any]]:
    """Return a row's values without where they are from."""
    names = [field.name for field in fields(row) if field.name not in _TELLS_NOTHING]
    return [(name, getattr(row, name)) for name in names]
