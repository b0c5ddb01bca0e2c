"""What the resizing operators share: shapes ``[N, H, W, C]`` and where an output pixel lies."""

from __future__ import annotations

from collections.abc import Iterator

from tinysim.compiler.graph import Tensor
from tinysim.compiler.ops import Inputs
from tinysim.compiler.ops._movement import numbers, same_kind, wanted_inputs, wanted_numbers


def wanted_resize(inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
    """Yield a problem unless the output is the input in the size that input 1 gives."""
    problems = list(wanted_inputs(inputs, 2))
    if not problems:
        problems += [*same_kind(inputs[:1], outputs), *wanted_numbers(inputs[1], "size", 2)]
        x, out = inputs[0], outputs[0]
        if not problems and x is not None:
            if len(x.shape) != 4:
                problems.append(f"input {list(x.shape)} must have 4 dimensions")
            elif out.shape != (x.shape[0], *numbers(inputs[1]), x.shape[3]):
                problems.append(f"output {list(out.shape)} is not the input in the size given")
    yield from problems


def size_params(x: Tensor, out: Tensor) -> dict[str, int | float]:
    """Return the parameters that the kernels share."""
    return {
        "batches": x.shape[0],
        "input_h": x.shape[1],
        "input_w": x.shape[2],
        "channels": x.shape[3],
        "output_h": out.shape[1],
        "output_w": out.shape[2],
    }
