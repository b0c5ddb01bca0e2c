"""How much is pruned from step to step."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinysim.lab.prune.schedule import SCHEDULES, gradual_sparsity, sparsities

SHARES = st.floats(0, 1)


def test_equation_1_by_hand() -> None:
    """s_f = 0.9, s_i = 0, n = 4: 0.9 * (1 - (3/4)^3) = 0.9 * 37/64, and so on."""
    by_hand = [Fraction(9, 10) * Fraction(cubes, 64) for cubes in (37, 56, 63, 64)]
    assert sparsities("agp", 0.9, steps=4) == pytest.approx([float(one) for one in by_hand])


def test_time_is_counted_from_the_start_in_intervals() -> None:
    """t0 = 10, dt = 5, n = 4, t = 20: half way, so 0.8 + (0.2 - 0.8) * 0.5^3."""
    found = gradual_sparsity(20, start=10, interval=5, steps=4, initial=0.2, final=0.8)
    assert found == pytest.approx(0.725)
    assert gradual_sparsity(10, start=10, interval=5, steps=4, initial=0.2, final=0.8) == (
        pytest.approx(0.2)
    )


def test_one_shot_is_one_step() -> None:
    assert sparsities("one_shot", 0.75, steps=7) == (0.75,)


@pytest.mark.parametrize("schedule", SCHEDULES)
@given(initial=SHARES, final=SHARES, steps=st.integers(1, 50))
def test_it_grows_and_ends_at_the_final_share(
    schedule: str, initial: float, final: float, steps: int
) -> None:
    low, high = sorted((initial, final))
    found = sparsities(schedule, high, steps=steps, initial=low)  # type: ignore[arg-type]
    assert list(found) == sorted(found)
    assert found[-1] == high
    assert all(low <= one <= high for one in found)


@given(final=st.floats(0.1, 1), steps=st.integers(2, 50))
def test_early_steps_prune_most(final: float, steps: int) -> None:
    found = (0.0, *sparsities("agp", final, steps=steps))
    pruned = [after - before for before, after in pairwise(found)]
    assert pruned == sorted(pruned, reverse=True)
