"""Graph, plan and kernel calls -> C sources: data and calls with literal constants, no logic."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jinja2
import numpy as np

from tinysim.compiler.graph import Array, DType, Graph, Tensor
from tinysim.compiler.memory import MemoryPlan
from tinysim.compiler.memory.blocks import aligned, own_scratch_bytes
from tinysim.compiler.ops import CHANNEL, SCRATCH_ID, KernelCall
from tinysim.errors import ModelError
from tinysim.firmware import LayerSymbol, TensorInfo
from tinysim.kernels import read_kernel

_C_TYPES = {CHANNEL: "ts_channel"} | {np.dtype(dtype.value): dtype.c_type for dtype in DType}


@dataclass(frozen=True)
class _Specialised:
    """A kernel with its parameters fixed; layers of one shape share it."""

    name: str
    params: tuple[tuple[str, str], ...]
    arguments: tuple[str, ...]
    passed: tuple[str, ...]


def layer_symbols(
    graph: Graph, plan: MemoryPlan, calls: Sequence[tuple[KernelCall, ...]]
) -> tuple[LayerSymbol, ...]:
    """Name the function of every layer."""
    return tuple(
        LayerSymbol(
            index=index,
            name=node.name,
            op=node.op.tflite,
            kernel=" + ".join(dict.fromkeys(call.kernel for call in parts)),
            symbol=f"ts_layer_{index:03d}",
            outputs=tensor_infos(node.outputs, plan),
            macs=node.op.macs(node.inputs, node.outputs),
            tensor=graph.whole_names.get(node.outputs[0].id, node.outputs[0].name),
        )
        for index, (node, parts) in enumerate(zip(graph.nodes, calls, strict=True))
    )


def tensor_infos(tensors: tuple[Tensor, ...], plan: MemoryPlan) -> tuple[TensorInfo, ...]:
    """Say where inputs or outputs lie in the arena."""
    return tuple(
        TensorInfo(
            name=tensor.name,
            shape=tensor.shape,
            dtype=tensor.dtype.value,
            offset_bytes=plan.offsets[tensor.id],
            scale=tensor.quant.scale[0] if tensor.quant else None,
            zero_point=tensor.quant.zero_point[0] if tensor.quant else None,
        )
        for tensor in tensors
    )


def emit_c(
    graph: Graph, plan: MemoryPlan, calls: Sequence[tuple[KernelCall, ...]]
) -> dict[str, str]:
    """Write the model in C: file name -> text, kernels and start-up included.

    Same graph, same bytes. No name from the model file reaches the text.
    """
    constants = _Constants()
    kernels: dict[_Specialised, int] = {}
    layers = []
    for index, (parts, symbol) in enumerate(
        zip(calls, layer_symbols(graph, plan, calls), strict=True)
    ):
        called = []
        for call in parts:
            arguments = _places(plan, index, call.inputs, call.input_offsets)
            names = [constants.name(array) for array in call.constants]
            copied = None
            scratch = plan.scratch_offsets.get(index, 0) + own_scratch_bytes(graph.nodes[index])
            if call.is_copied:
                place = _at(scratch + aligned(call.scratch_bytes))
                copied = {"to": place, "of": names[0], "words": call.copied_bytes // 4}
                names[0] = place
            arguments += names
            arguments += _places(plan, index, call.outputs, call.output_offsets)
            if call.scratch_bytes:
                arguments.append(_at(scratch))
            number = kernels.setdefault(_specialised(call), len(kernels))
            called.append({"kernel": number, "arguments": arguments, "copied": copied})
        layers.append({"symbol": symbol.symbol, "calls": called})
    headers = {call.kernel for parts in calls for call in parts}
    headers |= {"copy_words" for parts in calls for call in parts if call.is_copied}
    needed = {"quant.h", *(f"{name}.h" for name in headers)}
    states = [
        {
            "offset": plan.offsets[state.tensor.id],
            "size_bytes": state.tensor.size_bytes,
            "byte": _filling(state.initial),
            "initial": None
            if _filling(state.initial) is not None
            else constants.name(state.initial),
        }
        for state in graph.states
    ]
    sources = {name: read_kernel(name) for name in ("startup.c", "main.c")}
    sources |= {name: read_kernel(name) for name in _with_includes(needed)}
    sources["model.h"] = _render(
        "model.h.j2",
        sha256=graph.sha256,
        arena_bytes=plan.arena_bytes,
        ends=_ends(graph, plan),
        has_states=bool(states),
    )
    sources["model.c"] = _render(
        "model.c.j2",
        sha256=graph.sha256,
        headers=sorted(headers),
        kernels=list(kernels),
        layers=layers,
        states=states,
    )
    sources["weights.h"], sources["weights.c"] = constants.texts()
    return sources


class _Constants:
    """Arrays that go to flash; equal ones are stored once."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, bytes], str] = {}
        self._arrays: dict[str, Array] = {}

    def name(self, array: Array) -> str:
        """Return the C name of an array's one copy."""
        key = (str(array.dtype), array.tobytes())
        name = self._names.setdefault(key, f"ts_weights_{len(self._names)}")
        self._arrays[name] = array
        return name

    def texts(self) -> tuple[str, str]:
        """Return header and source."""
        rows = [
            (f"{_aligned(array)} const {_C_TYPES[array.dtype]} {name}[{array.size}]", array)
            for name, array in self._arrays.items()
        ]
        declarations = "".join(f"extern {declaration};\n" for declaration, _ in rows)
        has_bools = any(array.dtype == np.bool_ for _, array in rows)
        header = (
            "/** @file\n * Weights and tables. Generated by tinysim.\n */\n"
            "#ifndef TS_WEIGHTS_H\n#define TS_WEIGHTS_H\n\n"
            f'{"#include <stdbool.h>" + chr(10) if has_bools else ""}#include "quant.h"\n\n'
            f"{declarations}\n#endif\n"
        )
        definitions = "".join(
            f"\n{declaration} = {{\n{_literal(array)}}};\n" for declaration, array in rows
        )
        return header, '#include "weights.h"\n' + definitions


