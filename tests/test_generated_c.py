"""The generated C as its users see it: any compiler, any warning flag, any number of arenas."""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from tests.conftest import DEMO_MODEL, SHARED
from tinysim.agreement import distances
from tinysim.compiler.emit import emit_c, tensor_infos
from tinysim.compiler.graph import Array, Graph
from tinysim.compiler.memory import directed, plan_memory
from tinysim.compiler.passes import run_passes
from tinysim.compiler.readers import read_model
from tinysim.compiler.reference import Reference
from tinysim.simulator import random_inputs

pytestmark = pytest.mark.skipif(
    shutil.which("gcc") is None, reason="no gcc on this host: generated C cannot be run natively"
)

DEMO = DEMO_MODEL.name

#: Models of all kinds, and how far their floats may lie off the reference (in units in the last
#: place of the largest output); integers must be equal.
MODELS = {
    DEMO: 0,
    "mlperf_kws_int8.tflite": 0,
    "mlperf_ad_int8_floatio.tflite": 0,
    "tflm_hello_world_float.tflite": 0,
    "tinymaix_mnist_valid_f.tflite": 0,
    "mlperf_kws_float32_hybrid.tflite": 0,
    "tflm_seanet_conv10.tflite": 0,
    "tflm_seanet_strided_slice4.tflite": 0,
    "mww_v2_alexa_int8.tflite": 0,
    "mww_v2_vad_int8.tflite": 0,
    "tflm_keyword_scrambled_svdf_s8.tflite": 0,
    "tflm_mnist_lstm_int8.tflite": 0,
    "mlonmcu_lstm2.tflite": 0,
    "mlonmcu_t_multiple_outputs.tflite": 0,
    "tflm_audio_preprocessor_int8.tflite": 0,
    "silabs_micro_speech_uint8.tflite": 0,
    "mlonmcu_micro_kws_m_qdq.onnx": 0,
    "tinymaix_mnist_dw.h5": 1,
}
#: Models whose outputs hardly change with random inputs: layers before are looked at, too.
SATURATED = (
    "mww_v2_alexa_int8.tflite",
    "tflm_mnist_lstm_int8.tflite",
    "mlonmcu_micro_kws_m_qdq.onnx",
)
STREAMING = ("mww_v2_vad_int8.tflite", "tflm_audio_preprocessor_int8.tflite")
SMALL = (DEMO, "mlonmcu_lstm2.tflite")

#: Package that a suffix needs.
PACKAGES = {".onnx": "onnx", ".h5": "h5py"}

