"""Source lines: code that the linker dropped, many lines, endless strings."""

from __future__ import annotations

import struct
import subprocess
import time
from pathlib import Path

import pytest

from tests.test_images import header_of, patched
from tinysim.simulator.images.elf import read_elf
from tinysim.simulator.lines import LineTable

KEPT = "int kept(int x)\n{\n    volatile int s = x; while (s < 50) s += x;\n    return s;\n}\n"
DROPPED = "".join(KEPT.replace("kept", f"dropped{k}") for k in range(3))
SCRIPT = """ENTRY(main) SECTIONS {
    .vectors %#x : { LONG(0x20001000) LONG(main + 1) } .text : { *(.text .text.*) }
}"""


def program(folder: Path, base: int) -> bytes:
    (folder / "link.ld").write_text(SCRIPT % base)
    (folder / "a.c").write_text(DROPPED + KEPT + "int main(void) { return kept(3); }\n")
    command = (
        "arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -O1 -fno-inline -g -ffunction-sections "
        "-nostdlib -Wl,--gc-sections,--no-warn-rwx-segments -T link.ld a.c -o a.elf"
    )
    subprocess.run(command.split(), cwd=folder, check=True)
    return (folder / "a.elf").read_bytes()


@pytest.mark.parametrize("base", [0, 0x0800_0000])
def test_code_that_the_linker_dropped_has_no_lines(tmp_path: Path, base: int) -> None:
    # The linker leaves dropped functions' lines at address 0, where nRF52's flash begins.
    image = read_elf(program(tmp_path, base))
    for name, lines in (("kept", range(17, 21)), ("main", range(21, 22))):
        function = image.symbol(name)
        for address in range(function.address, function.address + function.size_bytes, 2):
            found = image.line_at(address)
            assert found is not None
            assert found[0] == "a.c"
            assert found[1] in lines


def test_many_lines_are_read_in_little_time(tmp_path: Path) -> None:
    blob = program(tmp_path, 0x0800_0000)
    head = struct.pack("<3BbBB", 2, 1, 1, -5, 14, 13) + bytes((0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1))
    head += b"\0x.c\0\0\0\0\0"
    body = b"\0\5\2" + struct.pack("<I", 0x0800_0000) + b"\x20" * 4_000_000 + b"\0\1\1"
    unit = struct.pack("<HI", 4, len(head)) + head + body
    (tmp_path / "line").write_bytes(struct.pack("<I", len(unit)) + unit)
    command = ["arm-none-eabi-objcopy", "--update-section", f".debug_line={tmp_path}/line"]
    subprocess.run([*command, f"{tmp_path}/a.elf"], check=True)
    start = time.process_time()
    assert LineTable((tmp_path / "a.elf").read_bytes()).line_at(0x0800_0020) == ("x.c", 1)
    assert time.process_time() - start < 10
    assert LineTable(patched(blob, header_of(blob, 2) + 4, "<I", 1)).line_at(0x0800_0020)
