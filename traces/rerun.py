"""Simulate measured programs again, from images that the user has."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tinysim.boards import load_board
from tinysim.errors import MeasurementError
from tinysim.simulator.cores import load_core
from tinysim.simulator.fingerprint import fingerprint
from tinysim.simulator.foreign import Window, profile_firmware
from tinysim.simulator.script import parse_script
from tinysim.traces import Measurement, Trace, load_trace
from tinysim.traces.accuracy import timing_of

#: Simulated seconds after which a program has gone astray.
LIMIT_S = 600.0


def images_in(folder: Path) -> dict[str, Path]:
    """Return every file of a folder by its SHA-256.

    Raises
    ------
    MeasurementError
        If the folder cannot be read.
    """
    try:
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        return {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in paths}
    except OSError as error:
        raise MeasurementError(str(error), where=str(folder), fix="give a folder") from error


def rerun(board_name: str, images: dict[str, Path]) -> Iterator[Measurement]:
    """Yield a board's measurements, simulated anew where their image is at hand."""
    for row in load_trace(board_name).measurements:
        path = images.get(row.image_sha256)
        yield row if path is None else replace(row, simulated_cycles=simulate(row, path))


def simulate(row: Measurement, path: Path) -> int:
    """Return the cycles that a measured window takes here."""
    board = load_board(row.board)
    core = load_core(board.core)
    profiles = profile_firmware(
        path,
        board,
        core,
        Window(row.start, row.end, row.function, row.call),
        lambda fidelity: timing_of(board, core, fidelity),
        parse_script(row.script, f"traces/{row.board}.toml"),
        limit_s=LIMIT_S,
        repeat=row.repeat,
    )
    return profiles[-1].cycles


def updated(text: str, old: Trace, rows: list[Measurement]) -> str:
    """Return a trace file's text with new counts; everything else stays as it was written."""
    board = load_board(old.board)
    new = fingerprint(board, load_core(board.core))
    text = text.replace(f'fingerprint = "{old.fingerprint}"', f'fingerprint = "{new}"', 1)
    at = 0
    for before, after in zip(old.measurements, rows, strict=True):
        key = f"simulated_cycles = {before.simulated_cycles}\n"
        at = text.index(key, at)
        line = f"simulated_cycles = {after.simulated_cycles}\n"
        text = text[:at] + line + text[at + len(key) :]
        at += len(line)
    return text