WARNINGS = (
    *("-Werror", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wcast-qual"),
    *("-Wdouble-promotion", "-Wundef", "-Wmissing-prototypes", "-Wstrict-prototypes"),
)
SANITIZED = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")

INFERENCES = 8

#: What the C may call besides itself: the compiler does so by itself, too.
FUNCTIONS = {"memcpy", "memset", "memmove"}

#: An application: inferences from the standard input, in as many arenas in turn as its argument
#: says. Each arena is as large as it must be and holds garbage at first.
MAIN = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

static const size_t inputs[][2] = {%s};
static const size_t outputs[][2] = {%s};

int main(int count, char **values)
{
    const int arenas = count > 1 ? atoi(values[1]) : 1;
    uint8_t *arena[4];
    for (int i = 0; i < arenas; i++) {
        arena[i] = malloc(TS_TENSOR_ARENA_BYTES);
#ifndef GARBAGE_IS_UNKNOWN
        memset(arena[i], 0xA5, TS_TENSOR_ARENA_BYTES);
#endif
        ts_model_init(arena[i]);
    }
    for (int step = 0;; step++) {
        uint8_t *here = arena[step %% arenas];
        for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++)
            if (fread(here + inputs[i][0], 1, inputs[i][1], stdin) != inputs[i][1])
                goto end;
        ts_model_invoke(here);
        for (size_t i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++)
            fwrite(here + outputs[i][0], 1, outputs[i][1], stdout);
    }
end:
    for (int i = 0; i < arenas; i++)
        free(arena[i]);
    return 0;
}
"""


@dataclass(frozen=True, eq=False)
class Generated:
    """A model, the C made of it, and inputs for some inferences in a row."""

    graph: Graph
    sources: Mapping[str, str]
    steps: tuple[tuple[Array, ...], ...]

    @property
    def expected(self) -> list[list[Array]]:
        """What the reference computes."""
        host = Reference(self.graph)
        return [list(host.infer(inputs)) for inputs in self.steps]


def emit(graph: Graph) -> Generated:
    """Compile a graph to C."""
    lowered = run_passes(graph)
    calls = tuple(node.op.lower(node.inputs, node.outputs) for node in lowered.nodes)
    plan = plan_memory(lowered, calls)
    infos = tensor_infos(graph.inputs, plan)
    steps = tuple(random_inputs(infos, seed) for seed in range(INFERENCES))
    return Generated(graph, emit_c(lowered, plan, directed(calls, plan)), steps)


@cache
def read(name: str) -> Graph:
    """Read a model, or skip the test."""
    path = DEMO_MODEL if name == DEMO else SHARED / "models" / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    package = PACKAGES.get(path.suffix)
    if package is not None and importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed: no model ending in {path.suffix} can be read")
    return read_model(path)


@cache
def generated(name: str) -> Generated:
    return emit(read(name))


def application(model: Generated) -> str:
    """Return an application that finds everything by the names in model.h."""
    ends = [
        ", ".join(f"{{TS_{role}_{i}_OFFSET, TS_{role}_{i}_BYTES}}" for i in range(len(tensors)))
        for role, tensors in (("INPUT", model.graph.inputs), ("OUTPUT", model.graph.outputs))
    ]
    return MAIN % tuple(ends)


def write(model: Generated, folder: Path) -> None:
    for name, text in {**model.sources, "application.c": application(model)}.items():
        (folder / name).write_text(text, encoding="utf-8")


def run(command: Sequence[str], folder: Path, given: bytes = b"") -> bytes:
    """Run a program that is silent on the standard error."""
    # The sanitizer of leaks cannot work where processes are traced, as in some containers.
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
    result = subprocess.run(
        command, cwd=folder, capture_output=True, input=given, check=False, env=environment
    )
    complaint = result.stderr.decode()[:4000]
    assert (result.returncode, complaint) == (0, ""), " ".join(command)
    return result.stdout


def build(folder: Path, compiler: str, *flags: str) -> Path:
    """Build the application; returns the program."""
    program = folder / "application"
    units = ("application.c", "model.c", "weights.c")
    run([compiler, "-std=c11", *flags, *units, "-o", str(program)], folder)
    return program


def infer(program: Path, model: Generated, arenas: int = 1) -> list[list[Array]]:
    """Run all inferences, each in every one of the arenas; returns inference by inference."""
    given = b"".join(array.tobytes() for step in model.steps for array in step * arenas)
    found = run([str(program), str(arenas)], program.parent, given)
    at = 0
    results = []
    for _ in range(len(model.steps) * arenas):
        outputs = []
        for tensor in model.graph.outputs:
            part = found[at : at + tensor.size_bytes]
            outputs.append(np.frombuffer(part, tensor.dtype.value).reshape(tensor.shape))
            at += tensor.size_bytes
        results.append(outputs)
    assert at == len(found)
    return results


def require(compiler: str) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler} on this host")


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_compiles_without_a_warning(name: str, compiler: str, tmp_path: Path) -> None:
    require(compiler)
    write(generated(name), tmp_path)
    for unit in ("model.c", "weights.c", "main.c"):
        run([compiler, "-std=c11", "-O1", *WARNINGS, "-c", unit, "-o", "unit.o"], tmp_path)


@pytest.mark.parametrize("name", MODELS)
def test_computes_what_the_reference_does_and_stays_in_its_arena(name: str, tmp_path: Path) -> None:
    assert_computes(generated(name), MODELS[name], tmp_path)


@pytest.mark.parametrize("name", SATURATED)
def test_computes_the_same_in_layers_before(name: str, tmp_path: Path) -> None:
    graph = read(name)
    weighted = [node for node in graph.nodes if node.op.macs(node.inputs, node.outputs)]
    watched = (weighted[0].outputs[0], weighted[-1].outputs[0])
    model = emit(replace(graph, outputs=(*graph.outputs, *watched)))
    assert len({outputs[-2].tobytes() for outputs in model.expected}) == INFERENCES
    assert_computes(model, 0, tmp_path)


def assert_computes(model: Generated, ulp: int, folder: Path) -> None:
    """Compare the C with the reference, while nothing else in memory may be touched."""
    write(model, folder)
    found = infer(build(folder, "gcc", *SANITIZED), model)
    worst = 0
    for ours, theirs in zip(found, model.expected, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            worst = max(worst, int(distances(b, a).max(initial=0)))
    assert worst <= ulp


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_optimization_changes_no_result(name: str, compiler: str, tmp_path: Path) -> None:
    require(compiler)
    model = generated(name)
    write(model, tmp_path)
    sanitized = infer(build(tmp_path, "gcc", *SANITIZED), model)
    for level in ("-O0", "-O2", "-Os"):
        assert_same(infer(build(tmp_path, compiler, level), model), sanitized)


@pytest.mark.parametrize("name", STREAMING)
def test_arenas_are_streams_of_their_own(name: str, tmp_path: Path) -> None:
    model = generated(name)
    write(model, tmp_path)
    program = build(tmp_path, "gcc", *SANITIZED)
    alone = infer(program, model)
    together = infer(program, model, arenas=2)
    assert_same(together[0::2], alone)
    assert_same(together[1::2], alone)
    later = infer(program, replace(model, steps=model.steps[1:]))
    is_kept = [a[0].tobytes() != b[0].tobytes() for a, b in zip(later, alone[1:], strict=True)]
    assert any(is_kept), "this model keeps nothing"


@pytest.mark.parametrize("name", [*SMALL, *STREAMING])
def test_nothing_is_read_before_it_is_written(name: str, tmp_path: Path) -> None:
    require("clang")
    model = generated(name)
    write(model, tmp_path)
    # What malloc gives is unknown to the sanitizer until it is written.
    flags = ("-O1", "-fsanitize=memory", "-fno-sanitize-recover=all", "-DGARBAGE_IS_UNKNOWN")
    assert_same(
        infer(build(tmp_path, "clang", *flags), model),
        infer(build(tmp_path, "gcc", *SANITIZED), model),
    )


@pytest.mark.parametrize("name", MODELS)
def test_writes_to_no_globals_and_calls_no_library(name: str, tmp_path: Path) -> None:
    write(generated(name), tmp_path)
    for unit in ("model", "weights"):
        run(["gcc", "-std=c11", "-O2", "-fno-pic", "-c", f"{unit}.c"], tmp_path)
        assert_is_pure((tmp_path / f"{unit}.o").read_bytes())


@pytest.mark.parametrize("name", SMALL)
def test_library_for_the_smallest_core_writes_to_no_globals(name: str, tmp_path: Path) -> None:
    require("arm-none-eabi-gcc")
    write(generated(name), tmp_path)
    flags = ("-std=c11", "-Os", "-mcpu=cortex-m0plus", "-mthumb", *WARNINGS)
    for unit in ("model", "weights"):
        run(["arm-none-eabi-gcc", *flags, "-c", f"{unit}.c"], tmp_path)
        # Arithmetic that the core has no instructions for is the compiler's: __aeabi_, __clzsi2.
        assert_is_pure((tmp_path / f"{unit}.o").read_bytes(), "__")


def assert_is_pure(blob: bytes, *runtime: str) -> None:
    """Check an object file: nothing to write to, and no calls but of these."""
    elf = ELFFile(io.BytesIO(blob))
    for section in elf.iter_sections():
        assert not section["sh_flags"] & SH_FLAGS.SHF_WRITE or not section["sh_size"], section.name
    table = elf.get_section_by_name(".symtab")
    assert isinstance(table, SymbolTableSection)
    for symbol in table.iter_symbols():
        assert symbol["st_shndx"] != "SHN_COMMON", symbol.name
        if symbol["st_shndx"] == "SHN_UNDEF" and symbol.name:
            is_ours = symbol.name.startswith(("ts_weights_", *runtime))
            assert is_ours or symbol.name in FUNCTIONS


def test_header_is_one_of_cpp_too(tmp_path: Path) -> None:
    require("g++")
    model = generated(DEMO)
    write(model, tmp_path)
    text = (
        '#include "model.h"\n#include "model.h"\n'
        "int main() { alignas(8) static uint8_t arena[TS_TENSOR_ARENA_BYTES];"
        " ts_model_init(arena); ts_model_invoke(arena); }\n"
    )
    (tmp_path / "main.cpp").write_text(text, encoding="utf-8")
    run(["gcc", "-std=c11", "-c", "model.c", "weights.c"], tmp_path)
    flags = ("-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
    run(["g++", *flags, "main.cpp", "model.o", "weights.o", "-o", "main"], tmp_path)
    run(["./main"], tmp_path)


@pytest.mark.parametrize("name", MODELS)
def test_same_model_gives_the_same_bytes(name: str) -> None:
    first = generated(name).sources
    read.cache_clear()
    assert emit(read(name)).sources == first


def test_texts_are_plain_and_their_lines_are_bounded() -> None:
    for name, text in generated(DEMO).sources.items():
        assert text.isascii() and text.endswith("\n") and "\t" not in text, name
        assert not any(line != line.rstrip() for line in text.splitlines()), name
        assert "\n\n\n" not in text, name


def assert_same(found: list[list[Array]], expected: list[list[Array]]) -> None:
    """Compare outputs of inferences, bit by bit."""
    for ours, theirs in zip(found, expected, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert a.tobytes() == b.tobytes()
