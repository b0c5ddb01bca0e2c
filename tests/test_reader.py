"""Hostile and damaged model files: a graph or a ModelError, and nothing else."""

from __future__ import annotations

import os
import random
import resource
import struct
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tflite_models as models
from tests.conftest import DEMO_MODEL
from tests.tflite_models import OperatorSpec, TensorSpec, build_model
from tinysim.compiler.emit import emit_c
from tinysim.compiler.graph import Graph
from tinysim.compiler.memory import plan_memory
from tinysim.compiler.passes import run_passes
from tinysim.compiler.readers import read_model
from tinysim.errors import ModelError

#: How many mutated files the seeded loop reads.
MUTATIONS = int(os.environ.get("TINYSIM_FUZZ_MUTATIONS", "2000"))

READ_LIMIT_S = 2.0
MEMORY_LIMIT_BYTES = 256 * 2**20


# --- sound models to start from -------------------------------------------------------------------


def conv_parts() -> list[TensorSpec]:
    """Input, filter, bias and output of a convolution."""
    return [
        models.int8((1, 4, 4, 2), 0.5, 3, name="input"),
        models.constant(np.arange(24, dtype="int8").reshape(3, 2, 2, 2), (0.5, 0.25, 0.125)),
        models.constant(np.arange(3, dtype="int32"), (0.25, 0.125, 0.0625)),
        models.int8((1, 3, 3, 3), 2.0, -5, name="output"),
    ]


CONV_OPTIONS = {
    "Padding": "VALID",
    "StrideH": 1,
    "StrideW": 1,
    "DilationHFactor": 1,
    "DilationWFactor": 1,
    "FusedActivationFunction": "NONE",
}


def conv_model(
    *changed: tuple[int, TensorSpec],
    inputs: tuple[int, ...] = (0, 1, 2),
    outputs: tuple[int, ...] = (3,),
    subgraphs: int = 1,
    **options: int | str,
) -> bytes:
    """Return a convolution with some tensors or options changed."""
    tensors = conv_parts()
    for index, tensor in changed:
        tensors[index] = tensor
    operator = OperatorSpec("CONV_2D", inputs, outputs, CONV_OPTIONS | options)
    return build_model(tensors, [operator], [0], [3], subgraphs)


def chain_model() -> bytes:
    """Return a convolution, a view of it, a product and a softmax."""
    tensors = [
        *conv_parts(),
        constant := models.constant(np.array([1, 27], "int32")),
        replace(conv_parts()[3], shape=(1, 27)),
        models.constant(np.ones((5, 27), "int8"), (0.5,)),
        models.int8((1, 5), 0.25, 0),
        models.int8((1, 5), 1 / 256, -128),
    ]
    assert tensors[4] is constant
    operators = [
        OperatorSpec("CONV_2D", (0, 1, 2), (3,), CONV_OPTIONS),
        OperatorSpec("RESHAPE", (3, 4), (5,), {}),
        OperatorSpec("FULLY_CONNECTED", (5, 6, -1), (7,), {}),
        OperatorSpec("SOFTMAX", (7,), (8,), {"Beta": 1.0}),
    ]
    return build_model(tensors, operators, [0], [8])


def depthwise_model() -> bytes:
    x, _, _, out = conv_parts()
    filter_ = models.constant(np.ones((1, 2, 2, 4), "int8"), (0.5, 0.25, 0.5, 0.25), axis=3)
    return models.depthwise_conv_2d(x, filter_, None, out, activation="RELU6")


