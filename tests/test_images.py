"""Readers of firmware images: four formats say the same, damage is named, nothing crashes."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import time
import tracemalloc
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from tests.firmware import link
from tinysim.errors import SimulationError
from tinysim.simulator.images import READERS, Image, Segment, find_vectors, read_image
from tinysim.simulator.images.elf import read_elf
from tinysim.simulator.lines import LineTable

FLASH = 0x0800_0000
MUTATIONS = int(os.environ.get("TINYSIM_FUZZ_MUTATIONS", "4000"))

SOURCE = """
volatile int set = 3, zero; const int table[5] = {1, 2, 3, 4, 5};
__attribute__((noipa)) int twice(int x) { return 2 * x * table[x % 5]; }
int main(void) { return twice(set) + zero; }
"""


def uf2(data: bytes, base: int = FLASH, family: int = 0x57755A57, size: int = 256) -> bytes:
    """Encode as UF2, with the family id of the STM32F4."""
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(
        uf2_block(part, base + number * size, number, len(parts), 0x2000, family)
        for number, part in enumerate(parts)
    )


def uf2_block(data: bytes, address: int, number: int, total: int, flags: int, last: int) -> bytes:
    head = (0x0A324655, 0x9E5D5157, flags, address, len(data), number, total, last)
    return struct.pack("<8I476sI", *head, data, 0x0AB16F30)


def record(kind: int, offset: int, data: bytes) -> str:
    """Encode one line of Intel HEX."""
    raw = bytes((len(data), offset >> 8, offset & 0xFF, kind)) + data
    return f":{raw.hex().upper()}{-sum(raw) & 0xFF:02X}\n"


END = record(1, 0, b"")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same program in every format, by suffix."""
    folder = tmp_path_factory.mktemp("images")
    paths = {suffix: folder / f"program.{suffix}" for suffix in ("elf", "bin", "hex", "uf2")}
    paths["elf"].write_bytes(link(SOURCE, "generic_m4"))
    for target, suffix in (("binary", "bin"), ("ihex", "hex")):
        subprocess.run(
            ["arm-none-eabi-objcopy", "-O", target, paths["elf"], paths[suffix]], check=True
        )
    paths["uf2"].write_bytes(uf2(paths["bin"].read_bytes()))
    return paths


def read_bytes(tmp_path: Path, name: str, blob: bytes, base: int = FLASH) -> Image:
    path = tmp_path / name
    path.write_bytes(blob)
    return read_image(path, base)


def filled(image: Image) -> bytes:
    """Everything that an image loads, with zeros between its segments."""
    data = bytearray(max(image.ends) - FLASH)
    for segment in image.segments:
        data[segment.address - FLASH : segment.end - FLASH] = segment.data
    return bytes(data)


def test_every_format_gives_the_same_bytes_and_vectors(program: dict[str, Path]) -> None:
    elf = read_image(program["elf"], FLASH)
    assert read_elf(program["elf"].read_bytes()) == elf
    assert len(elf.segments) == 2  # ".data" is aligned: a gap, which bare bytes cannot say.
    raw, text, blocks = (read_image(program[suffix], FLASH) for suffix in ("bin", "hex", "uf2"))
    assert text.segments == elf.segments
    assert blocks.segments == raw.segments == (Segment(FLASH, filled(text)),)
    assert {image.vectors_address for image in (elf, raw, text, blocks)} == {FLASH}


def test_elf_names_functions_and_other_formats_give_addresses(program: dict[str, Path]) -> None:
    elf, bare = (read_image(program[suffix], FLASH) for suffix in ("elf", "bin"))
    twice = elf.symbol("twice")
    assert twice.is_function
    assert elf.function_at(twice.address + 2) == "twice+0x2"
    assert (bare.symbols, bare.functions, bare.line_at(FLASH)) == ({}, (), None)
    assert bare.function_at(twice.address) == f"{twice.address:#010x}"
    with pytest.raises(SimulationError, match="no symbol twice"):
        bare.symbol("twice")


def test_vectors_stand_behind_the_second_stage_boot_loader(tmp_path: Path) -> None:
    boot2 = bytes.fromhex("00b5324b2120586098680221884398608060") + bytes(238)
    vectors = struct.pack("<2I", 0x2004_2000, 0x1000_01F7) + bytes(56)
    base = 0x1000_0000
    for name, blob in (("a.bin", boot2 + vectors), ("a.uf2", uf2(boot2 + vectors, base))):
        assert read_bytes(tmp_path, name, blob, base).vectors_address == base + 0x100
    assert read_bytes(tmp_path, "b.bin", vectors, base).vectors_address == base
    no_table = boot2 + struct.pack("<2I", 0x3004_2000, 0x1000_01F7)
    assert read_bytes(tmp_path, "c.bin", no_table, base).vectors_address == base


