"""What layers in block floating point may compute: double precision, and how far off they are."""

from __future__ import annotations

import numpy as np

from tests.operators.harness import Case
from tests.operators.on_board import portable_call, read
from tests.tflite_models import Array
from tinysim.compiler.ops import KernelCall
from tinysim.compiler.variants._block import LENGTH


def windows_of(call: KernelCall, x: Array) -> Array:
    """Return what filters see, ``[pixels, K]``, zeros where the padding lies."""
    p = {key: int(value) for key, value in call.params.items() if "activation" not in key}
    if call.kernel == "fully_connected_f32":
        return x.reshape(p["batches"], p["in_features"]).astype(np.float64)
    found = []
    for n, y, column in np.ndindex(p["batches"], p["output_h"], p["output_w"]):
        window = np.zeros((p["filter_h"], p["filter_w"], p["input_c"]))
        for i, j in np.ndindex(p["filter_h"], p["filter_w"]):
            row = y * p["stride_h"] - p["pad_top"] + i * p["dilation_h"]
            place = column * p["stride_w"] - p["pad_left"] + j * p["dilation_w"]
            if 0 <= row < p["input_h"] and 0 <= place < p["input_w"]:
                window[i, j] = x[n, row, place]
        found.append(window.ravel())
    return np.array(found)


def exact(call: KernelCall, x: Array, *, is_whole: bool = False) -> tuple[Array, Array]:
    """Return outputs in double precision, and how far off blocks may be: ``[pixels, O]``.

    Those whose inputs have one exponent, if ``is_whole``.
    """
    windows = windows_of(call, x)
    filter_, bias = (array.astype(np.float64) for array in call.constants)
    rows = filter_.reshape(len(bias), -1)
    with np.errstate(invalid="ignore", over="ignore"):
        sums = windows @ rows.T + bias
        off = 2.0**-23 * (np.abs(bias) + np.abs(sums))
        for start in range(0, rows.shape[1], LENGTH):
            part = slice(start, start + LENGTH)
            largest = np.abs(windows[:, part]).max(axis=1), np.abs(rows[:, part]).max(axis=1)
            if is_whole:
                largest = np.full(len(windows), np.abs(x).max()), np.abs(rows).max(axis=1)
            length = rows[:, part].shape[1]
            off += 3 * length * 2.0**-24 * np.outer(*largest) + 2.0**-125
        limits = float(call.params["activation_min"]), float(call.params["activation_max"])
        return np.clip(sums, *limits), off


def assert_near(case: Case, found: list[list[Array]], *, is_whole: bool = False) -> None:
    """Compare finite outputs with those in double precision."""
    call = portable_call(read(case.model))
    assert len(found) == len(case.steps)
    for inputs, outputs in zip(case.steps, found, strict=True):
        expected, off = exact(call, inputs[0], is_whole=is_whole)
        ours = outputs[0].reshape(expected.shape)
        is_finite = np.isfinite(off) & (np.abs(expected) < 3e38)
        apart = np.abs(np.where(is_finite, ours, 0).astype(np.float64) - expected)
        assert (apart[is_finite] <= off[is_finite]).all()
