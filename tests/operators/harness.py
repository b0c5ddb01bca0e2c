"""One operator as a model, computed three ways: by TFLM, by our reference, by our C on the host.

The C runs natively under the undefined-behavior sanitizer, every buffer in a frame of bytes that
nobody may touch. A test of an operator draws cases and calls ``assert_all_agree``.
"""

from __future__ import annotations

import ctypes
import importlib.util
import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tflite_models import Array
from tinysim.compiler.graph import Graph, Tensor
from tinysim.compiler.memory import directed, plan_memory
from tinysim.compiler.ops import CHANNEL, SCRATCH_ID, KernelCall
from tinysim.compiler.passes import run_passes
from tinysim.compiler.readers import read_model
from tinysim.compiler.reference import Reference
from tinysim.compiler.variants import candidates
from tinysim.kernels import header_names, read_kernel
from tinysim.simulator.cores import load_core

#: Any core: of its candidates only those in portable C are asked for.
TARGET = load_core("cortex_m0plus").target
ARENA_BYTES = 512 * 1024
FRAME_BYTES = 64
FRAME_VALUE = 0xA5
FLAGS = ["-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-O1"]
FLAGS += ["-fsanitize=undefined", "-fno-sanitize-recover=all", "-shared", "-fPIC", "-lm"]
#: A plan aligns to words, which is enough for double words, too: cores load these from any word.
DOUBLE_WORDS = "#include <stdint.h>\n" + "".join(
    f"typedef {name} word_aligned_{name} __attribute__((aligned(4)));\n"
    f"#define {name} word_aligned_{name}\n"
    for name in ("int64_t", "uint64_t")
)


@dataclass(frozen=True, eq=False)
class Case:
    """A model and values for its inputs, one tuple for each inference in a row."""

    model: bytes = field(repr=False)
    steps: tuple[tuple[Array, ...], ...]


def assert_all_agree(case: Case, *, ulp: float = 0.0) -> None:
    """Compare all outputs of all inferences; floats within ``ulp`` of the largest magnitude."""
    graph = _read(case.model)
    by_reference = reference(graph, case.steps)
    if importlib.util.find_spec("tflite_micro") is None:
        pytest.skip("tflite_micro is not installed: there is no oracle to compare with")
    assert_equal(by_reference, oracle(case), ulp, "our reference, TFLM")
    if shutil.which("gcc") is None:
        pytest.skip("no gcc on this host: the C kernels cannot be run natively")
    by_kernels = native(graph, case.steps)
    assert_equal(by_kernels, by_reference, ulp, "our C, our reference")
    assert_equal(in_arena(graph, case.steps), by_kernels, 0, "our C in the arena, our C")


def assert_equal(
    found: list[list[Array]], expected: list[list[Array]], ulp: float, who: str
) -> None:
    """Compare outputs by type, shape and value."""
    for step, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            where = f"{who}: output {index} of inference {step}"
            assert (a.dtype, a.shape) == (b.dtype, b.shape), where
            if a.dtype.kind != "f" or ulp == 0:
                np.testing.assert_array_equal(a, b, err_msg=where)
                continue
            largest = np.abs(b[np.isfinite(b)]).max(initial=0.0)
            atol = ulp * float(np.spacing(np.float32(largest)))
            np.testing.assert_allclose(a, b, rtol=0, atol=atol, err_msg=where)


def oracle(case: Case) -> list[list[Array]]:
    """Return what TFLM's interpreter computes, states kept between the inferences."""
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(case.model, arena_size=ARENA_BYTES)
    outputs = len(_read(case.model).outputs)
    found = []
    for inputs in case.steps:
        for index, values in enumerate(inputs):
            interpreter.set_input(values, index)
        interpreter.invoke()
        found.append([interpreter.get_output(index).copy() for index in range(outputs)])
    return found


def reference(graph: Graph, steps: Sequence[tuple[Array, ...]]) -> list[list[Array]]:
    """Return what the operators' numpy references compute, on the graph as it was read."""
    host = Reference(graph)
    return [list(host.infer(inputs)) for inputs in steps]