def sound_models() -> dict[str, bytes]:
    """Return a model of every operator, and whole networks."""
    x = models.int8((1, 4, 4, 2), 0.5, 3)
    return {
        "conv_2d": conv_model(),
        "depthwise_conv_2d": depthwise_model(),
        "fully_connected": models.fully_connected(
            models.int8((2, 6)), models.constant(np.ones((3, 6), "int8"), (0.5,)), None, x
        ),
        "average_pool_2d": models.pool_2d("AVERAGE_POOL_2D", x, window=(2, 2), padding="SAME"),
        "max_pool_2d": models.pool_2d("MAX_POOL_2D", x, window=(2, 2), stride=(2, 2)),
        "add": models.add(x, models.int8(x.shape, 0.25), x, activation="RELU"),
        "pad": models.pad(x, [(0, 0), (1, 2), (2, 1), (0, 0)]),
        "mean": models.mean(x, [1, 2], x),
        "softmax": models.softmax(models.int8((2, 7))),
        "log_softmax": models.log_softmax((2, 7)),
        "quantize": models.quantize(models.float32(x.shape), x),
        "requantize": models.quantize(x, models.int8(x.shape, 0.125)),
        "dequantize": models.dequantize(x),
        "chain": chain_model(),
        "demo": DEMO_MODEL.read_bytes(),
    }


SOUND = sound_models()


def read(blob: bytes, folder: Path, name: str = "model.tflite") -> Graph:
    path = folder / name
    path.write_bytes(blob)
    return read_model(path)


def compile_to_c(blob: bytes, folder: Path) -> dict[str, str]:
    """Take a file through everything before the C compiler."""
    graph = read(blob, folder)
    assert isinstance(graph, Graph)
    graph = run_passes(graph)
    calls = tuple(node.op.lower(node.inputs, node.outputs) for node in graph.nodes)
    plan = plan_memory(graph, calls)
    return emit_c(graph, plan, calls)


def refused(blob: bytes, folder: Path) -> ModelError:
    """Return the error that a file is refused with; it must have the form that all errors have."""
    with pytest.raises(ModelError) as caught:
        read(blob, folder)
    error = caught.value
    assert error.where == "model.tflite"
    assert str(error) == f"model.tflite: {error.what}; {error.fix}"
    assert error.what and error.fix and str(error).isprintable()
    return error


@pytest.mark.parametrize("name", SOUND)
def test_sound_model_compiles_to_c(name: str, tmp_path: Path) -> None:
    assert "model.c" in compile_to_c(SOUND[name], tmp_path)


# --- (a) mutations --------------------------------------------------------------------------------

#: Words that are extreme as a length, an offset, an index, a dimension or a float.
WORDS = [
    *(struct.pack("<i", n) for n in (0, 1, -1, -2, 2, 3, 7, 255, 65_536, 2**31 - 1, -(2**31))),
    *(struct.pack("<f", x) for x in (1.0, -1.0, 1e-45, 1e-38, 3e38, float("nan"), float("inf"))),
]


def flip(blob: bytearray, at: int, source: random.Random) -> None:
    if blob:
        blob[at % len(blob)] ^= source.choice([1, 2, 4, 128, 255])


def truncate(blob: bytearray, at: int, source: random.Random) -> None:
    del blob[at:]


def cut_out(blob: bytearray, at: int, source: random.Random) -> None:
    del blob[at : at + source.choice([1, 2, 4, 16])]


def insert_garbage(blob: bytearray, at: int, source: random.Random) -> None:
    blob[at:at] = source.randbytes(source.choice([1, 2, 4, 64]))


def write_extreme(blob: bytearray, at: int, source: random.Random) -> None:
    start = at // 4 * 4
    blob[start : start + 4] = source.choice(WORDS)


def copy_word(blob: bytearray, at: int, source: random.Random) -> None:
    start, other = at // 4 * 4, source.randrange(len(blob) + 1) // 4 * 4
    blob[start : start + 4] = blob[other : other + 4]


#: The gentle ones stand there more often: damage that the reader survives reaches deeper code.
MUTATORS: list[Callable[[bytearray, int, random.Random], None]] = [
    flip, flip, flip, write_extreme, write_extreme, write_extreme, copy_word, copy_word,
    truncate, cut_out, insert_garbage,
]  # fmt: skip


def mutated(blob: bytes, source: random.Random) -> bytes:
    changed = bytearray(blob)
    for _ in range(source.choice([1, 1, 1, 2, 4])):
        source.choice(MUTATORS)(changed, source.randrange(len(changed) + 1), source)
    return bytes(changed)