def _aligned(array: Array) -> str:
    """Return the alignment: whole words, for loads of several elements at once.

    It stands at the declaration, too, where a compiler might suppose a larger one otherwise.
    """
    return f"__attribute__((aligned({8 if array.dtype.itemsize == 8 else 4})))"


def _filling(array: Array) -> int | None:
    """Return the byte that all of an array's are, or None."""
    found = set(array.tobytes())
    return found.pop() if len(found) == 1 else None


def _literal(array: Array) -> str:
    """Return an array's values as C, in lines of bounded length."""
    flat = array.ravel()
    if array.dtype == CHANNEL:
        rows = (f"    {{{_int(b)}, {_int(m)}, {_int(s)}}},\n" for b, m, s in flat.tolist())
        return "".join(rows)
    values = flat.tolist()
    return "".join(
        "    " + ", ".join(map(_number, values[start : start + 24])) + ",\n"
        for start in range(0, len(values), 24)
    )


def _int(value: int) -> str:
    """Return an integer literal; the smallest of a type has none of its own."""
    if -(2**31) < value < 2**31:
        return str(value)
    if value == -(2**31):
        return "INT32_MIN"
    if value < 2**32 and value > 0:
        return f"UINT32_C({value})"
    return "INT64_MIN" if value == -(2**63) else f"INT64_C({value})"


def _specialised(call: KernelCall) -> _Specialised:
    """Write a call's parameters as C literals."""
    for name, value in call.params.items():
        if not isinstance(value, float) and not -(2**31) <= value < 2**31:
            raise ModelError(
                f"{call.kernel} needs {value:,} as {name}, which 32 bits do not hold",
                where="a layer's sizes",
                fix="give a smaller model, or smaller inputs",
            )
    inputs = [(f"const {t.dtype.c_type} *", f"input{i}") for i, t in enumerate(call.inputs)]
    fixed = [
        (f"const {_C_TYPES[array.dtype]} *", f"constant{i}")
        for i, array in enumerate(call.constants)
    ]
    outputs = [(f"{t.dtype.c_type} *", f"output{i}") for i, t in enumerate(call.outputs)]
    scratch = [("uint8_t *", "scratch")] if call.scratch_bytes else []
    arguments = inputs + fixed + outputs + scratch
    return _Specialised(
        name=call.kernel,
        params=tuple((key, _number(value)) for key, value in call.params.items()),
        arguments=tuple(kind + name for kind, name in arguments),
        passed=tuple(name for _, name in arguments),
    )


def _number(value: int | float) -> str:
    """Return a C literal that reads back as exactly this value."""
    if not isinstance(value, float):
        return _int(int(value))
    if math.isfinite(value):
        return f"{float(np.float32(value)).hex()}f"
    if math.isnan(value):
        return '__builtin_nanf("")'
    return "-__builtin_inff()" if value < 0 else "__builtin_inff()"


def _places(
    plan: MemoryPlan, node: int, tensors: tuple[Tensor, ...], offsets: tuple[int, ...]
) -> list[str]:
    """Return where tensors lie, or the parts of them that are meant."""
    starts = [
        plan.scratch_offsets[node] if tensor.id == SCRATCH_ID else plan.offsets[tensor.id]
        for tensor in tensors
    ]
    parts = offsets or (0,) * len(starts)
    return [_at(start + part) for start, part in zip(starts, parts, strict=True)]


def _at(offset: int) -> str:
    return f"(void *)(arena + {offset})"


def _with_includes(names: set[str]) -> list[str]:
    """Return headers and the headers of ours that they include, sorted."""
    found: set[str] = set()
    while names:
        name = names.pop()
        found.add(name)
        lines = read_kernel(name).splitlines()
        included = {line.split('"')[1] for line in lines if line.startswith('#include "')}
        names |= included - found
    return sorted(found)


def _ends(graph: Graph, plan: MemoryPlan) -> list[Mapping[str, Any]]:
    """Return what the header says of inputs and outputs (numbers only)."""
    return [
        {
            "role": role,
            "index": index,
            "c_type": tensor.dtype.c_type,
            "shape": tensor.shape or (1,),
            "scale": info.scale,
            "zero_point": info.zero_point,
            "offset_bytes": info.offset_bytes,
            "size_bytes": info.size_bytes,
        }
        for role, tensors in (("input", graph.inputs), ("output", graph.outputs))
        for index, (tensor, info) in enumerate(
            zip(tensors, tensor_infos(tensors, plan), strict=True)
        )
    ]


@lru_cache
def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, autoescape=False,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    return environment.from_string(read_kernel(name))


def _render(name: str, **values: Any) -> str:
    return _template(name).render(**values)


def link_script(**values: Any) -> str:
    """Write the linker script; see ``kernels/link.ld.j2`` for the values."""
    return _render("link.ld.j2", **values)
