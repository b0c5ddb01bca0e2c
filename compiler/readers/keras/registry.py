"""Keras's class -> the function that makes its nodes: modules named ``layers_*`` fill it."""

from __future__ import annotations

from collections.abc import Callable

from tinysim.compiler.graph import Tensor
from tinysim.compiler.readers.keras.builder import Scope

Maker = Callable[[Scope], Tensor]

LAYERS: dict[str, Maker] = {}


def makes(*kinds: str) -> Callable[[Maker], Maker]:
    """File a function under the classes of layers that it makes."""

    def file(maker: Maker) -> Maker:
        LAYERS.update(dict.fromkeys(kinds, maker))
        return maker

    return file