def outcome(blob: bytes, folder: Path) -> str:
    """Tell whether a file is taken or refused; anything else is an error of ours."""
    start = time.perf_counter()
    try:
        compile_to_c(blob, folder)
    except ModelError:
        return "refused"
    finally:
        assert time.perf_counter() - start < READ_LIMIT_S
    return "taken"


def peak_bytes() -> int:
    """Return the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_mutated_file_is_taken_or_refused(tmp_path: Path) -> None:
    names = sorted(SOUND)
    before = peak_bytes()
    outcomes = []
    for seed in range(MUTATIONS):
        source = random.Random(seed)
        name = source.choice(names)
        try:
            outcomes.append(outcome(mutated(SOUND[name], source), tmp_path))
        except Exception as error:
            raise AssertionError(f"mutation {seed}, of {name}: {error!r}") from error
    assert peak_bytes() - before < MEMORY_LIMIT_BYTES
    assert set(outcomes) == {"taken", "refused"}


@settings(deadline=None, max_examples=300)
@given(name=st.sampled_from(sorted(SOUND)), source=st.randoms(use_true_random=False))
def test_file_mutated_by_hypothesis_is_taken_or_refused(
    tmp_path_factory: pytest.TempPathFactory, name: str, source: random.Random
) -> None:
    folder = tmp_path_factory.getbasetemp()
    assert outcome(mutated(SOUND[name], source), folder) in ("taken", "refused")


@given(blob=st.binary(max_size=400))
def test_garbage_behind_a_true_mark_is_refused(
    tmp_path_factory: pytest.TempPathFactory, blob: bytes
) -> None:
    marked = blob[:4].ljust(4, b"\0") + b"TFL3" + blob[4:]
    assert outcome(marked, tmp_path_factory.getbasetemp()) == "refused"


@pytest.mark.parametrize("length", [0, 1, 4, 7, 8, 12, 100, 500])
def test_file_that_is_cut_off_is_refused(length: int, tmp_path: Path) -> None:
    refused(conv_model()[:length], tmp_path)


# --- a small file that asks for a lot -------------------------------------------------------------


def repeated(tensor: TensorSpec, times: int) -> bytes:
    """Return a model that lists one more tensor many times: each time costs it 4 bytes."""
    operator = OperatorSpec("CONV_2D", (0, 1, 2), (3,), CONV_OPTIONS)
    return build_model([*conv_parts(), *[tensor] * times], [operator], [0], [3])


def listing_inputs(count: int, times: int) -> bytes:
    operator = OperatorSpec("CONV_2D", (0, 1, 2) + (1,) * count, (3,), CONV_OPTIONS)
    return build_model(conv_parts(), [operator] * times, [0], [3])


MULTIPLIED = {
    "shape": lambda: repeated(TensorSpec((1,) * 20_000), 2_000),
    "large_shape": lambda: repeated(TensorSpec((2**31 - 1,) * 20_000), 2_000),
    "name": lambda: repeated(TensorSpec((1,), name="n" * 20_000), 2_000),
    "scales": lambda: repeated(models.int8((1,), 1.0) and many_scales(20_000), 2_000),
    "data": lambda: repeated(models.constant(np.ones(200_000, "int8")), 2_000),
    "inputs": lambda: listing_inputs(20_000, 2_000),
}


def many_scales(count: int) -> TensorSpec:
    return TensorSpec((count,), "int8", (1.0,) * count, (0,) * count)


@pytest.mark.parametrize("what", MULTIPLIED)
def test_small_file_that_repeats_itself_costs_little(what: str, tmp_path: Path) -> None:
    blob = MULTIPLIED[what]()
    assert len(blob) < 300_000
    tracemalloc.start()
    start = time.perf_counter()
    try:
        read(blob, tmp_path)
    except ModelError as error:
        assert len(str(error)) < 10_000
    finally:
        seconds = time.perf_counter() - start
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert seconds < 5 * READ_LIMIT_S  # tracing slows everything down
    assert peak < MEMORY_LIMIT_BYTES
