"""Layers that compute with floats what integers can hold: fake quantization.

tensorflow-model-optimization has such layers for Keras 2 alone, so these are written by hand, with
TensorFlow's own operators for the rounding. Files that hold them load wherever this is imported.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers

#: The narrowest range: one of no width has no scale.
_LEAST_WIDTH = 1e-5
_LEAST_WEIGHT = 1e-8
#: How much of the range before stays when a batch is observed.
_MOMENTUM = 0.99

_serializable = keras.saving.register_keras_serializable("tinysim")


@_serializable
class Range(layers.Layer):  # type: ignore[misc, unused-ignore]
    """What passes lies on 256 levels from ``minimum`` to ``maximum``, one of which is 0.

    The range follows what training shows, as a moving average, or is learned as weights are.
    """

    def __init__(self, learned: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.learned = learned

    def build(self, shape: Any) -> None:
        """Make the ends of the range."""
        options = {"shape": (), "trainable": self.learned}
        self.minimum = self.add_weight(
            name="minimum", initializer="zeros", constraint=_NotAbove(0.0), **options
        )
        self.maximum = self.add_weight(
            name="maximum", initializer="ones", constraint=_NotBelow(_LEAST_WIDTH), **options
        )

    def compute_output_spec(self, x: Any, training: bool | None = None) -> Any:
        """Return what of the input stays: its shape; Keras takes some products for sparse."""
        return keras.KerasTensor(x.shape, x.dtype)

    def set_range(self, least: float, most: float) -> None:
        """Set the range; it always holds 0."""
        self.minimum.assign(min(least, 0.0))
        self.maximum.assign(max(most, _LEAST_WIDTH))

    def call(self, x: Any, training: bool | None = None) -> Any:
        """Round to the levels."""
        if training and not self.learned:
            self._observe(x)
        return tf.quantization.fake_quant_with_min_max_vars(x, self.minimum, self.maximum)

    def _observe(self, x: Any) -> None:
        x = tf.stop_gradient(x)
        least = tf.minimum(tf.reduce_min(x), 0.0)
        most = tf.maximum(tf.reduce_max(x), _LEAST_WIDTH)
        self.minimum.assign(_MOMENTUM * self.minimum + (1 - _MOMENTUM) * least)
        self.maximum.assign(_MOMENTUM * self.maximum + (1 - _MOMENTUM) * most)

    def get_config(self) -> dict[str, Any]:
        """Return what makes the same layer again."""
        return {**super().get_config(), "learned": self.learned}


class _NotAbove(keras.constraints.Constraint):  # type: ignore[misc, unused-ignore]
    """Keep a learned end of a range at a limit or below it."""

    def __init__(self, limit: float) -> None:
        self.limit = limit

    def __call__(self, value: Any) -> Any:
        return keras.ops.minimum(value, self.limit)


class _NotBelow(_NotAbove):
    """Keep a learned end of a range at a limit or above it."""

    def __call__(self, value: Any) -> Any:
        return keras.ops.maximum(value, self.limit)


def rounded(kernel: Any, per_channel: bool) -> Any:
    """Return weights on the 255 levels that lie symmetrically around 0.

    Zero stays zero. The gradient passes as if nothing had been rounded.
    """
    return (_rounded_by_channel if per_channel else _rounded_by_tensor)(kernel)


@tf.custom_gradient  # type: ignore[untyped-decorator, unused-ignore]
def _rounded_by_channel(kernel: Any) -> Any:
    flat = tf.reshape(kernel, (-1, kernel.shape[-1]))
    most = tf.maximum(tf.reduce_max(tf.abs(flat), axis=0), _LEAST_WEIGHT)
    near = tf.quantization.fake_quant_with_min_max_vars_per_channel(
        flat, -most, most, narrow_range=True
    )
    return tf.reshape(near, kernel.shape), lambda gradient: gradient


@tf.custom_gradient  # type: ignore[untyped-decorator, unused-ignore]
def _rounded_by_tensor(kernel: Any) -> Any:
    most = tf.maximum(tf.reduce_max(tf.abs(kernel)), _LEAST_WEIGHT)
    near = tf.quantization.fake_quant_with_min_max_vars(kernel, -most, most, narrow_range=True)
    return near, lambda gradient: gradient


class _Rounding:
    """What the layers with rounded weights share."""

    def __init__(self, per_channel: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.per_channel = per_channel

    def rounded_kernel(self) -> Any:
        """Return the kernel as the device has it."""
        layer: Any = self
        kernel = tf.convert_to_tensor(layer.kernel)
        if not (self.per_channel and isinstance(layer, layers.DepthwiseConv2D)):
            return rounded(kernel, self.per_channel)
        flat = tf.reshape(kernel, (*kernel.shape[:2], -1))
        return tf.reshape(rounded(flat, per_channel=True), kernel.shape)

    def get_config(self) -> dict[str, Any]:
        """Return what makes the same layer again."""
        return {**super().get_config(), "per_channel": self.per_channel}  # type: ignore[misc]


@_serializable
class RoundedConv2D(_Rounding, layers.Conv2D):  # type: ignore[misc, unused-ignore]
    """A convolution with rounded weights."""

    def convolution_op(self, x: Any, kernel: Any) -> Any:
        """Convolve with what the device has."""
        return super().convolution_op(x, self.rounded_kernel())


@_serializable
class RoundedDepthwiseConv2D(_Rounding, layers.DepthwiseConv2D):  # type: ignore[misc, unused-ignore]
    """A convolution of each channel for itself, with rounded weights."""

    def call(self, x: Any) -> Any:
        """Convolve with what the device has."""
        sums = keras.ops.depthwise_conv(
            x,
            self.rounded_kernel(),
            strides=self.strides,
            padding=self.padding,
            dilation_rate=self.dilation_rate,
        )
        return sums + self.bias


@_serializable
class RoundedDense(_Rounding, layers.Dense):  # type: ignore[misc, unused-ignore]
    """A dense layer with rounded weights."""

    def call(self, x: Any) -> Any:
        """Multiply by what the device has."""
        return keras.ops.matmul(x, self.rounded_kernel()) + self.bias
