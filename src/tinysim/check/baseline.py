"""The profile that was accepted last, as ``tinysim baseline save`` stores it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinysim.baseline.store import MAX_BYTES, file_name
from tinysim.errors import MeasurementError


def read_baseline(folder: Path, model: Path, board: str) -> Mapping[str, Any]:
    """Return the data of a profile (``report.json.as_data``).

    Raises
    ------
    MeasurementError
        If there is none, or no object of JSON.
    """
    path = folder / file_name(model, board)
    try:
        with path.open("rb") as stream:
            data = json.loads(stream.read(MAX_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        data = getattr(error, "strerror", None) or str(error)
    if not isinstance(data, dict):
        reason = data if isinstance(data, str) else "no object of JSON"
        raise MeasurementError(
            f"no baseline ({reason})", where=str(path), fix="store one: tinysim baseline save"
        )
    return data
