"""Element-wise pruning: single weights become zero, the shapes of the model stay.

Kernels of convolutions and dense layers are pruned, never biases or batch normalization: there is
little to be won and much to be lost. What is pruned stays so: masks only grow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from tinysim.errors import RecipeError
from tinysim.lab.data import Dataset
from tinysim.lab.prune._gradients import loss_shares
from tinysim.lab.prune.target import TargetError

if TYPE_CHECKING:
    import keras

    from tinysim.lab.prune.settings import Settings

#: What says how little an element matters: its magnitude ("level" in Deutel et al.), how much the
#: loss would change without it (|weight * gradient|, to first order), or chance.
Heuristic = Literal["magnitude", "gradient", "random"]
HEURISTICS: tuple[Heuristic, ...] = get_args(Heuristic)
#: Whether elements compete with those of the whole model, or of their own kernel.
Scope = Literal["global", "layer"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

#: Path of a variable -> which of its elements are kept.
Masks = Mapping[str, NDArray[np.bool_]]
#: Path of a variable -> how much each of its elements matters.
Scores = Mapping[str, NDArray[np.float64]]


def kernels(model: keras.Model, *, depthwise: bool = False) -> dict[str, keras.Variable]:
    """Return the variables that may be pruned, by path; depthwise kernels by choice."""
    import keras

    layers = keras.layers
    found: dict[str, keras.Variable] = {}
    for layer in _leaves(model):
        kinds = {}
        if isinstance(layer, (layers.SeparableConv1D, layers.SeparableConv2D)):
            kinds = {"pointwise_kernel": True, "depthwise_kernel": depthwise}
        elif isinstance(layer, (layers.DepthwiseConv1D, layers.DepthwiseConv2D)):
            kinds = {"kernel": depthwise}
        elif isinstance(layer, (layers.Conv1D, layers.Conv2D, layers.Dense)):
            kinds = {"kernel": True}
        for name in (name for name, is_wanted in kinds.items() if is_wanted):
            variable = getattr(layer, name)
            if found.setdefault(variable.path, variable) is not variable:
                raise RecipeError(
                    "two variables have this path",
                    where=f"model {model.name!r}: {variable.path}",
                    fix="give the layers different names",
                )
    return found


@dataclass(frozen=True, eq=False)
class Elements:
    """Prunes single elements; what a model costs are the parameters that are not kept at zero."""

    dataset: Dataset
    settings: Settings
    seed: int
    #: Zeros take as long as any other number: nothing is simulated.
    simulations: int = 0

    def cost(self, model: keras.Model, masks: Masks) -> float:
        """Return how many parameters there are, those at zero apart."""
        return float(model.count_params() - pruned_count(masks))

    def check_reachable(self, model: keras.Model, limit: float) -> None:
        """Refuse to prune more than the kernels have.

        Raises
        ------
        TargetError
            With how many parameters there are besides.
        """
        variables = kernels(model, depthwise=self.settings.depthwise)
        prunable = sum(int(np.prod(variable.shape)) for variable in variables.values())
        least = model.count_params() - prunable
        if least > limit:
            raise TargetError(
                f"{least:,} parameters are no elements of kernels",
                where=f"model {model.name!r} below {limit:,.0f} parameters",
                fix="let more remain, or remove filters",
                nearest=float(least),
            )

    def pruned(self, model: keras.Model, masks: Masks, limit: float) -> tuple[keras.Model, Masks]:
        """Make zero what matters least, so that no more parameters are left than a limit."""
        settings = self.settings
        count = round(model.count_params() - limit)
        scores = element_scores(
            model,
            settings.chosen_heuristic,
            depthwise=settings.depthwise,
            dataset=self.dataset,
            seed=self.seed,
        )
        grown = element_masks(scores, count, scope=settings.scope, before=masks)
        apply(model, grown)
        return model, grown


def element_scores(
    model: keras.Model,
    heuristic: str,
    *,
    depthwise: bool = False,
    dataset: Dataset,
    seed: int = 0,
) -> Scores:
    """Return how much each element of each kernel matters."""
    variables = kernels(model, depthwise=depthwise)
    if heuristic == "random":
        return {
            path: np.random.default_rng((seed, crc32(path.encode()))).random(tuple(variable.shape))
            for path, variable in variables.items()
        }
    if heuristic == "gradient":
        shares = loss_shares(model, dataset, seed)
        return {path: shares[path] for path in variables}
    return {path: np.abs(variable.numpy().astype(float)) for path, variable in variables.items()}


def element_masks(
    scores: Scores, count: int, *, scope: Scope = "global", before: Masks | None = None
) -> Masks:
    """Return masks that prune ``count`` elements in all, those of ``before`` among them.

    Exactly so many, unless ``before`` prunes more already: of the model or, with the scope
    ``layer``, of a kernel.
    """
    earlier = before or {}
    ranked = {
        path: np.where(earlier[path], score, -np.inf) if path in earlier else score
        for path, score in scores.items()
    }
    sizes = [score.size for score in ranked.values()]
    if scope == "global":
        joined = np.concatenate([score.ravel() for score in ranked.values()])
        kept = np.split(_without_lowest(joined, count), np.cumsum(sizes)[:-1])
    else:
        counts = _shared_out(max(0, count), sizes)
        kept = [
            _without_lowest(score.ravel(), share)
            for score, share in zip(ranked.values(), counts, strict=True)
        ]
    shaped = {
        path: part.reshape(ranked[path].shape) for path, part in zip(ranked, kept, strict=True)
    }
    return {**earlier, **shaped}


def apply(model: keras.Model, masks: Masks) -> None:
    """Make zero what masks do not keep."""
    for variable in model.variables:
        if variable.path in masks:
            variable.assign(variable * masks[variable.path].astype(np.float32))


def pruned_count(masks: Masks) -> int:
    """Return how many elements masks do not keep."""
    return sum(int(mask.size - mask.sum()) for mask in masks.values())


def _leaves(layer: Any) -> Iterator[keras.Layer]:
    """Yield the layers that hold no others."""
    inner = getattr(layer, "layers", None)
    if inner is None:
        yield layer
    for one in inner or ():
        yield from _leaves(one)


def _without_lowest(scores: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
    """Return which elements are kept; of equal scores the first are pruned.

    What is pruned already has the score -inf, and is pruned whatever the count.
    """
    kept = scores > -np.inf
    kept[np.argsort(scores, kind="stable")[:count]] = False
    return kept


def _shared_out(count: int, sizes: list[int]) -> list[int]:
    """Share a count out by sizes, to the last one: the largest remainders get one more."""
    exact = [count * size / sum(sizes) for size in sizes]
    counts = [int(one) for one in exact]
    by_remainder = sorted(range(len(sizes)), key=lambda i: counts[i] - exact[i])
    for i in by_remainder[: count - sum(counts)]:
        counts[i] += 1
    return counts
