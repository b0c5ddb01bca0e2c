"""Architectures with their scaling factors, one module a family.

A family is a module with ``build(input_shape, class_count, **factors) -> keras.Model``. Its models
are functional, of built-in layers and those in ``layers.py``; they end in a layer ``logits`` (one
number a class) and a softmax ``probabilities``. Batch normalization is left to the converter.
"""

from __future__ import annotations

from importlib import import_module
from inspect import signature
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from tinysim.errors import RecipeError

if TYPE_CHECKING:
    import keras

#: Modules of this folder that are no family.
_OTHERS = ("layers",)


def families() -> tuple[str, ...]:
    """Return the names of all families, sorted: the folder is the registry."""
    names = (module.name for module in iter_modules(__path__))
    return tuple(sorted(name for name in names if name not in _OTHERS and name[0] != "_"))


def build(
    family: str, input_shape: tuple[int, ...], class_count: int, **factors: Any
) -> keras.Model:
    """Return an untrained model.

    Raises
    ------
    RecipeError
        If there is no such family, or it has no such factor.
    """
    if family not in families():
        raise RecipeError(
            "there is no such family", where=f"family {family!r}", fix=f"one of {families()}"
        )
    make = import_module(f"{__name__}.{family}").build
    known = set(signature(make).parameters) - {"input_shape", "class_count"}
    if unknown := factors.keys() - known:
        raise RecipeError(
            f"there is no factor {', '.join(sorted(map(repr, unknown)))}",
            where=f"family {family!r}",
            fix=f"its factors: {', '.join(sorted(known)) or 'none'}",
        )
    model: keras.Model = make(input_shape, class_count, **factors)
    return model