def native(graph: Graph, steps: Sequence[tuple[Array, ...]], name: str = "") -> list[list[Array]]:
    """Return what the C kernels compute on this machine, on the graph behind all passes.

    The candidate ``name`` computes what it can.
    """
    graph = run_passes(graph)
    calls = _lowered(graph, name)
    kept = {state.tensor.id: Framed.around(state.initial) for state in graph.states}
    found = []
    for inputs in steps:
        values = dict(kept)
        values |= {t.id: Framed.around(v) for t, v in zip(graph.inputs, inputs, strict=True)}
        for node, parts in zip(graph.nodes, calls, strict=True):
            for tensor in node.outputs:
                empty = np.zeros(tensor.elements, tensor.dtype.value)
                values.setdefault(tensor.id, Framed.around(empty))
            scratch = Framed.around(np.zeros(max(call.scratch_bytes for call in parts), np.uint8))
            for call in parts:
                _run_kernel(call, values, scratch)
        found.append(
            [
                (values[t.id].inner if t.data is None else t.data).reshape(t.shape).copy()
                for t in graph.outputs
            ]
        )
    return found


def in_arena(graph: Graph, steps: Sequence[tuple[Array, ...]], name: str = "") -> list[list[Array]]:
    """Return what the kernels compute in one arena, where the memory plan has put everything.

    Outputs lie over inputs there, and some kernels run backward; nothing outside is touched.
    The candidate ``name`` computes what it can.
    """
    graph = run_passes(graph)
    calls = _lowered(graph, name)
    plan = plan_memory(graph, calls)
    arena = Framed.around(np.zeros(plan.arena_bytes, np.uint8))
    for state in graph.states:
        _view(arena, plan.offsets[state.tensor.id], state.tensor)[:] = state.initial.ravel()
    found = []
    for inputs in steps:
        for tensor, value in zip(graph.inputs, inputs, strict=True):
            _view(arena, plan.offsets[tensor.id], tensor)[:] = value.ravel()
        for index, parts in enumerate(directed(calls, plan)):
            for call in parts:
                constants = [Framed.around(array) for array in call.constants]
                places = {**plan.offsets, SCRATCH_ID: plan.scratch_offsets.get(index, 0)}
                at = _offsets(places, call.inputs, call.input_offsets)
                to = _offsets(places, call.outputs, call.output_offsets)
                to += [places[SCRATCH_ID]] if call.scratch_bytes else []
                first = arena.pointer.value or 0
                pointers = [ctypes.c_void_p(first + offset) for offset in at]
                pointers += [framed.pointer for framed in constants]
                pointers += [ctypes.c_void_p(first + offset) for offset in to]
                _function_of(call)(_packed(call), *pointers)
                assert all(framed.is_intact for framed in (arena, *constants)), call.kernel
        found.append(
            [
                (_view(arena, plan.offsets[t.id], t) if t.data is None else t.data)
                .reshape(t.shape)
                .copy()
                for t in graph.outputs
            ]
        )
    return found


def _lowered(graph: Graph, name: str) -> tuple[tuple[KernelCall, ...], ...]:
    """Return the portable calls, and the candidate ``name`` where there is one."""
    return tuple(
        tuple(
            next((one.call for one in candidates(call, TARGET) if one.name == name), call)
            for call in node.op.lower(node.inputs, node.outputs)
        )
        for node in graph.nodes
    )


def _offsets(
    places: Mapping[int, int], tensors: Sequence[Tensor], parts: tuple[int, ...]
) -> list[int]:
    """Return where tensors lie in the arena, or the parts of them that are meant."""
    starts = [places[tensor.id] for tensor in tensors]
    return [a + b for a, b in zip(starts, parts or (0,) * len(starts), strict=True)]


def _view(arena: Framed, offset: int, tensor: Tensor) -> Array:
    """Return a tensor as it lies in the arena."""
    return arena.inner[offset : offset + tensor.size_bytes].view(tensor.dtype.value)


@dataclass(frozen=True, eq=False)
class Framed:
    """A copy of an array in a frame of bytes that nobody may touch."""

    whole: Array
    inner: Array

    @classmethod
    def around(cls, array: Array) -> Framed:
        """Copy ``array`` into a frame."""
        whole = np.full(array.nbytes + 2 * FRAME_BYTES, FRAME_VALUE, np.uint8)
        inner = whole[FRAME_BYTES : FRAME_BYTES + array.nbytes].view(array.dtype)
        inner[:] = array.ravel()
        return cls(whole, inner)

    @property
    def pointer(self) -> ctypes.c_void_p:
        """Where the array begins."""
        return ctypes.c_void_p(self.whole.ctypes.data + FRAME_BYTES)

    @property
    def is_intact(self) -> bool:
        """Whether the frame is as it was."""
        frame = np.concatenate([self.whole[:FRAME_BYTES], self.whole[-FRAME_BYTES:]])
        return bool((frame == FRAME_VALUE).all())


