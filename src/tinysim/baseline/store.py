"""Baseline files: their names, their bytes, and reading them without trusting them."""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePath
from typing import Any

from tinysim.baseline import TOTALS, Record, RecordedLayer
from tinysim.baseline.fields import Fields
from tinysim.budget.measure import PLACES
from tinysim.errors import MeasurementError
from tinysim.report import json as profile_json
from tinysim.simulator.profile import Profile

#: Versions of a profile's JSON that can be compared; fields that newer ones add are not looked at.
KNOWN_VERSIONS = (1, 2)
DEFAULT_FOLDER = Path(".tinysim/baseline")
MAX_BYTES = 64 << 20
SAVE = "store it again: tinysim baseline save MODEL -b BOARD"

#: Total -> where a profile's JSON has it.
_PLACES = PLACES | {
    "runtime": ("flash", "runtime_bytes"),
    "instructions": ("totals", "instructions"),
    "macs": ("totals", "macs"),
}


def file_name(model: str | PurePath, board: str) -> str:
    """Return the name of a model's baseline on a board: letters, digits and ``._-@`` only."""
    stem, board = (
        re.sub(r"[^\w.-]|^\.", "_", t, flags=re.A) for t in (PurePath(model).stem, board)
    )
    return f"{stem}@{board}.json"


def content(profile: Profile) -> bytes:
    """Return what is stored of a profile: all of it, the same bytes for the same profile."""
    return profile_json.render(profile).encode()


def record_of(profile: Profile, where: str) -> Record:
    """Return the record of a profile that was just made."""
    return _record(profile_json.as_data(profile), where)


def read_record(path: Path) -> Record:
    """Read a baseline file.

    Raises
    ------
    MeasurementError
        With everything that is wrong with it.
    """
    return _record(_load(path), str(path))


def read_data(path: Path) -> dict[str, Any]:
    """Read a baseline file as the data that it is, in which all that comparisons use is sound."""
    data: dict[str, Any] = _load(path)
    _record(data, str(path))
    return data


def _load(path: Path) -> Any:
    """Read a file of JSON, no larger than a profile may be."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES:,} B")
        return json.loads(raw.decode(), parse_constant=_refuse_constant)
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise MeasurementError(
            f"no readable baseline ({reason})", where=str(path), fix=SAVE
        ) from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _record(data: Any, where: str) -> Record:
    """Take what comparisons need out of a profile's JSON."""
    problems: list[str] = []
    fields = Fields(data, "", problems)
    version = fields.count("schema_version")
    if not problems and version not in KNOWN_VERSIONS:
        raise MeasurementError(
            f"schema version {version} is not known here, {KNOWN_VERSIONS[-1]} is the newest",
            where=where,
            fix="use the tinysim that wrote it, or " + SAVE,
        )
    totals = fields.part("totals")
    record = Record(
        where=where,
        model_name=fields.part("model").text("name"),
        model_sha256=fields.part("model").text("sha256"),
        board=fields.part("board").text("name"),
        conditions=_conditions(fields),
        totals={
            name: fields.part(part).number(key, or_none=name == "energy")
            if TOTALS[name] in ("s", "J")
            else fields.part(part).count(key)
            for name, (part, key) in _PLACES.items()
        },
        causes={"issue": totals.count("issue_cycles"), **totals.counts("stalls")},
        layers=tuple(_layer(layer) for layer in fields.parts("layers")),
        between_layers_cycles=fields.part("runtime").count("cycles"),
    )
    if problems:
        raise MeasurementError("; ".join(dict.fromkeys(problems)), where=where, fix=SAVE)
    return record


def _layer(fields: Fields) -> RecordedLayer:
    return RecordedLayer(
        index=fields.count("index"),
        name=fields.text("name"),
        op=fields.text("op"),
        kernel=fields.text("kernel"),
        output_shape=fields.shape("output_shape"),
        cycles=fields.count("cycles"),
    )


def _conditions(fields: Fields) -> dict[str, str]:
    """Return what numbers depend on besides model and board, as text."""
    toolchain, timing = fields.part("toolchain"), fields.part("timing")
    return {
        "tinysim": fields.text("tinysim_version"),
        "clock": f"{fields.count('clock_hz'):,} Hz",
        "core": fields.part("core").text("name"),
        "compiler": toolchain.text("version"),
        "flags": " ".join(toolchain.texts("flags")),
        "board file": fields.part("board").text("sha256")[:16],
        "core file": fields.part("core").text("sha256")[:16],
        "fidelity": str(timing.count("fidelity")),
        "timing grade": timing.text("grade"),
    }