def test_vectors_of_an_application_behind_a_boot_loader_are_its_own(tmp_path: Path) -> None:
    blob = uf2(struct.pack("<2I", 0x2000_8000, 0x2101) + bytes(64), 0x2000)
    assert read_bytes(tmp_path, "a.uf2", blob, 0).vectors_address == 0x2000


def test_uf2_blocks_come_in_any_order_and_what_is_no_program_is_skipped(tmp_path: Path) -> None:
    data = bytes(range(256)) * 3
    blob = uf2(data, size=476)
    blocks = [blob[at : at + 512] for at in range(0, len(blob), 512)]
    assert len(blocks) == 2
    erratum = uf2_block(b"\xef" * 256, 0x10FF_FF00, 0, 2, 0xA000, 0xE48BFF57)
    assert read_bytes(tmp_path, "a.uf2", erratum + blocks[1] + blocks[0]).segments == (
        Segment(FLASH, data),
    )
    comment = uf2_block(b"built today", 0, 1, 2, 1, 0)
    first = uf2_block(data[:256], FLASH, 0, 2, 0, 0)
    assert read_bytes(tmp_path, "b.uf2", first + comment).segments == (Segment(FLASH, data[:256]),)


def test_hex_bases_start_addresses_and_line_ends(tmp_path: Path) -> None:
    text = (
        record(2, 0, b"\x10\x00") + record(0, 0x20, b"segment!")
        + record(3, 0, bytes(4)) + record(4, 0, b"\x08\x00") + record(0, 0, bytes(8))
        + record(0, 8, b"next") + "\n" + record(5, 0, b"\x08\x00\x00\x01") + END
    )  # fmt: skip
    image = read_bytes(tmp_path, "a.hex", text.replace("\n", "\r\n").lower().encode())
    assert image.segments == (Segment(0x1_0020, b"segment!"), Segment(FLASH, bytes(8) + b"next"))
    assert (image.ends, image.vectors_address) == ((0x1_0028, FLASH + 12), FLASH)


DAMAGED_TEXT = [
    (record(0, 0, b"abcd") + "nonsense\n", "line 2: is no record of Intel HEX"),
    (":10\n", "line 1: is not as long as it says"),
    (":0400000061626364FF\n", "has the checksum FF instead of 72"),
    (":0x00000061\n", "something else than pairs of hex digits"),
    (record(6, 0, b""), "unknown record type 06"),
    (record(4, 0, b"\x08"), "of type 04 but has 1 bytes"),
    (record(0, 0, b"abcdefgh") + record(0, 4, b"ijkl") + END, "overlap at 0x00000004"),
    (record(0, 0, b"abcdefgh") * 2 + END, "overlap at 0x00000000"),
    (record(0, 0, bytes(8)), "no end record: it is cut short"),
    (END + record(0, 0, bytes(8)), "line 2: stands behind the end record"),
    (record(2, 0, b"\x10\x00") + record(0, 0xFFFE, bytes(4)), "crosses the end of its 64 KiB"),
    (record(4, 0, b"\xff\xff") + record(0, 0xFFFE, bytes(4)) + END, "leaves 32 bits"),
    (END, "holds nothing to load"),
]


