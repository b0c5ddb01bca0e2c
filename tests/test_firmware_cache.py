"""Firmware from the cache is the firmware that the compiler would make."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinysim
from tests.conftest import DEMO_MODEL
from tinysim import firmware_cache
from tinysim.boards import load_board
from tinysim.compiler import Choices, compile_graph
from tinysim.compiler.readers import read_model
from tinysim.errors import ToolchainError
from tinysim.firmware import Firmware
from tinysim.firmware_cache import CACHE, firmware_of
from tinysim.simulator.cores import load_core
from tinysim.simulator.profile import Profile

BOARD = load_board("generic_m4")
TARGET = load_core(BOARD.core).target


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "tinysim" / "firmware"


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the models that were compiled, in order."""
    names: list[str] = []

    def noting(graph: Any, name: str, *others: Any) -> Any:
        names.append(name)
        return compile_graph(graph, name, *others)

    monkeypatch.setattr(firmware_cache, "compile_graph", noting)
    return names


def facts(profile: Profile) -> Any:
    """Everything of a profile, comparable."""
    return repr(
        [np.asarray(v).tolist() if isinstance(v, np.ndarray) else v for v in _flat(profile)]
    )


def _flat(profile: Profile) -> list[Any]:
    values: list[Any] = []
    for field in dataclasses.fields(profile):
        value = getattr(profile, field.name)
        values += value if field.name in ("inputs", "outputs") else [value]
    return values


def test_cached_and_fresh_firmware_give_the_same_profile(compiled: list[str]) -> None:
    fresh = tinysim.run(DEMO_MODEL, BOARD, use_cache=False)
    kept = tinysim.run(DEMO_MODEL, BOARD)
    cached = tinysim.run(DEMO_MODEL, BOARD)
    assert len(compiled) == 2  # not the third time
    assert facts(fresh) == facts(kept) == facts(cached)
    assert tinysim.run(DEMO_MODEL, BOARD, use_cache=False).cycles == fresh.cycles
    assert len(compiled) == 3


def test_what_changes_firmware_is_compiled(tmp_path: Path, compiled: list[str]) -> None:
    renamed = tmp_path / "renamed.tflite"
    renamed.write_bytes(DEMO_MODEL.read_bytes())
    changed = tmp_path / DEMO_MODEL.name
    changed.write_bytes(DEMO_MODEL.read_bytes() + b"\0")
    wide = dataclasses.replace(BOARD, hse_hz=1)
    found = [
        firmware_of(read_model(path), path.name, board, TARGET, choices)
        for _ in range(2)
        for path, board, choices in (
            (DEMO_MODEL, BOARD, Choices()),
            (renamed, BOARD, Choices()),
            (changed, BOARD, Choices()),
            (DEMO_MODEL, wide, Choices()),
            (DEMO_MODEL, BOARD, Choices(optimize="size")),
            (DEMO_MODEL, BOARD, Choices(planner="greedy")),
        )
    ]
    assert len(compiled) == 6
    assert found[:6] == found[6:]
    assert found[1].model_name == "renamed.tflite"


def test_another_compiler_compiles_again(
    compiled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = read_model(DEMO_MODEL)
    for version in ("1", "2"):
        monkeypatch.setattr(firmware_cache, "compiler_version", lambda version=version: version)
        firmware_of(graph, "model", BOARD, TARGET, Choices())
    assert len(compiled) == 2


def test_without_a_compiler_there_is_no_firmware(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise ToolchainError("not installed", where="gcc", fix="install it")

    graph = read_model(DEMO_MODEL)
    firmware_of(graph, "model", BOARD, TARGET, Choices())
    monkeypatch.setattr(firmware_cache, "compiler_version", missing)
    with pytest.raises(ToolchainError):  # whose firmware would it be?
        firmware_of(graph, "model", BOARD, TARGET, Choices())


def test_damaged_entries_are_compiled_again(folder: Path, compiled: list[str]) -> None:
    graph = read_model(DEMO_MODEL)

    def get() -> Firmware:
        return firmware_of(graph, "model", BOARD, TARGET, Choices())

    wanted = get()
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    regions = range(0, len(whole), len(whole) // 10)
    for number, start in enumerate(regions):
        path.write_bytes(whole[:start] + bytes([whole[start] ^ 1]) + whole[start + 1 :])
        assert get() == wanted
        assert len(compiled) == number + 2
        assert path.read_bytes() == whole
    CACHE.write(path.name, b'{"model_name": 3}\n')  # whole, and no firmware
    assert get() == wanted
    CACHE.write(path.name, pickle.dumps(wanted))
    assert get() == wanted
    assert len(compiled) == len(regions) + 3
