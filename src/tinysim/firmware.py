"""Firmware: the contract between the compiler, which makes it, and the simulator, which runs it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Target:
    """What the cross compiler must know of a core."""

    mcpu: str
    fpu: str
    float_abi: str
    has_dsp: bool

    @property
    def flags(self) -> tuple[str, ...]:
        """Compiler flags that select the core."""
        fpu = (f"-mfpu={self.fpu}",) if self.fpu != "none" else ()
        return (f"-mcpu={self.mcpu}", "-mthumb", f"-mfloat-abi={self.float_abi}", *fpu)


@dataclass(frozen=True)
class TensorInfo:
    """An input or output of the model, as it lies in the arena."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    offset_bytes: int
    scale: float | None
    zero_point: int | None

    @property
    def size_bytes(self) -> int:
        """Bytes that the tensor takes."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize

    def quantize(self, real: NDArray[np.float32]) -> NDArray[np.generic]:
        """Turn real numbers into what the tensor holds (rounded to nearest, saturated)."""
        if self.scale is None or self.zero_point is None:
            return real.astype(self.dtype)
        limits = np.iinfo(self.dtype)
        q = np.round(real / self.scale) + self.zero_point
        held: NDArray[np.generic] = np.clip(q, limits.min, limits.max).astype(self.dtype)
        return held


@dataclass(frozen=True)
class TensorPlacement:
    """Where a tensor, or a layer's scratch memory, lies in the arena, and while which layers run.

    ``kind`` is ``input``, ``output``, ``state``, ``activation`` or ``scratch``; scratch memory has
    the name of its layer. The layers are ``first_layer`` to ``last_layer``: -1 is before the first
    (inputs), the number of layers behind the last (outputs).
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    dtype: str
    offset_bytes: int
    size_bytes: int
    first_layer: int
    last_layer: int


@dataclass(frozen=True)
class LayerSymbol:
    """One layer of the model and the function that computes it.

    ``tensor`` is the whole name of the first output in the model file.
    """

    index: int
    name: str
    op: str
    kernel: str
    symbol: str
    outputs: tuple[TensorInfo, ...]
    macs: int
    tensor: str

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the first output."""
        return self.outputs[0].shape


@dataclass(frozen=True)
class Section:
    """One output section of the image.

    ``cause`` says what it is for: ``weights``, ``code``, ``runtime``, ``static`` or ``arena``.
    ``flash_bytes`` and ``ram_bytes`` are its shares of either memory (``.data`` has both).
    """

    name: str
    cause: str
    flash_region: str | None
    flash_bytes: int
    ram_region: str | None
    ram_bytes: int


@dataclass(frozen=True)
class Toolchain:
    """What made the image."""

    compiler: str
    version: str
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Firmware:
    """An ELF image and what the compiler knows of it.

    ``arena_symbol`` is the arena, ``entry_symbol`` the function ``int entry(void *arena)`` that
    computes one inference.
    """

    model_name: str
    model_sha256: str
    elf: bytes
    layers: tuple[LayerSymbol, ...]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    sections: tuple[Section, ...]
    arena_bytes: int
    arena_lower_bound_bytes: int
    entry_symbol: str
    arena_symbol: str
    toolchain: Toolchain
    tensors: tuple[TensorPlacement, ...] = ()
    removed: tuple[str, ...] = ()
