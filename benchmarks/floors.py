"""What a layer should cost at least: estimates for int8 kernels with weights of one byte.

They come of inner loops that were counted by hand, or built and run alone, without wait states:

* Cortex-M4, also taken for other cores with DSP instructions. A tile of two pixels and four
  channels takes 1.15 cycles a MAC (16 MACs: 8 dual multiplications, 4 loads, 4 sign extensions);
  requantizing and storing an output takes 12.5. A convolution gathers its windows first: 1.5 cycles
  an element. Depthwise: 1.8 a MAC and 12 an output. Fully connected: 1.7 a MAC, because each weight
  is used once, and 12.5 an output. Adding takes 20 an element, pooling a quarter of what CMSIS-NN
  takes: 2.4 an element of the input.
* Cortex-M0+, also taken for other cores without. Two channels' weights in a word, so that one
  multiplication makes two products: 2.6 cycles a MAC and 45 an output. Never built by those who
  estimated it.

Nothing is proved: a kernel with a better idea is below its floor, and the gap is negative.
Operators that are not named have no floor.
"""

from __future__ import annotations

from math import prod

from tinysim.compiler.graph import Node

M4_MAC, M4_OUTPUT, M4_GATHERED = 1.15, 12.5, 1.5
M4_DEPTHWISE_MAC, M4_DEPTHWISE_OUTPUT = 1.8, 12.0
M4_CONNECTED_MAC = 1.7
M4_ADDED, M4_POOLED = 20.0, 2.4
M0_MAC, M0_OUTPUT = 2.6, 45.0

_POOLS = ("AVERAGE_POOL_2D", "MAX_POOL_2D", "MEAN")
_PRODUCTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def floor_cycles(node: Node, has_dsp: bool) -> float | None:
    """Return the estimate for a node, or None if there is none for its operator."""
    macs, outputs = node.op.macs(node.inputs, node.outputs), node.outputs[0].elements
    if not has_dsp:
        return M0_MAC * macs + M0_OUTPUT * outputs if node.op.tflite in _PRODUCTS else None
    if node.op.tflite == "CONV_2D":
        return M4_MAC * macs + M4_OUTPUT * outputs + M4_GATHERED * _gathered(node)
    if node.op.tflite == "DEPTHWISE_CONV_2D":
        return M4_DEPTHWISE_MAC * macs + M4_DEPTHWISE_OUTPUT * outputs
    if node.op.tflite == "FULLY_CONNECTED":
        return M4_CONNECTED_MAC * macs + M4_OUTPUT * outputs
    if node.op.tflite == "ADD":
        return M4_ADDED * outputs
    if node.op.tflite in _POOLS:
        return M4_POOLED * sum(tensor.elements for tensor in node.activations)
    return None


def _gathered(node: Node) -> int:
    """Return how many elements of windows a convolution gathers; none if they lie in a row."""
    out, filter_ = node.outputs[0], node.inputs[1]
    assert filter_ is not None
    if filter_.shape[1:3] == (1, 1):
        return 0
    return out.elements // out.shape[3] * prod(filter_.shape[1:])
