"""The ladder of structures, and what is found on it; no model is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tinysim.lab.prune.ladder import Kept, Rung, Scores, kept_units, ladder
from tinysim.lab.prune.search import Found, Search, fitted


def down(
    rungs: Sequence[Rung],
    cost_of: Callable[[Sequence[Rung]], float],
    limit: float,
    *,
    tolerance: float,
    most_tries: int,
) -> Found:
    return Search(cost_of, limit, tolerance=tolerance, most_tries=most_tries).down(rungs)


SCORES = st.dictionaries(
    st.sampled_from(["a", "b", "c", "d"]),
    st.lists(st.integers(0, 99), min_size=1, max_size=24).map(lambda one: np.array(one, float)),
    min_size=1,
)


def test_the_least_goes_first_in_multiples() -> None:
    scores = {"a": np.array([1.0, 9, 2, 8, 3, 7]), "b": np.array([4.0, 5, 6, 10])}
    rungs = ladder(scores, multiple_of=2, least=2)
    assert rungs == (Rung("a", 4, 2.0), Rung("b", 2, 5.0), Rung("a", 2, 7.0))
    kept = kept_units(scores, rungs)
    assert {group: units.tolist() for group, units in kept.items()} == {"a": [1, 3], "b": [2, 3]}


def test_layers_lose_the_same_share() -> None:
    scores = {"small": np.arange(8.0), "large": np.arange(1000.0, 1080)}
    rungs = ladder(scores, scope="layer", multiple_of=4, least=4)
    half = [rung for rung in rungs if rung.rank <= 0.5]
    assert {group: len(units) for group, units in kept_units(scores, half).items()} == {
        "small": 4,
        "large": 40,
    }


@given(SCORES, st.integers(1, 5), st.integers(1, 5))
def test_widths_are_multiples_and_never_too_few(
    scores: Scores, multiple_of: int, least: int
) -> None:
    rungs = ladder(scores, multiple_of=multiple_of, least=least)
    for taken in range(len(rungs) + 1):
        for group, units in kept_units(scores, rungs[:taken]).items():
            assert least <= len(units) < len(scores[group])
            assert len(units) % multiple_of == 0
            assert np.delete(scores[group], units).max() <= scores[group][units].min()


def _priced(scores: Scores, kept: Kept, prices: dict[str, int]) -> int:
    return sum(prices[group] * len(kept.get(group, units)) for group, units in scores.items())


def _cost(scores: Scores, prices: dict[str, int]) -> Callable[[Sequence[Rung]], float]:
    """Every unit has the price of its group."""
    return lambda rungs: float(_priced(scores, kept_units(scores, rungs), prices))


@given(SCORES, st.lists(st.integers(1, 50), min_size=4, max_size=4), st.floats(0.05, 1))
def test_what_is_found_keeps_the_limit_and_wastes_no_rung(
    scores: Scores, prices: list[int], share: float
) -> None:
    cost_of = _cost(scores, dict(zip("abcd", prices, strict=True)))
    rungs = ladder(scores)
    limit = share * cost_of(())
    found = down(rungs, cost_of, limit, tolerance=0.0, most_tries=1000)
    assert found.cost == cost_of(found.rungs)
    assert found.is_reached == (found.cost <= limit) == (cost_of(rungs) <= limit)
    if found.is_reached:  # putting the last rung of any group back breaks the limit
        for group in {rung.group for rung in found.rungs}:
            last = min((r for r in found.rungs if r.group == group), key=lambda r: r.kept)
            assert cost_of([rung for rung in found.rungs if rung != last]) > limit


def test_a_dear_group_does_not_hold_the_others_back() -> None:
    """Bisection alone would take both units of ``cheap`` that come before the one of ``dear``."""
    scores = {"cheap": np.array([1.0, 2, 9]), "dear": np.array([3.0, 8])}
    cost_of = _cost(scores, {"cheap": 1, "dear": 100})
    found = down(ladder(scores), cost_of, 110, tolerance=0.0, most_tries=100)
    assert [rung.group for rung in found.rungs] == ["dear"]


@given(st.integers(2, 40))
def test_tries_are_bounded(most: int) -> None:
    scores = {"a": np.arange(1000.0), "b": np.arange(1000.0)}
    asked = []

    def cost_of(kept: Kept) -> float:
        asked.append(kept)
        return 7.0 * _priced(scores, kept, {"a": 1, "b": 1})

    _, found = fitted(scores, cost_of, 7777.5, multiples=(4, 2, 1), tolerance=0.0, most_tries=most)
    assert len(asked) <= most
    assert found.is_reached


def test_how_near_it_comes_is_said() -> None:
    scores = {"a": np.arange(8.0)}
    found = down(ladder(scores, least=4), _cost(scores, {"a": 1}), 3, tolerance=0, most_tries=9)
    assert (found.is_reached, found.cost) == (False, 4.0)


def test_nothing_is_removed_where_nothing_need_be() -> None:
    scores = {"a": np.arange(8.0)}
    found = down(ladder(scores), _cost(scores, {"a": 1}), 8, tolerance=0, most_tries=9)
    assert (found.rungs, found.cost) == ((), 8.0)


def test_what_is_gone_without_need_is_put_back() -> None:
    """Only ``dear`` costs anything, and one rung of ``cheap`` comes before its own."""
    scores = {"cheap": np.array([1.0, 9]), "dear": np.array([2.0, 3, 8])}
    cost_of = _cost(scores, {"cheap": 0, "dear": 100})
    found = down(ladder(scores), cost_of, 205, tolerance=0.05, most_tries=100)
    assert [rung.group for rung in found.rungs] == ["dear"]


def test_finer_steps_only_where_coarse_ones_leave_much_unused() -> None:
    scores = {"a": np.arange(16.0), "b": np.arange(16.0) + 0.5}

    def widths(limit: float, multiples: tuple[int, ...]) -> dict[str, int]:
        kept, found = fitted(
            scores,
            lambda kept: float(_priced(scores, kept, {"a": 10, "b": 1})),
            limit,
            multiples=multiples,
            tolerance=0.05,
            most_tries=100,
        )
        assert found.is_reached
        return {group: len(units) for group, units in kept.items()}

    assert widths(137, (4, 2, 1)) == widths(137, (4,)) == {"a": 12}
    assert widths(111, (4,)) == {"a": 8}
    assert widths(111, (4, 2, 1)) == {"a": 10, "b": 8}


def test_a_rung_is_exchanged_where_costs_come_in_wide_steps() -> None:
    """By rank 8 of ``a`` and 4 of ``b`` remain: 1080. Of 4 and 12 the limit has more use: 1240."""
    scores = {"a": np.arange(12.0) + 100, "b": np.arange(12.0)}

    def cost_of(kept: Kept) -> float:
        return float(_priced(scores, kept, {"a": 100, "b": 70}))

    kept, found = fitted(
        scores, cost_of, 1250, multiples=(4,), least=4, tolerance=0.05, most_tries=100
    )
    assert found.cost == 1240.0
    assert {group: len(units) for group, units in kept.items()} == {"a": 4}
    _, wide = fitted(scores, cost_of, 1250, multiples=(4,), least=4, tolerance=0.2, most_tries=100)
    assert wide.cost == 1080.0
