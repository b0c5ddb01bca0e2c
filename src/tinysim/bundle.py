"""Bundles: everything that is known of a run, as files in a folder with a manifest.

The manifest lists every file with its size and SHA-256 and is written last: a folder without one is
not a bundle. The same run gives the same bytes; only ``metadata.json`` holds a time stamp.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinysim.issues import issues_of, validity_of
from tinysim.report import model_explorer, render
from tinysim.simulator.profile import Profile

SCHEMA_VERSION = 1

MANIFEST = "manifest.json"

#: File -> the format of what it holds.
REPORTS = {
    "profile.json": "json",
    "layers.csv": "csv",
    "report.html": "html",
    "report.md": "markdown",
    "trace.json": "perfetto",
    "speedscope.json": "speedscope",
    "stacks.txt": "collapsed",
}


def bundle(profile: Profile, created: datetime) -> dict[str, bytes]:
    """Return the files of a bundle by name, the manifest last."""
    files = {name: render(profile, format).encode() for name, format in REPORTS.items()}
    for name, text in model_explorer.data_sets(profile).items():
        files[f"model_explorer/{name}.json"] = text.encode()
    for index, output in enumerate(profile.outputs):
        files[f"outputs/{index}.npy"] = npy(output)
    files["summary.json"] = _json(_summary(profile))
    files["metadata.json"] = _json(_metadata(profile, created))
    listed = [
        {"path": name, "size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in sorted(files.items())
    ]
    files[MANIFEST] = _json({"schema_version": SCHEMA_VERSION, "files": listed})
    return files


def time_stamp() -> datetime:
    """Return the present, or what SOURCE_DATE_EPOCH says it is, in whole seconds."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    if epoch.isdecimal():
        return datetime.fromtimestamp(int(epoch), UTC)
    return datetime.now(UTC).replace(microsecond=0)


def defects(folder: Path) -> list[str]:
    """Say what keeps a folder from being the bundle that was written; nothing if it is."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        listed = [(str(row["path"]), row["size_bytes"], row["sha256"]) for row in manifest["files"]]
    except FileNotFoundError:
        return [f"{MANIFEST}: missing, so the run has not ended"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [f"{MANIFEST}: cannot be read ({error})"]
    found = ((name, _defect(folder / name, size, digest)) for name, size, digest in listed)
    return [f"{name}: {what}" for name, what in found if what]


def npy(values: NDArray[Any]) -> bytes:
    """Return an array as a .npy file."""
    stream = io.BytesIO()
    np.save(stream, values, allow_pickle=False)
    return stream.getvalue()


def _defect(path: Path, size_bytes: int, sha256: str) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        return error.strerror or str(error)
    if len(content) != size_bytes:
        return f"has {len(content):,} bytes, had {size_bytes:,}"
    return "" if hashlib.sha256(content).hexdigest() == sha256 else "has changed"


def _summary(profile: Profile) -> dict[str, Any]:
    issues = issues_of(profile)
    return {
        "schema_version": SCHEMA_VERSION,
        "model": profile.model_name,
        "board": profile.board,
        "validity": validity_of(issues),
        "fits": profile.fits,
        "verdict": profile.verdict,
        "issues": [asdict(issue) for issue in issues],
        "cycles": profile.cycles,
        "latency_s": profile.latency_s,
        "latency_band_s": list(profile.latency_band_s),
        "energy_j": profile.energy.typical_j if profile.energy else None,
        "ram_bytes": profile.used_bytes("ram"),
        "flash_bytes": profile.used_bytes("flash"),
    }


def _metadata(profile: Profile, created: datetime) -> dict[str, Any]:
    """Return under what conditions the run was made: nothing of it depends on the host."""
    return {
        "schema_version": SCHEMA_VERSION,
        "created": created.isoformat(),
        "tinysim_version": profile.tinysim_version,
        "model": {"name": profile.model_name, "sha256": profile.model_sha256},
        "board": {
            "name": profile.board,
            "title": profile.board_title,
            "sha256": profile.board_sha256,
        },
        "core": {"name": profile.core, "sha256": profile.core_sha256},
        "clock_hz": profile.clock_hz,
        "toolchain": asdict(profile.toolchain),
        "timing": asdict(profile.timing),
    }


def _json(data: dict[str, Any]) -> bytes:
    return (json.dumps(data, indent=2) + "\n").encode()
