"""No kernel becomes slower or larger unseen: cycles, code and arena equal the goldens."""

from __future__ import annotations

import pytest

from tests.conftest import DEMO_MODEL
from tests.kernel_cycles import (
    BOARDS,
    COMPILER,
    GOLDEN,
    SHARED_MODELS,
    as_text,
    goldens,
    measure,
    path_of,
)
from tinysim.compiler.toolchain import OPTIMIZE_FLAGS, compiler_version

AGAIN = "if that is meant: python -m tests.kernel_cycles --write"


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("model", [DEMO_MODEL.stem, *SHARED_MODELS])
def test_costs_are_the_goldens(model: str, board: str) -> None:
    if not path_of(model).exists():
        pytest.skip(f"{path_of(model)} is not here: its cycles are not tested")
    if COMPILER not in compiler_version():
        pytest.skip(f"the goldens were made with GCC {COMPILER}, this is {compiler_version()}")
    expected, found = goldens()[model][board], measure(model, board)
    changed = [
        f"{optimize}: {name} {expected[optimize][name]:,} -> {value:,}"
        for optimize, costs in found.items()
        for name, value in costs.items()
        if expected[optimize][name] != value
    ]
    assert not changed, f"{model} on {board}: {'; '.join(changed)}; {AGAIN}"


def test_goldens_are_complete_and_as_they_would_be_written() -> None:
    held = goldens()
    assert list(held) == [DEMO_MODEL.stem, *SHARED_MODELS]
    for by_board in held.values():
        assert list(by_board) == list(BOARDS)
        assert all(by_choice.keys() == OPTIMIZE_FLAGS.keys() for by_choice in by_board.values())
    assert GOLDEN.read_text(encoding="utf-8") == as_text(held)
