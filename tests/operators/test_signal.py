"""The audio front end of TFLM, operator by operator, and its models' own numbers in a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.operators.harness import Case, assert_all_agree, assert_equal, native, reference
from tests.tflite_models import Array, OperatorSpec, TensorSpec
from tinysim.compiler.readers import tflite
from tinysim.errors import ModelError

examples = settings(deadline=None, max_examples=25)
seeds = st.integers(0, 2**32 - 1)
STEPS = 3


def tensor(shape: Sequence[int], dtype: str) -> TensorSpec:
    return TensorSpec(tuple(shape), dtype)


def custom(
    name: str,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    options: Mapping[str, Any],
) -> bytes:
    """Return a model of one custom operator."""
    tensors = [*inputs, *outputs]
    fed = [i for i, spec in enumerate(inputs) if spec.data is None]
    given = [*range(len(inputs), len(tensors))]
    operator = OperatorSpec(f"CUSTOM:{name}", [*range(len(inputs))], given, options)
    return models.build_model(tensors, [operator], fed, given)


def audio(rng: np.random.Generator, shape: Sequence[int]) -> Array:
    """Samples of any loudness; -32767 is the least, see ``test_least_sample``."""
    loud = rng.integers(-32767, 32767, shape, np.int16, endpoint=True)
    shifted: Array = np.right_shift(loud, np.int16(rng.integers(0, 16)), dtype=np.int16)
    return shifted


def wide(rng: np.random.Generator, shape: Sequence[int], dtype: str) -> Array:
    """Unsigned numbers of all magnitudes."""
    bits = np.iinfo(dtype).bits
    whole = rng.integers(0, 2**bits, shape, dtype, endpoint=False)
    shifted: Array = (whole >> rng.integers(0, bits, shape).astype(dtype)).astype(dtype)
    return shifted


@examples
@given(st.integers(1, 3), st.integers(1, 40), st.integers(0, 15), seeds)
def test_window(rows: int, size: int, shift: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = tensor((rows, size), "int16")
    window = models.constant(rng.integers(-32768, 32768, size).astype(np.int16))
    model = custom("SignalWindow", [x, window], [x], {"shift": shift})
    assert_all_agree(Case(model, ((audio(rng, x.shape),),)))


@examples
@given(st.integers(1, 60), seeds)
def test_auto_scale(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = tensor((size,), "int16")
    model = custom("SignalFftAutoScale", [x], [x, tensor((), "int32")], {})
    silence = np.zeros(size, np.int16)
    assert_all_agree(Case(model, ((audio(rng, (size,)),), (silence,))))


def test_least_sample() -> None:
    x = tensor((3,), "int16")
    model = custom("SignalFftAutoScale", [x], [x, tensor((), "int32")], {})
    steps = ([-32768, 5, -3], [7, 1, -32768], [-32768, -32768, 0])
    assert_all_agree(Case(model, tuple((np.array(step, np.int16),) for step in steps)))


@examples
@given(st.integers(2, 11), st.data())
def test_rfft(power: int, data: st.DataObject) -> None:
    length = 2**power
    rng = np.random.default_rng(data.draw(seeds))
    size = data.draw(st.integers(1, length))
    x = tensor((data.draw(st.integers(1, 2)), size), "int16")
    out = tensor((x.shape[0], length + 2), "int16")
    model = custom("SignalRfft", [x], [out], {"T": 7, "fft_length": length})
    loud = rng.choice(np.array([-32768, 32767], np.int16), x.shape)
    assert_all_agree(Case(model, ((audio(rng, x.shape),), (loud,))))


@examples
@given(st.integers(1, 40), seeds)
def test_energy(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = custom(
        "SignalEnergy",
        [tensor((2 * size,), "int16")],
        [tensor((size,), "uint32")],
        {"start_index": 0, "end_index": size},
    )
    assert_all_agree(Case(model, ((audio(rng, (2 * size,)),),)))


def test_energy_outside_the_range_is_0() -> None:
    """TFLM leaves what was there."""
    model = custom(
        "SignalEnergy",
        [tensor((8,), "int16")],
        [tensor((4,), "uint32")],
        {"start_index": 1, "end_index": 3},
    )
    graph = tflite.read(model, "x", "0" * 64, "x.tflite")
    steps = ((np.full(8, -32768, np.int16),),)
    expected = [[np.array([0, 2**31, 2**31, 0], np.uint32)]]
    assert_equal(reference(graph, steps), expected, 0, "reference")
    assert_equal(native(graph, steps), expected, 0, "C")


@examples
@given(st.integers(1, 6), seeds)
def test_filter_bank(channels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    widths = rng.integers(0, 6, channels + 1)
    starts = rng.integers(0, 10, channels + 1)
    weight_starts = np.cumsum(widths) - widths
    weights = rng.integers(-4096, 32767, (2, max(1, widths.sum())))
    tables = (*weights, starts, weight_starts, widths)
    x = tensor((16,), "uint32")
    model = custom(
        "SignalFilterBank",
        [x, *(models.constant(table.astype(np.int16)) for table in tables)],
        [tensor((channels,), "uint64")],
        {"num_channels": channels},
    )
    assert_all_agree(Case(model, ((wide(rng, (16,), "uint32"),),)))


@examples
@given(st.integers(1, 20), st.integers(0, 31), seeds)
def test_square_root(size: int, bits: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = custom(
        "SignalFilterBankSquareRoot",
        [tensor((size,), "uint64"), tensor((), "int32")],
        [tensor((size,), "uint32")],
        {},
    )
    ends = rng.choice(np.array([0, 1, 2, 3, 2**32 - 1, 2**32, 2**64 - 1], np.uint64), size)
    scale = np.array(bits, np.int32)
    assert_all_agree(Case(model, ((wide(rng, (size,), "uint64"), scale), (ends, scale))))


@examples
@given(st.integers(1, 9), st.booleans(), st.integers(0, 12), st.integers(10, 16), seeds)
def test_spectral_subtraction(
    size: int, is_clamped: bool, bits: int, fraction: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    one = 2**fraction
    even, odd, least = (int(rng.integers(0, min(one, 32767))) for _ in range(3))
    options = {
        "smoothing": even,
        "one_minus_smoothing": min(one - even, 65535),
        "alternate_smoothing": odd,
        "alternate_one_minus_smoothing": min(one - odd, 65535),
        "min_signal_remaining": least,
        "smoothing_bits": bits,
        "spectral_subtraction_bits": fraction,
        "num_channels": size,
        "clamping": is_clamped,
    }
    x = tensor((size,), "uint32")
    model = custom("SignalFilterBankSpectralSubtraction", [x], [x, x], options)
    steps = tuple((wide(rng, (size,), "uint32"),) for _ in range(STEPS))
    assert_all_agree(Case(model, steps))


@examples
@given(st.integers(1, 20), st.integers(0, 31), seeds)
def test_pcan(size: int, shift: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = tensor((size,), "uint32")
    table = models.constant(rng.integers(-32768, 32768, 125).astype(np.int16))
    model = custom("SignalPCAN", [x, x, table], [x], {"snr_shift": shift})
    steps = (wide(rng, (size,), "uint32"), wide(rng, (size,), "uint32"))
    assert_all_agree(Case(model, (steps,)))


@examples
@given(st.integers(1, 40), st.integers(0, 16), st.integers(1, 32767), seeds)
def test_log(size: int, bits: int, scale: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    options = {"output_scale": scale, "input_correction_bits": bits}
    inputs, outputs = [tensor((size,), "uint32")], [tensor((size,), "int16")]
    model = custom("SignalFilterBankLog", inputs, outputs, options)
    assert_all_agree(Case(model, ((wide(rng, (size,), "uint32"),),)))


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({}, "length -1"),
        ({"fft_length": 12}, "length 12"),
        ({"fft_length": 2**40}, "no power of two from 4"),
        ({"fft_length": "long"}, "length -1"),
        ({"fft_length": 4}, "longer than 4"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: Mapping[str, Any], what: str) -> None:
    model = custom("SignalRfft", [tensor((6,), "int16")], [tensor((10,), "int16")], options)
    with pytest.raises(ModelError, match=what):
        tflite.read(model, "x", "0" * 64, "x.tflite")


def test_damaged_options_are_refused_or_read() -> None:
    x = tensor((4,), "int16")
    window = models.constant(np.ones(4, np.int16))
    model = custom("SignalWindow", [x, window], [x], {"shift": 12})
    at = model.index(b"shift")
    rng = np.random.default_rng(5)
    for _ in range(500):
        damaged = bytearray(model)
        damaged[at + rng.integers(0, 24)] = rng.integers(0, 256)
        try:
            tflite.read(bytes(damaged), "x", "0" * 64, "x.tflite")
        except ModelError:
            continue
