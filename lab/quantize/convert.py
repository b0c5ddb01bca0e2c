"""A Keras model becomes a ``.tflite`` file, in one of several number formats.

The TFLite converter does the work: it folds batch normalization into the weights before it
quantizes, and finds ranges of activations by running the calibration samples through the floats.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tinysim.errors import RecipeError
from tinysim.lab.data import scaled

if TYPE_CHECKING:
    import keras

#: How numbers are stored and computed with.
#:
#: ``float32``: as trained. ``float16``: weights stored in half precision, computed with in floats.
#: ``dynamic``: int8 weights, activations quantized while it runs. ``weight_only``: int8 weights,
#: computed with in floats. ``int8``: integers everywhere, a scale for each channel of the weights.
#: ``int8_per_tensor``: one scale for a layer's weights. ``int16x8``: activations of 16 bits.
#: ``uint8``: affine with a zero point for the weights, too (see ``affine``).
#:
#: tinysim computes ``float16``, ``dynamic`` and ``weight_only`` with float32 weights: the file is
#: smaller, flash on the device is not.
Scheme = Literal[
    "float32", "float16", "dynamic", "weight_only", "int8", "int8_per_tensor", "int16x8", "uint8"
]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
#: Schemes that compute with integers, and so must know the ranges of activations.
INTEGER = ("int8", "int8_per_tensor", "int16x8", "uint8")

#: TFLite's number of the type.
_FLOAT32 = 0


def calibration_samples(samples: NDArray[Any], count: int, seed: int) -> NDArray[np.float32]:
    """Return ``count`` of the samples, chosen by the seed, as models take them; all if fewer."""
    chosen = np.random.default_rng(seed).permutation(len(samples))[:count]
    return scaled(samples[np.sort(chosen)])


def convert(
    model: keras.Model, scheme: Scheme, calibration: NDArray[np.float32] | None = None
) -> bytes:
    """Return the model as a ``.tflite`` file with a batch of one.

    Parameters
    ----------
    model
        With one input. One with fake quantization (see ``qat``) has the ranges that it was trained
        with, and needs no calibration.
    scheme
        One of ``SCHEMES``. The integer ones take and give integers.
    calibration
        Samples as the model takes them, for integer schemes: activations are quantized to the
        ranges that these reach.

    Raises
    ------
    RecipeError
        If there is no such scheme, no calibration where one is needed, or the converter refuses.
    """
    from tinysim.lab.quantize.qat import deployable, is_fake_quantized

    _check(model, scheme, calibration)
    if is_fake_quantized(model):
        _check_ranges(model, scheme)
        model, calibration = deployable(model), None
    if scheme == "weight_only":
        return _weight_only(convert(model, "float32"))
    if scheme == "uint8":
        from tinysim.lab.quantize.affine import as_uint8

        return as_uint8(convert(model, "int8_per_tensor", calibration), convert(model, "float32"))
    try:
        with _quiet():
            content: bytes = _converter(model, scheme, calibration).convert()
    except Exception as error:  # the converter raises whatever its parts raise
        raise RecipeError(
            f"the converter refuses: {str(error).splitlines()[0] if str(error) else repr(error)}",
            where=f"model {model.name!r} as {scheme}",
            fix="use layers that TFLite has, or another scheme",
        ) from error
    if scheme in INTEGER and (floats := _float_results(content)):
        raise RecipeError(
            f"{len(floats)} results stay floats, the first is {floats[0]!r}",
            where=f"model {model.name!r} as {scheme}",
            fix="take built-in layers that TFLite has one operator for",
        )
    return content


def _check(model: keras.Model, scheme: str, calibration: NDArray[np.float32] | None) -> None:
    from tinysim.lab.quantize.qat import is_fake_quantized

    where = f"model {model.name!r} as {scheme}"
    if scheme not in SCHEMES:
        raise RecipeError("there is no such scheme", where=where, fix=f"one of {SCHEMES}")
    if len(model.inputs or ()) != 1:
        raise RecipeError(
            f"it has {len(model.inputs or ())} inputs",
            where=where,
            fix="give a model with one input",
        )
    if scheme not in INTEGER or is_fake_quantized(model):
        return
    shape = tuple(model.inputs[0].shape[1:])
    if calibration is None or not len(calibration):
        raise RecipeError(
            "ranges of activations are unknown", where=where, fix="give samples for calibration"
        )
    if calibration.shape[1:] != shape:
        raise RecipeError(
            f"samples for calibration have shape {calibration.shape[1:]}, the model takes {shape}",
            where=where,
            fix="give samples as the model takes them",
        )


def _check_ranges(model: keras.Model, scheme: str) -> None:
    from tinysim.lab.quantize.qat import is_per_channel

    wanted = "int8" if is_per_channel(model) else "int8_per_tensor"
    if scheme != wanted:
        raise RecipeError(
            "it was trained for another scheme",
            where=f"model {model.name!r} as {scheme}",
            fix=f"convert it to {wanted}",
        )


def _converter(model: keras.Model, scheme: str, calibration: NDArray[np.float32] | None) -> Any:
    """Return a converter of the model's inference with its weights as constants."""
    import tensorflow as tf

    shape = (1, *model.inputs[0].shape[1:])
    signature = [tf.TensorSpec(shape, tf.float32, name="input")]
    inference = tf.function(lambda x: model(x, training=False), input_signature=signature)
    # Without the model itself the converter freezes variables, else they stay in the file.
    converter = tf.lite.TFLiteConverter.from_concrete_functions([inference.get_concrete_function()])
    if scheme == "float32":
        return converter
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if scheme == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if scheme in INTEGER:
        dtype = tf.int16 if scheme == "int16x8" else tf.int8
        converter.inference_input_type = converter.inference_output_type = dtype
        # No public option says so.
        converter._experimental_disable_per_channel = scheme == "int8_per_tensor"
    if calibration is not None and scheme in INTEGER:
        sets, samples = tf.lite.OpsSet, calibration
        converter.representative_dataset = lambda: ([sample[None]] for sample in samples)
        converter.target_spec.supported_ops = [
            sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
            if scheme == "int16x8"
            else sets.TFLITE_BUILTINS_INT8
        ]
    return converter


def _float_results(content: bytes) -> tuple[str, ...]:
    """Return the names of what is computed in floats."""
    from tensorflow.lite.tools import flatbuffer_utils

    graph = flatbuffer_utils.convert_bytearray_to_object(content).subgraphs[0]
    results = (graph.tensors[index] for node in graph.operators for index in node.outputs)
    return tuple(tensor.name.decode() for tensor in results if tensor.type == _FLOAT32)


def _weight_only(content: bytes) -> bytes:
    """Return a float model with int8 weights, which are made floats again before use."""
    from ai_edge_quantizer import quantizer, recipe

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(content)
        with redirect_stdout(StringIO()):
            made = quantizer.Quantizer(str(path), recipe.weight_only_wi8_afp32()).quantize()
    return bytes(made.quantized_model)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the converter's warnings, and what its native parts say, from the user's terminal."""
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
