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


#: Id of what lies in a node's scratch buffer instead of a tensor's own place.
SCRATCH_ID = -1


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
    #: Bytes from the start of each input or output on, if only a part of it is meant. A tensor
    #: with the id ``SCRATCH_ID`` lies in the node's scratch buffer.
    input_offsets: tuple[int, ...] = field(default=())
    output_offsets: tuple[int, ...] = field(default=())
    #: How the output may lie over the inputs, by index of the input of the call, if the kernel
    #: differs in that from what ``Operator.overlaps`` says of the portable one.
    overlaps: Mapping[int, Overlap] | None = None
    #: How often the first constant is read from one end to the other.
    passes: int = 1
    #: Whether it is copied to the arena before the kernel runs, which then reads the copy.
    is_copied: bool = False

    @property
    def copied_bytes(self) -> int:
        """What the copy takes of the arena, in whole words."""
        return -(-self.constants[0].nbytes // 4) * 4 if self.is_copied else 0


@dataclass(frozen=True)
class Overlap:
    """How an output may lie over an input that nothing else needs, in bytes.

    A kernel that runs from the first element to the last computes the right thing if the input
    starts at least ``forward`` behind the output's start; one that runs from the last to the first
    if the output starts at least ``backward`` behind the input's. None: not in that direction.
    ``in_place``: the output may lie exactly over the input, even if no distance is allowed.
    """

    forward: int | None = None
    backward: int | None = None
    in_place: bool = False

    def allows_forward(self, input_at: int, output_at: int) -> bool:
        """Whether these offsets go with running forward."""
        is_ahead = self.forward is not None and input_at - output_at >= self.forward
        return is_ahead or (self.in_place and input_at == output_at)

    def allows(self, input_at: int, output_at: int) -> bool:
        """Whether these offsets go with either direction."""
        is_behind = self.backward is not None and output_at - input_at >= self.backward
        return is_behind or self.allows_forward(input_at, output_at)

    def nearest_outputs(self, input_at: int) -> set[int]:
        """Return the offsets of an output that just go with an input's."""
        found = {input_at} if self.in_place else set()
        found |= set() if self.forward is None else {input_at - self.forward}
        return found if self.backward is None else found | {input_at + self.backward}

    def nearest_inputs(self, output_at: int) -> set[int]:
        """Return the offsets of an input that just go with an output's."""
        found = {output_at} if self.in_place else set()
        found |= set() if self.forward is None else {output_at + self.forward}
        return found if self.backward is None else found | {output_at - self.backward}

    def together_bytes(self, input_bytes: int, output_bytes: int) -> int:
        """Return the least that input and output take together."""
        sizes = [input_bytes + output_bytes]
        if self.forward is not None:
            sizes.append(max(output_bytes, self.forward + input_bytes))
        if self.backward is not None:
            sizes.append(max(input_bytes, self.backward + output_bytes))
        if self.in_place:
            sizes.append(max(input_bytes, output_bytes))
        return min(sizes)

    def stricter(self, other: Overlap) -> Overlap:
        """Return what both allow."""
        pairs = ((self.forward, other.forward), (self.backward, other.backward))
        forward, backward = (None if None in pair else max(pair) for pair in pairs)  # type: ignore
        in_place = self.allows(0, 0) and other.allows(0, 0)
        return Overlap(forward, backward, in_place)


class Operator(ABC):
    """What the compiler needs to know of an operator.

    ``kernels`` lists, by the type of the first input, the kernels in ``kernels/`` that compute
    it, the preferred one first.
    """

    tflite: ClassVar[str]
    kernels: ClassVar[Mapping[DType, tuple[str, ...]]]
    #: Operators that only rename memory: a pass takes them out.
    is_view: ClassVar[bool] = False
    #: Operators whose output's element depends on the inputs' elements of the same place only.
    is_elementwise: ClassVar[bool] = False
    #: Operators whose outputs are known once shapes are.
    depends_on_shapes_only: ClassVar[bool] = False
    #: How many outputs the operator has; None: it depends, and ``problems`` counts them.
    output_count: ClassVar[int | None] = 1
    #: Places of the inputs that are states: the reader lists them behind the outputs, too.
    state_inputs: ClassVar[tuple[int, ...]] = ()
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

    def own_states(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> tuple[Array, ...]:
        """Return the first values of states that no tensor of the file stands for.

        The reader adds a tensor for each, behind the inputs and behind the outputs.
        """
        return ()

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

    def workspace_bytes(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        """Return the scratch that the node needs besides what its kernels ask for."""
        return 0

    def overlaps(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Mapping[int, Overlap]:
        """Return, by index of the input, how the first output may lie over it.

        An input that is not named must stay whole until the node is through.
        """
        return {}


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