def _run_kernel(call: KernelCall, values: Mapping[int, Framed], scratch: Framed) -> None:
    """Call one kernel; it may write to its outputs and its scratch, nowhere else."""
    inputs = [values[tensor.id] for tensor in call.inputs]
    constants = [Framed.around(array) for array in call.constants]
    outputs = [values[tensor.id] for tensor in call.outputs]
    before = [framed.inner.tobytes() for framed in (*inputs, *constants)]
    passed = [*inputs, *constants, *outputs, *([scratch] if call.scratch_bytes else [])]
    _function_of(call)(_packed(call), *(framed.pointer for framed in passed))
    assert all(framed.is_intact for framed in passed), f"{call.kernel} wrote beside its output"
    for framed, copy in zip((*inputs, *constants), before, strict=True):
        is_kept = framed.inner.tobytes() == copy
        assert is_kept or framed in outputs, f"{call.kernel} wrote to an input"


def _packed(call: KernelCall) -> Any:
    """Return the parameters in memory, as the kernel's header orders them."""
    layout = "".join("f" if isinstance(value, float) else "i" for value in call.params.values())
    kinds = ["float" if isinstance(v, float) else "int32_t" for v in call.params.values()]
    assert _fields(call.kernel) == list(zip(kinds, call.params, strict=True)), call.kernel
    return ctypes.create_string_buffer(struct.pack(layout, *call.params.values()))


def _function_of(call: KernelCall) -> Any:
    """Return the kernel, built for the types of its arguments."""
    types = tuple(np.dtype(t.dtype.value) for t in call.inputs)
    types += tuple(array.dtype for array in call.constants)
    written = tuple(np.dtype(t.dtype.value) for t in call.outputs)
    return _kernel(call.kernel, types, written, bool(call.scratch_bytes))


@cache
def _fields(kernel: str) -> list[tuple[str, str]]:
    """Return types and names of a kernel's parameters, as its header has them."""
    text = read_kernel(f"{kernel}.h")
    found = re.search(rf"typedef struct \{{([^}}]*)\}} ts_{kernel}_params;", text)
    assert found is not None, f"{kernel}.h has no ts_{kernel}_params"
    return re.findall(r"^ +(\w+) (\w+);", found[1], re.MULTILINE)


@cache
def _kernel(
    name: str, read: tuple[np.dtype, ...], written: tuple[np.dtype, ...], has_scratch: bool
) -> Any:
    """Build one kernel behind an exported function, for these types of arguments."""
    folder = Path(tempfile.mkdtemp(prefix="tinysim-kernel-"))
    for header in header_names():
        (folder / header).write_text(read_kernel(header), encoding="utf-8")
    types = [f"const {_c_type(dtype)}" for dtype in read] + [_c_type(dtype) for dtype in written]
    types += ["uint8_t"] if has_scratch else []
    parameters = "".join(f", {kind} *a{index}" for index, kind in enumerate(types))
    passed = "".join(f", a{index}" for index in range(len(types)))
    signature = f"void run(const ts_{name}_params *params{parameters})"
    text = f'#include "{name}.h"\n{signature};\n{signature}\n{{ ts_{name}(params{passed}); }}\n'
    text = DOUBLE_WORDS + text
    (folder / "run.c").write_text(text, encoding="utf-8")
    command = ["gcc", *FLAGS, "run.c", "-o", "run.so"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    function = ctypes.CDLL(str(folder / "run.so")).run
    function.restype = None
    shutil.rmtree(folder)
    return function


def _c_type(dtype: np.dtype) -> str:
    if dtype == CHANNEL:
        return "ts_channel"
    return {"float32": "float", "bool": "bool"}.get(dtype.name, f"{dtype.name}_t")


def _read(model: bytes) -> Graph:
    """Read a model through the front door: from a file."""
    with tempfile.TemporaryDirectory(prefix="tinysim-test-") as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(model)
        return read_model(path)