@pytest.mark.parametrize(("text", "what"), DAMAGED_TEXT)
def test_damaged_hex_is_refused(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(SimulationError, match=what):
        read_bytes(tmp_path, "a.hex", text.encode())


GOOD = bytes(256)
DAMAGED_BLOCKS = [
    (uf2(GOOD)[:-1], "511 bytes are not whole blocks of 512"),
    (b"x" + uf2(GOOD)[1:], "block 0: has not the magic numbers"),
    (uf2(GOOD)[:-1] + b"x", "block 0: has not the magic numbers"),
    (uf2(GOOD)[:16] + struct.pack("<I", 477) + uf2(GOOD)[20:], "payload of 477 bytes"),
    (uf2(GOOD)[:16] + bytes(4) + uf2(GOOD)[20:], "payload of 0 bytes"),
    (uf2(GOOD * 3)[:1024], "says that there are 3 blocks, but there are 2"),
    (uf2(GOOD * 2)[:512] * 2, "block 1: has the number 0, which is twice there"),
    (uf2_block(GOOD, FLASH, 7, 1, 0, 0), "the number 7, which is beyond the 1 blocks"),
    (
        uf2_block(GOOD, FLASH, 0, 2, 0x2000, 1) + uf2_block(GOOD, FLASH + 256, 1, 2, 0, 0),
        r"several chip families \(0x00000001, none\)",
    ),
    (
        uf2_block(GOOD, FLASH, 0, 2, 0, 0) + uf2_block(GOOD, FLASH + 8, 1, 2, 0, 0),
        "overlap at 0x08000008",
    ),
    (uf2_block(GOOD, FLASH, 0, 1, 1, 0), "holds nothing to load"),
]


@pytest.mark.parametrize(("blob", "what"), DAMAGED_BLOCKS)
def test_damaged_uf2_is_refused(tmp_path: Path, blob: bytes, what: str) -> None:
    with pytest.raises(SimulationError, match=what):
        read_bytes(tmp_path, "a.uf2", blob)


def patched(blob: bytes, at: int, form: str, *values: int) -> bytes:
    changed = bytearray(blob)
    struct.pack_into(form, changed, at, *values)
    return bytes(changed)


def header_of(blob: bytes, wanted: int) -> int:
    """Where in an ELF file the header of the first section of a type begins."""
    start, count = (*struct.unpack_from("<I", blob, 32), *struct.unpack_from("<H", blob, 48))
    rows = range(start, start + 40 * count, 40)
    return next(row for row in rows if struct.unpack_from("<I", blob, row + 4)[0] == wanted)


def symbol(blob: bytes, *fields: int) -> bytes:
    """Give the last symbol another value, size, ... (name offset, value, size)."""
    at, size = struct.unpack_from("<2I", blob, header_of(blob, 2) + 16)
    return patched(blob, at + size - 16, f"<{len(fields)}I", *fields)


#: How an ELF image is damaged -> what is said. Program headers begin at 52, 32 bytes each.
DAMAGED_ELF: list[tuple[Callable[[bytes], bytes], str]] = [
    (lambda b: b[:20], "is no ELF image"),
    (lambda b: patched(b, 4, "B", 2), "64 bits, little endian"),
    (lambda b: patched(b, 5, "B", 2), "32 bits, big endian"),
    (lambda b: patched(b, 18, "<H", 62), "made for machine 62"),
    (lambda b: patched(b, 16, "<H", 1), "is an object file, not a linked program"),
    (lambda b: b[:-1], "table of sections ends beyond the file"),
    (lambda b: b[:60], "table of segments ends beyond the file"),
    (lambda b: patched(b, 42, "<H", 8), "segments has rows of 8 bytes, not 32"),
    (lambda b: patched(b, 44, "<H", 0), "holds nothing to load"),
    (lambda b: patched(b, 52 + 16, "<2I", 2**31, 2**31), "ends beyond the file"),
    (lambda b: patched(b, 52 + 16, "<2I", 9, 8), "more bytes than it takes"),
    (lambda b: patched(b, 52 + 12, "<I", 2**32 - 8), "leaves 32 bits"),
    (lambda b: patched(b, 52 + 20, "<I", 2**31), r"take 2,147,48\d,\d+ bytes"),
    (lambda b: patched(b, 52 + 32 + 12, "<I", FLASH + 16), "overlap at 0x08000010"),
    (lambda b: patched(b, header_of(b, 1) + 12, "<3I", 2**31, 0x1000, 2**31), "take 2,147,"),
    (lambda b: patched(b, header_of(b, 1) + 12, "<3I", 2**32 - 8, 0x1000, 64), "leave 32 bits"),
    (lambda b: patched(b, header_of(b, 2) + 20, "<I", 2**31), "a section ends beyond the file"),
    (lambda b: patched(b, header_of(b, 2) + 20, "<I", 40), "no whole number of symbols"),
    (lambda b: patched(b, header_of(b, 2) + 24, "<I", 200), "should be a table of names"),
    (lambda b: symbol(b, 2**31), "name ends beyond the table of names"),
    (lambda b: symbol(b, 1, FLASH, 2**31), "takes 2,147,483,648 bytes at 0x08000000"),
    (lambda b: symbol(b, 1, 2**32 - 2, 8), "takes 8 bytes at 0xfffffffe"),
]


@pytest.mark.parametrize(("damage", "what"), DAMAGED_ELF, ids=[row[1] for row in DAMAGED_ELF])
def test_damaged_elf_is_refused(damage: Callable[[bytes], bytes], what: str) -> None:
    with pytest.raises(SimulationError, match=what) as caught:
        read_elf(damage(link(SOURCE, "generic_m4")))
    assert str(caught.value).startswith("ELF: ")


def test_names_cannot_command_a_terminal() -> None:
    image = read_elf(link(SOURCE, "generic_m4").replace(b"\0twice\0", b"\0t\x1b[\xff\n\0"))
    assert r"t\x1b[\xff\x0a" in [function.name for function in image.functions]
    assert all(name.isprintable() for name in image.symbols)


@pytest.mark.parametrize(
    ("name", "blob", "what"),
    [
        ("a.s19", b"S0", r"no reader for the suffix '\.s19'"),
        ("a", b"S0", "no reader for the suffix ''"),
        ("a.bin", b"", "holds nothing to load"),
        ("a.bin", bytes(7), "too short to hold a vector table"),
        ("a.bin", bytes(64 * 2**20 + 1), "makes more than 64 MiB"),
        ("a.bin", bytes(128 * 2**20 + 1), "larger than an image"),
    ],
    ids=["suffix", "no-suffix", "empty", "short", "long", "huge"],
)
def test_unusable_file_is_refused(tmp_path: Path, name: str, blob: bytes, what: str) -> None:
    with pytest.raises(SimulationError, match=what):
        read_bytes(tmp_path, name, blob)


def test_missing_file_is_named_and_elf_needs_no_suffix(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match=r"nowhere\.bin: No such file"):
        read_image(tmp_path / "nowhere.bin", FLASH)
    assert read_bytes(tmp_path, "firmware", link(SOURCE, "generic_m4")).symbols


EXTREME = (0, 1, 0x7F, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 16, 2**32 - 1)


def mutated(blob: bytes, rng: random.Random) -> bytes:
    """Flip bytes, write extreme words, cut, repeat or drop a part."""
    changed = bytearray(blob)
    for _ in range(rng.choice((1, 1, 2, 8))):
        # Half of the time near the start, or the end, where headers stand.
        near = rng.choice((len(changed), len(changed), min(512, len(changed))))
        at = rng.randrange(near)
        at = rng.choice((at, at, len(changed) - 1 - at))
        kind = rng.randrange(8)
        if kind < 3:
            changed[at] = rng.randrange(256)
        elif kind < 6:
            word = rng.choice((*EXTREME, rng.getrandbits(32), rng.randrange(len(changed))))
            at &= ~3
            changed[at : at + 4] = struct.pack("<I", word)[: len(changed) - at]
        elif kind == 6:
            del changed[at : at + rng.choice((1, 512, len(changed)))]
        else:
            changed[at:at] = changed[at : at + rng.choice((1, 32, 512))]
        if not changed:
            break
    return bytes(changed)


def mutated_records(blob: bytes, rng: random.Random) -> bytes:
    """Change a record of Intel HEX and mend its checksum, so that what is behind it is reached."""
    if rng.randrange(3) == 0:
        return mutated(blob, rng)
    lines = blob.decode().splitlines(keepends=True)
    at = rng.randrange(len(lines))
    raw = bytearray.fromhex(lines[at].strip()[1:-2])
    raw[rng.randrange(len(raw))] = rng.choice((0, 1, 2, 4, 255, rng.randrange(256)))
    new = record(raw[3], raw[1] << 8 | raw[2], bytes(raw[4:]))
    lines[at : at + rng.randrange(3)] = [new] * rng.randrange(1, 3)
    return "".join(lines).encode()


@pytest.mark.parametrize("suffix", ["elf", "bin", "hex", "uf2"])
def test_mutated_image_is_read_or_refused(program: dict[str, Path], suffix: str) -> None:
    reader = import_module(f"tinysim.simulator.images.{READERS[f'.{suffix}']}")
    rng = random.Random(suffix)
    blob = program[suffix].read_bytes()
    reached = {"read": 0, "refused": 0}
    slowest_s = 0.0
    for _ in range(MUTATIONS):
        change = mutated_records if suffix == "hex" else mutated
        damaged = change(blob, rng)
        start = time.process_time()
        try:
            image: Image = reader.read(damaged, FLASH, "image")
        except SimulationError as error:
            assert str(error).startswith("image")
            assert str(error).isprintable()
            reached["refused"] += 1
        else:
            assert isinstance(image.function_at(image.vectors_address), str)
            assert max(image.ends) <= 2**32
            assert all(name.isprintable() for name in image.symbols)
            reached["read"] += 1
        slowest_s = max(slowest_s, time.process_time() - start)
    if MUTATIONS >= 1000:  # Both ways have been tried; bare bytes are refused for length only.
        assert min(reached.values()) > MUTATIONS / 200
    assert slowest_s < 2


def spread_hex() -> bytes:
    """Return a byte of data in each of very many places."""
    lines = [record(0, offset, b"x") for offset in range(0, 0x10000, 2)]
    return "".join(record(4, 0, bytes((8, page))) + "".join(lines) for page in range(3)).encode()


def named_elf() -> bytes:
    """Return an image with many symbols, each with the same endless name."""
    blob = link(SOURCE, "generic_m4")
    names, symbols = b"\0" + b"n" * 2**20 + b"\0", struct.pack("<3I2BH", 1, FLASH, 4, 18, 0, 1)
    end = len(blob)
    blob = patched(blob, header_of(blob, 2) + 16, "<2I", end, 16 * 10_000)
    blob = patched(blob, header_of(blob, 3) + 16, "<2I", end + 16 * 10_000, len(names))
    return blob + symbols * 10_000 + names


@pytest.mark.parametrize(
    ("name", "make", "what"),
    [
        ("a.hex", spread_hex, "more than 65,536 runs"),
        ("a.elf", named_elf, "names take over 32 MiB"),
    ],
)
def test_hostile_image_takes_little_memory(
    tmp_path: Path, name: str, make: Callable[[], bytes], what: str
) -> None:
    blob = make()
    tracemalloc.start()
    try:
        with pytest.raises(SimulationError, match=what):
            read_bytes(tmp_path, name, blob)
        assert tracemalloc.get_traced_memory()[1] < 96 * 2**20
    finally:
        tracemalloc.stop()


LINES = """int twice(int x)
{
    return 2 * x;
}
int main(void) { return twice(4); }
"""


def debug_elf(folder: Path, version: int) -> bytes:
    """Compile a program with line information."""
    (folder / "some").mkdir(exist_ok=True)
    (folder / "some" / "lines.c").write_text(LINES)
    command = (
        f"arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -O1 -fno-inline -gdwarf-{version} -nostdlib "
        f"-Wl,-Ttext={FLASH:#x},--entry=main some/lines.c -o lines.elf"
    )
    subprocess.run(command.split(), cwd=folder, check=True)
    return (folder / "lines.elf").read_bytes()


@pytest.mark.parametrize("version", [2, 3, 4, 5])
def test_instructions_have_source_lines(tmp_path: Path, version: int) -> None:
    image = read_elf(debug_elf(tmp_path, version))
    addresses = [f.address + k for f in image.functions for k in range(0, f.size_bytes, 2)]
    command = ["arm-none-eabi-addr2line", "-e", f"{tmp_path}/lines.elf", *map(hex, addresses)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    found = [image.line_at(address) for address in addresses]
    assert [Path(line).name for line in told] == [f"{x[0]}:{x[1]}" for x in found if x]
    assert set(found) == {("lines.c", 4), ("lines.c", 5)}
    assert image.line_at(0x2000_0000) is None
    assert image.line_at(0) is None


def test_image_without_lines_has_none() -> None:
    assert LineTable(link(SOURCE, "generic_m4")).line_at(FLASH + 0x40) is None
    for blob in (b"", b"\x7fELF", bytes(100)):
        assert LineTable(blob).line_at(FLASH) is None


def test_mutated_lines_are_read_or_none(tmp_path: Path) -> None:
    rng = random.Random("lines")
    blob = debug_elf(tmp_path, 5)
    # The debugging sections lie between the code and the symbol table.
    (low,) = struct.unpack_from("<I", blob, header_of(blob, 1) + 16)
    (high,) = struct.unpack_from("<I", blob, header_of(blob, 2) + 16)
    for _ in range(MUTATIONS // 10):
        changed = bytearray(blob)
        for _ in range(rng.randrange(1, 4)):
            changed[rng.randrange(low, high)] = rng.choice(
                (0, 1, 127, 128, 255, rng.randrange(256))
            )
        lines = LineTable(bytes(changed))
        for address in range(FLASH, FLASH + 16, 2):
            found = lines.line_at(address)
            assert found is None or (found[0].isprintable() and isinstance(found[1], int))
        LineTable(mutated(blob, rng)).line_at(FLASH + 4)


def test_code_that_looks_like_a_stack_pointer_is_no_vector_table() -> None:
    """A boot loader that begins ``movs r2, #0; movs r0, #4`` reads 0x20042200."""
    loader = struct.pack("<2I", 0x2004_2200, 0x490D_4B0C).ljust(256, b"\0")
    segment = Segment(0x1000_0000, loader + struct.pack("<2I", 0x2004_2000, 0x1000_0145))
    assert find_vectors([segment], [0x1000_0000], "x") == 0x1000_0100
