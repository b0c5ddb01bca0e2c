"""What a model takes samples for: Keras models in batches, ``.tflite`` files one by one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinysim.compiler.graph import Tensor
from tinysim.compiler.readers import read_model
from tinysim.compiler.reference import Reference
from tinysim.lab.data import Dataset, scaled

_BATCH = 256


def evaluate(model: Any, dataset: Dataset) -> NDArray[np.int64]:
    """Return the class that a model takes each test sample for.

    Parameters
    ----------
    model
        A Keras model, or the path of a ``.tflite``. That one is computed by TFLite's interpreter,
        a hundred times as fast as the bit-exact reference: see ``count_differences``.
    """
    if isinstance(model, Path):
        infer = _interpreter(model)
        return np.array([infer(sample).argmax() for sample in scaled(dataset.x_test)], np.int64)
    parts = range(0, len(dataset.x_test), _BATCH)
    found = [
        np.asarray(model(scaled(dataset.x_test[at : at + _BATCH]), training=False)).argmax(-1)
        for at in parts
    ]
    return np.concatenate(found).astype(np.int64)


def count_differences(path: Path, dataset: Dataset) -> tuple[int, int]:
    """Return how many outputs, and how many classes, the device and TFLite disagree on.

    The device is the reference that firmware is checked against, bit by bit. It takes some
    hundredths of a second for a small network: give few samples.
    """
    graph = read_model(path)
    (entry,), reference, infer = graph.inputs, Reference(graph), _interpreter(path)
    outputs = classes = 0
    for sample in scaled(dataset.x_test):
        (expected,) = reference.infer((_quantized(sample, entry)[None],))
        found = infer(sample)
        outputs += int(np.count_nonzero(expected.ravel() != found))
        classes += int(expected.argmax() != found.argmax())
    return outputs, classes


def _interpreter(path: Path) -> Callable[[NDArray[np.float32]], NDArray[Any]]:
    """Return what computes a file's output for one sample."""
    import warnings

    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is told that it will move to another package
        interpreter = tf.lite.Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    (entry,) = read_model(path).inputs
    given = interpreter.get_input_details()[0]["index"]
    taken = interpreter.get_output_details()[0]["index"]

    def infer(sample: NDArray[np.float32]) -> NDArray[Any]:
        interpreter.set_tensor(given, _quantized(sample, entry)[None])
        interpreter.invoke()
        found: NDArray[Any] = interpreter.get_tensor(taken)[0]
        return found

    return infer


def _quantized(sample: NDArray[np.float32], entry: Tensor) -> NDArray[Any]:
    """Return a sample as the model's input has it."""
    dtype = np.dtype(entry.dtype.value)
    if entry.quant is None:
        return sample.astype(dtype)
    limits = np.iinfo(dtype)
    steps = np.rint(sample / np.float32(entry.scale)) + entry.zero_point
    quantized: NDArray[Any] = steps.clip(limits.min, limits.max).astype(dtype)
    return quantized
