"""The command line: each command's happy path, each error's text and exit code."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from tests.conftest import DEMO, DEMO_MODEL, ROOT

SCHEMA = ROOT / "src" / "tinysim" / "report" / "profile.schema.json"


def tinysim(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as users do, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "tinysim", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def failure(*arguments: str | Path, **environment: str) -> tuple[int, str]:
    """Run what must fail; return exit code and complaint, which is one line without a traceback."""
    result = tinysim(*arguments, **environment)
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    return result.returncode, result.stderr


def test_run_shows_layers_totals_memory_and_conditions() -> None:
    result = tinysim("run", DEMO_MODEL, "--board", "nano33ble")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    for text in (
        "CONV_2D", "depthwise_conv_2d_s8", "between layers", "latency", "energy", "arena",
        "stack", "weights", "FITS", "output checked: equal", "arm-none-eabi-gcc", "-mcpu=cortex-m4",
        "grade A", "wait states: flash 2",
    ):  # fmt: skip
        assert text in result.stdout
    assert "\x1b[" not in result.stdout


def test_layers_option_shows_the_slowest() -> None:
    result = tinysim("run", DEMO_MODEL, "-b", "generic_m4", "--layers", "2")
    assert "9 faster layers" in result.stdout
    assert "SOFTMAX" not in result.stdout


def test_json_follows_the_published_schema(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    assert tinysim("run", DEMO_MODEL, "-b", "rpi_pico", "--json", target).returncode == 0
    data = json.loads(target.read_text())
    jsonschema.validate(data, json.loads(SCHEMA.read_text()))
    layers = sum(layer["cycles"] for layer in data["layers"])
    assert layers + data["runtime"]["cycles"] == data["totals"]["cycles"]
    assert data["ram"]["total_bytes"] == sum(
        data["ram"][f"{kind}_bytes"] for kind in ("arena", "stack", "static")
    )
    assert data["flash"]["total_bytes"] == sum(
        data["flash"][f"{kind}_bytes"] for kind in ("weights", "code", "runtime")
    )


def test_two_runs_give_the_same_json() -> None:
    arguments = ("run", DEMO_MODEL, "-b", "generic_m33", "--json", "-")
    first, *others = (tinysim(*arguments, *more).stdout for more in (["--no-cache"], [], [], []))
    assert others == [first] * 3  # compiled, kept, and taken from the cache
    assert json.loads(first)["fits"] is True


@pytest.mark.parametrize("is_quantized", [True, False])
def test_input_and_output_are_arrays(tmp_path: Path, is_quantized: bool) -> None:
    digits = np.load(DEMO / "digits.npz")
    real = digits["images"][3:4, :, :, np.newaxis] / 255
    np.save(tmp_path / "in.npy", digits["x"][3:4] if is_quantized else real)
    arguments = ("--input", tmp_path / "in.npy", "--save-output", tmp_path / "out.npy", "-q")
    result = tinysim("run", DEMO_MODEL, "-b", "generic_m0plus", *arguments)
    assert result.stdout == "FITS\n"
    assert int(np.load(tmp_path / "out.npy").argmax()) == int(digits["y"][3])


def test_several_boards_give_one_sorted_line_each() -> None:
    """Three of them: all of them stand in the README, whose output is tested."""
    names = ("bbc_microbit", "generic_m4", "mimxrt1060_evk")
    result = tinysim("run", DEMO_MODEL, *(part for name in names for part in ("-b", name)))
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()[1:]
    assert all("FITS" in line for line in lines)
    assert [line.split()[0] for line in lines] == ["mimxrt1060_evk", "generic_m4", "bbc_microbit"]


def test_compile_writes_sources_that_build_without_warnings(tmp_path: Path) -> None:
    result = tinysim("compile", DEMO_MODEL, "-b", "rpi_pico", "-o", tmp_path)
    assert result.returncode == 0, result.stderr
    assert "tensor arena 12,800 B" in result.stdout
    names = {path.name for path in tmp_path.iterdir()}
    assert {"model.c", "model.h", "weights.c", "main.c", "libmodel.a", "firmware.elf"} <= names
    assert "#define TS_TENSOR_ARENA_BYTES 12800" in (tmp_path / "model.h").read_text()
    strict = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-std=c11", "-O2"]
    core = ["-mcpu=cortex-m0plus", "-mthumb"]
    for source in sorted(tmp_path.glob("*.c")):
        command = ["arm-none-eabi-gcc", *core, *strict, "-c", source.name, "-o", "x.o"]
        subprocess.run(command, cwd=tmp_path, check=True)
    header = ["-x", "c++", "-fsyntax-only", "model.h"]
    subprocess.run(["arm-none-eabi-gcc", *core, *header], cwd=tmp_path, check=True)
    link = ["main.c", "startup.c", "libmodel.a", "-T", "link.ld", "-nostartfiles"]
    subprocess.run(
        ["arm-none-eabi-gcc", *core, *link, "--specs=nano.specs", "-o", "own.elf"],
        cwd=tmp_path,
        check=True,
    )


def test_boards_ops_and_doctor_answer() -> None:
    assert "nucleo_l4r5zi" in tinysim("boards").stdout
    shown = tinysim("boards", "nano33ble").stdout
    assert "64,000,000 Hz" in shown and "Deutel" in shown
    assert tinysim("boards", "show", "nano33ble").stdout == shown
    assert re.search("DEPTHWISE_CONV_2D +int8", tinysim("ops").stdout)
    doctor = tinysim("doctor")
    assert doctor.returncode == 0 and "arm-none-eabi-gcc" in doctor.stdout
    assert tinysim("--version").stdout.startswith("tinysim ")


def test_unknown_board_is_a_usage_error_with_a_hint() -> None:
    code, text = failure("run", DEMO_MODEL, "-b", "nano33")
    assert code == 2 and "did you mean nano33ble" in text
    code, text = failure("boards", "rpi_pic")
    assert code == 2 and "did you mean rpi_pico" in text


@pytest.mark.parametrize("command", ["run", "compile"])
def test_unreadable_model_is_named(command: str, tmp_path: Path) -> None:
    more = ("-o", tmp_path / "out") if command == "compile" else ()
    (tmp_path / "cut.tflite").write_bytes(DEMO_MODEL.read_bytes()[:5000])
    for name, what in (
        ("missing.tflite", "No such file"),
        ("cut.tflite", "cut.tflite"),
        ("model.weights", "no reader for the suffix"),
    ):
        code, text = failure(command, tmp_path / name, "-b", "generic_m4", *more)
        assert code == 3 and what in text
    assert not (tmp_path / "out").exists()


def test_bad_inputs_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "wrong.npy", np.zeros((2, 2), np.int8))
    (tmp_path / "text.npy").write_text("hello")
    np.save(tmp_path / "pickle.npy", np.array([{}], dtype=object), allow_pickle=True)
    unreadable = "not a readable array"
    expected = {"wrong": "int8 [2, 2]", "text": unreadable, "pickle": unreadable}
    for name, what in {**expected, "absent": unreadable}.items():
        path = tmp_path / f"{name}.npy"
        code, text = failure("run", DEMO_MODEL, "-b", "generic_m4", "--input", path)
        assert code == 3 and what in text


def test_missing_compiler_names_the_command_that_installs_it(tmp_path: Path) -> None:
    for arguments in (("run", DEMO_MODEL, "-b", "generic_m4"),):
        code, text = failure(*arguments, PATH=str(tmp_path))
        assert code == 4 and "apt-get install gcc-arm-none-eabi" in text
    doctor = tinysim("doctor", PATH=str(tmp_path))
    assert doctor.returncode == 4 and "MISSING: run: apt-get install" in doctor.stdout


def test_broken_compiler_is_told_with_its_own_words(tmp_path: Path) -> None:
    fake = tmp_path / "arm-none-eabi-gcc"
    fake.write_text("#!/bin/sh\necho 'licence server is down' >&2\nexit 7\n")
    fake.chmod(0o755)
    code, text = failure("run", DEMO_MODEL, "-b", "generic_m4", PATH=f"{tmp_path}:/usr/bin:/bin")
    assert code == 4 and "licence server is down" in text


def test_unwritable_places_leave_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    code, text = failure("run", DEMO_MODEL, "-b", "generic_m4", "--json", tmp_path / "no" / "x")
    assert code == 4 and "no folder that can be written" in text
    code, text = failure("compile", DEMO_MODEL, "-b", "generic_m4", "-o", tmp_path / "file")
    assert code == 4 and "File exists" in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_full_disk_is_one_clear_error(tmp_path: Path) -> None:
    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    result = subprocess.run(
        [sys.executable, "-m", "tinysim", "compile", DEMO_MODEL, "-b", "generic_m4", "-o", "out"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        preexec_fn=fill,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert result.returncode == 4, result.stderr
    assert "Traceback" not in result.stderr and "File too large" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_wrong_options_are_usage_errors() -> None:
    assert failure("run", DEMO_MODEL, "-b", "generic_m4", "--optimize", "hope")[0] == 2
    assert failure("run", DEMO_MODEL)[0] == 2
    arguments = ("-b", "generic_m4", "-b", "generic_m7", "--save-output", "x.npy")
    assert failure("run", DEMO_MODEL, *arguments)[0] == 2


def test_help_does_not_import_heavy_libraries() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from tinysim.cli import app; "
        "CliRunner().invoke(app, ['--help']); "
        "print([m for m in ('numpy', 'unicorn', 'capstone', 'tflite', 'tensorflow') "
        "if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
