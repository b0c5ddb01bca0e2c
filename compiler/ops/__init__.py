"""One module an operator: attributes, checks, MACs, numpy reference and the call of its kernel.

To add one, drop a module in: a subclass of ``Operator`` files itself under its TFLite name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, ClassVar

import numpy as np

from tinysim.compiler.graph import Array, DType, Tensor

Options = Mapping[str, Any]
Inputs = tuple[Tensor | None, ...]

#: How a kernel wants a channel's requantization (``ts_channel`` in ``kernels/quant.h``).
CHANNEL = np.dtype([("bias", "<i4"), ("multiplier", "<i4"), ("shift", "<i4")])


@dataclass(frozen=True, eq=False)
class KernelCall:
    """One specialised call of ``ts_<kernel>`` in ``kernels/<kernel>.h``.

    The C arguments are, in this order: ``params`` as a literal structure, the inputs, the packed
    constants, the outputs and, if ``scratch_bytes`` is not 0, the scratch buffer.
    """

    kernel: str
    params: Mapping[str, int | float]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    constants: tuple[Array, ...] = field(default=())
    scratch_bytes: int = 0


class Operator(ABC):
    """What the compiler needs to know of an operator.

    ``kernels`` lists, by the type of the first input, the kernels in ``kernels/`` that compute
    it, the preferred one first.
    """

    tflite: ClassVar[str]
    kernels: ClassVar[Mapping[DType, tuple[str, ...]]]
    #: Operators that only rename memory: a pass takes them out.
    is_view: ClassVar[bool] = False
    _registry: ClassVar[dict[str, type[Operator]]] = {}

    def __init_subclass__(cls) -> None:
        if "tflite" in cls.__dict__:
            Operator._registry[cls.tflite] = cls

    @classmethod
    def from_tflite(cls, options: Options) -> Operator:
        """Build the operator from a TFLite option table, given as plain values by field name."""
        return cls()

    @abstractmethod
    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        """Yield what of shapes, types or quantization no kernel here can take."""

    @abstractmethod
    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Count multiply-accumulates, as the field does: of convolutions and products only."""

    @abstractmethod
    def reference(
        self, inputs: Inputs, outputs: tuple[Tensor, ...], values: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Compute the outputs in numpy, bit-exact with TFLite's reference kernels."""

    @abstractmethod
    def lower(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[KernelCall, ...]:
        """Choose kernels and give their arguments; they run one after another."""


def operator_class(tflite_name: str) -> type[Operator] | None:
    """Return the class filed under a TFLite operator name, if there is one."""
    return Operator._registry.get(tflite_name)


def operator_names() -> tuple[str, ...]:
    """Return the TFLite names of all operators, sorted."""
    return tuple(sorted(Operator._registry))


def wanted(tensor: Tensor | None, role: str, *dtypes: DType) -> Iterator[str]:
    """Yield a problem unless ``tensor`` is there and of one of ``dtypes``."""
    if tensor is None:
        yield f"{role} is missing"
    elif tensor.dtype not in dtypes:
        names = " or ".join(dtype.value for dtype in dtypes)
        yield f"{role} is {tensor.dtype.value}, the kernels take {names}"


def wanted_quant(tensor: Tensor | None, role: str) -> Iterator[str]:
    """Yield a problem unless ``tensor`` has one scale and zero point."""
    if tensor is None:
        return
    if tensor.quant is None or len(tensor.quant.scale) != 1:
        yield f"{role} needs per-tensor quantization"


def wanted_constant(tensor: Tensor | None, role: str) -> Iterator[str]:
    """Yield a problem unless ``tensor`` is a constant."""
    if tensor is not None and tensor.data is None:
        yield f"{role} is computed at run time, it must be a constant"


def wanted_shape(tensor: Tensor | None, role: str, shape: Iterable[int]) -> Iterator[str]:
    """Yield a problem unless ``tensor`` has ``shape``."""
    if tensor is not None and tensor.shape != tuple(shape):
        yield f"{role} is {list(tensor.shape)}, expected {list(shape)}"


#: Largest ratio of scales that 32-bit requantization can express (a left shift of 30).
MAX_RATIO = 2.0**30


def wanted_ratio(ratio: float, role: str, limit: float = MAX_RATIO) -> Iterator[str]:
    """Yield a problem unless a ratio of scales stays below ``limit``."""
    if not ratio < limit:
        yield f"{role} is {ratio:g}, which 32-bit requantization cannot express"


for _module in iter_modules(__path__):
    if not _module.name.startswith("_"):
        import_module(f"{__name__}.{_module.name}")
