"""The kernels for a kind of core: guarded, free of warnings, and called with what they take."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tinysim.kernels import TUNED, header_names, read_kernel

#: Folder -> flags of the cores that have the instructions.
FLAGS = {
    "dsp": ("-mcpu=cortex-m4", "-mcpu=cortex-m7", "-mcpu=cortex-m33"),
    "v6m": ("-mcpu=cortex-m0plus", "-mcpu=cortex-m0"),
    "vfp": (
        "-mcpu=cortex-m4 -mfpu=fpv4-sp-d16 -mfloat-abi=hard",
        "-mcpu=cortex-m7 -mfpu=fpv5-sp-d16 -mfloat-abi=hard",
        "-mcpu=cortex-m33 -mfpu=fpv5-sp-d16 -mfloat-abi=hard",
    ),
}
WARNINGS = ["-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
WARNINGS += ["-Wno-unused-function"]
HEADERS = [(folder, name) for folder in TUNED for name in header_names(folder)]


def test_every_folder_has_cores() -> None:
    assert set(TUNED) == set(FLAGS)


def test_names_are_unique() -> None:
    names = [name for _, name in HEADERS] + list(header_names())
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("folder", "name"), HEADERS)
def test_a_header_is_guarded_and_freestanding(folder: str, name: str) -> None:
    text = read_kernel(name)
    guard = f"TS_{name.removesuffix('.h').upper()}_H"
    assert f"#ifndef {guard}\n#define {guard}\n" in text
    included = set(re.findall(r"#include [<\"](.*)[>\"]", text))
    own = {*header_names(), *header_names(folder)}
    assert included <= {"arm_acle.h", "stdint.h", "stddef.h", "stdbool.h", "string.h", *own}


@pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="no arm-none-eabi-gcc: not built for a board"
)
@pytest.mark.parametrize("level", ["-O2", "-Os"])
@pytest.mark.parametrize("folder", TUNED)
def test_headers_are_free_of_warnings(folder: str, level: str, tmp_path: Path) -> None:
    for name in (*header_names(), *header_names(folder)):
        (tmp_path / name).write_text(read_kernel(name), encoding="utf-8")
    for flags in FLAGS[folder]:
        for name in header_names(folder):
            (tmp_path / "use.c").write_text(f'#include "{name}"\n', encoding="utf-8")
            command = ["arm-none-eabi-gcc", *flags.split(), "-mthumb", level, *WARNINGS]
            result = subprocess.run(
                [*command, "-c", "use.c", "-o", "use.o"],
                cwd=tmp_path, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert result.returncode == 0, f"{name} {flags}:\n{result.stderr}"
