"""What the depthwise kernels of Armv6-M share: lines of the image along either axis."""

from __future__ import annotations

from dataclasses import dataclass

from tinysim.compiler.ops import KernelCall


@dataclass(frozen=True)
class Axis:
    """One axis of the image: how many positions it has, and how the window moves along it.

    ``input_step`` and ``output_step`` are the bytes from one position to the next.
    """

    inputs: int
    outputs: int
    filter: int
    dilation: int
    stride: int
    pad: int
    input_step: int
    output_step: int

    @property
    def extent(self) -> int:
        """Positions that a window extends over."""
        return (self.filter - 1) * self.dilation + 1

    @property
    def needed(self) -> int:
        """Positions from the first of the first window to the last of the last."""
        return (self.outputs - 1) * self.stride + self.extent

    @property
    def read(self) -> int:
        """Positions of the input that windows see."""
        return max(0, min(self.inputs, self.needed - self.pad))

    @property
    def keeps_size(self) -> bool:
        """Whether input and output have as many positions."""
        return self.inputs == self.outputs


def axes(call: KernelCall) -> tuple[Axis, Axis]:
    """Return rows and columns of a portable depthwise call."""
    p = {key: int(value) for key, value in call.params.items()}
    c = p["input_c"]
    o = c * p["depth_multiplier"]
    steps = {"h": (p["input_w"] * c, p["output_w"] * o), "w": (c, o)}
    pads = {"h": p["pad_top"], "w": p["pad_left"]}
    rows, columns = (
        Axis(
            p[f"input_{axis}"],
            p[f"output_{axis}"],
            p[f"filter_{axis}"],
            p[f"dilation_{axis}"],
            p[f"stride_{axis}"],
            pads[axis],
            *steps[axis],
        )
        for axis in "hw"
    )
    return rows, columns


def line_params(call: KernelCall, outer: Axis, inner: Axis) -> dict[str, int | float]:
    """Return the parameters that both kernels have: lines along ``inner``."""
    batches = int(call.params["batches"])
    return {
        "multiplier": call.params["depth_multiplier"],
        "input_batch": call.inputs[0].elements // batches,
        "output_batch": call.outputs[0].elements // batches,
        "input_lines": outer.inputs,
        "input_line": outer.input_step,
        "input_pixel": inner.input_step,
        "input_pixels": inner.read,
        "output_lines": outer.outputs,
        "output_line": outer.output_step,
        "output_pixel": inner.output_step,
        "output_pixels": inner.outputs,
        "stride": outer.stride,
        "stride_pixels": inner.stride,
        "pad_lines": outer.pad,
        "pad_pixels": inner.pad,
    }


def may_lie_in_place(call: KernelCall, outer: Axis, inner: Axis) -> bool:
    """Tell whether channels stay apart if the output lies over the input.

    They do if pixels are equally large: then pixel k of the output lies over pixel k of the input,
    and the images of a batch if they are. Of parts of tensors nothing is known.
    """
    if any(call.input_offsets) or any(call.output_offsets):
        return False
    keeps_size = outer.keeps_size and inner.keeps_size
    return call.params["depth_multiplier"] == 1 and (call.params["batches"] == 1 or keeps_size)
