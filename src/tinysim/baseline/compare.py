"""Two records -> what changed; refuses to compare what has nothing to do with each other."""

from __future__ import annotations

from tinysim.baseline import TOTALS, Comparison, Condition, Delta, LayerDelta, Record
from tinysim.errors import MeasurementError


def compare(
    before: Record,
    after: Record,
    *,
    allow_other_model: bool = False,
    allow_other_board: bool = False,
) -> Comparison:
    """Compare two records.

    Raises
    ------
    MeasurementError
        If they are of different models or boards and that is not allowed.
    """
    _check(before, after, allow_other_model, allow_other_board)
    topology = _topology(before, after)
    pairs = () if topology else zip(before.layers, after.layers, strict=True)
    causes = dict.fromkeys((*before.causes, *after.causes))
    return Comparison(
        before,
        after,
        conditions=_conditions(before, after),
        totals=tuple(
            Delta(name, unit, before.totals[name], after.totals[name])
            for name, unit in TOTALS.items()
        ),
        causes=tuple(
            Delta(cause, "cycles", before.causes.get(cause, 0), after.causes.get(cause, 0))
            for cause in causes
        ),
        layers=tuple(LayerDelta(*pair) for pair in pairs),
        between_layers=Delta(
            "between layers",
            "cycles",
            before.between_layers_cycles,
            after.between_layers_cycles,
        ),
        topology=topology,
    )


def _check(before: Record, after: Record, other_model: bool, other_board: bool) -> None:
    """Refuse different models and boards, both in one message."""
    problems, options = [], []
    if before.model_sha256 != after.model_sha256 and not other_model:
        hashes = f"{before.model_sha256[:16]} and {after.model_sha256[:16]}"
        problems.append(f"the model is another one (SHA-256 {hashes})")
        options.append("--allow-other-model")
    if before.board != after.board and not other_board:
        problems.append(f"the board is another one ({before.board} and {after.board})")
        options.append("--allow-other-board")
    if problems:
        raise MeasurementError(
            " and ".join(problems),
            where=f"{before.where}, {after.where}",
            fix=f"give {' '.join(options)} to compare them all the same",
        )


def _conditions(before: Record, after: Record) -> tuple[Condition, ...]:
    """Return what differs besides the numbers: model and board, if that was allowed, first."""
    pairs = {
        "model": (before.model_sha256[:16], after.model_sha256[:16]),
        "board": (before.board, after.board),
        **{name: (old, after.conditions[name]) for name, old in before.conditions.items()},
    }
    return tuple(Condition(name, *pair) for name, pair in pairs.items() if pair[0] != pair[1])


def _topology(before: Record, after: Record) -> str | None:
    """Say why layers cannot be compared; None if they can."""
    if len(before.layers) != len(after.layers):
        return f"{len(before.layers)} layers before, {len(after.layers)} after"
    for old, new in zip(before.layers, after.layers, strict=True):
        if old.identity != new.identity:
            return (
                f"layer {old.index} was {old.op} {_shape(old.output_shape)} ({old.name}), "
                f"is {new.op} {_shape(new.output_shape)} ({new.name})"
            )
    return None


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"
