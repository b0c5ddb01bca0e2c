"""Board files made from linker scripts, CMSIS packs and pyOCD targets; and what is refused."""

from __future__ import annotations

import sys
import time
import tomllib
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.conftest import ROOT
from tinysim.boards import load_board
from tinysim.boards.importing import Fact, Findings, FoundRegion
from tinysim.boards.importing.draft import Draft, Told, draft
from tinysim.boards.importing.expressions import END, ExpressionError, Reader, tokens
from tinysim.boards.importing.linker_script import parse_linker_script, read_linker_script
from tinysim.boards.importing.pdsc import read_pdsc
from tinysim.boards.importing.pyocd_target import read_pyocd_target
from tinysim.cli import app
from tinysim.errors import BoardError

LOGGER = ROOT / "examples" / "boards" / "logger.ld"
TOLD = Told(name="mine", core="cortex_m4f", clock_hz=168_000_000)
CORES = ("cortex_m0", "cortex_m4f")


def regions(script: str) -> list[tuple[str, str, int, int]]:
    """Return name, kind, base and size of what a script describes."""
    found = parse_linker_script(script, "test.ld").regions
    return [(one.name, one.kind, one.base, one.size_bytes) for one in found]


def complaint(script: str) -> str:
    """Parse what must be refused."""
    with pytest.raises(BoardError) as caught:
        parse_linker_script(script, "test.ld")
    assert str(caught.value).isprintable()
    return str(caught.value)


def value(expression: str) -> int:
    """Evaluate an expression, which must be all there is."""
    reader = Reader(tokens(expression, 1), {"SIZE": 0x400}, lambda name, region: None)
    result = reader.value()
    assert reader.next is END
    return result


# --- linker scripts --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param(
            """
            /* Entry Point */
            ENTRY(Reset_Handler)
            _estack = ORIGIN(RAM) + LENGTH(RAM); /* end of "RAM" { */
            _Min_Heap_Size = 0x200 ;
            MEMORY
            {
              RAM    (xrw)    : ORIGIN = 0x20000000,   LENGTH = 96K
              RAM2   (xrw)    : ORIGIN = 0x10000000,   LENGTH = 32K
              FLASH    (rx)    : ORIGIN = 0x8000000,   LENGTH = 1024K
            }
            SECTIONS { .text : { *(.text) "}" } >FLASH }
            """,
            [
                ("RAM", "ram", 0x2000_0000, 96 << 10),
                ("RAM2", "ram", 0x1000_0000, 32 << 10),
                ("FLASH", "flash", 0x0800_0000, 1 << 20),
            ],
            id="cube",
        ),
        pytest.param(
            """MEMORY {
             FLASH (rx) : ORIGIN = 0x26000, LENGTH = 0xED000 - 0x26000
             /* RAM for the SoftDevice */
             RAM (rwx) :  ORIGIN = 0x20006000, LENGTH = 0x20040000 - 0x20006000
            } SECTIONS { }
            INCLUDED = 1;""",
            [
                ("FLASH", "flash", 0x2_6000, 0xC_7000),
                ("RAM", "ram", 0x2000_6000, 0x3_A000),
            ],
            id="softdevice",
        ),
        pytest.param(
            """PROVIDE(BOOT = 1 << 14); APP = BOOT ? 256K - BOOT : 256K; OTHER = SIZEOF(.text);
            MEMORY { rom(RX!W):org=BOOT,len=APP ram (!rx) : o = ORIGIN(rom)+0x20000000, l = 32K; }
            """,
            [("rom", "flash", 0x4000, 240 << 10), ("ram", "flash", 0x2000_4000, 32 << 10)],
            id="abbreviations",
        ),
        pytest.param(
            """MEMORY
            { m_interrupts : ORIGIN = 0x60002000, LENGTH = 0x00000400
              m_text : ORIGIN = 0x60002400, LENGTH = 0x007FDC00
              m_data : ORIGIN = 0x20000000, LENGTH = 0x00020000 }
            MEMORY { m_data2 : ORIGIN = 010, LENGTH = LENGTH(m_data) / 3 % 7 }""",
            [
                ("m_interrupts", "ram", 0x6000_2000, 0x400),
                ("m_text", "flash", 0x6000_2400, 0x7F_DC00),
                ("m_data", "ram", 0x2000_0000, 0x2_0000),
                ("m_data2", "ram", 8, 0x2_0000 // 3 % 7),
            ],
            id="without attributes, two blocks",
        ),
    ],
)
def test_scripts_as_vendors_write_them(
    script: str, expected: list[tuple[str, str, int, int]]
) -> None:
    assert regions(script) == expected


def test_every_number_says_where_it_stands() -> None:
    found = read_linker_script(LOGGER).regions
    lines = LOGGER.read_text().splitlines()
    for region in found:
        line = int(region.source.removeprefix("from logger.ld, line "))
        assert lines[line - 1].split()[0] == region.name


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", "has no MEMORY block"),
        ("SECTIONS { }", "has no MEMORY block"),
        ("\nINCLUDE memory.ld\nMEMORY { }", "line 2: INCLUDE is not followed"),
        ("MEMORY {\n INCLUDE regions.ld\n}", "line 2: INCLUDE is not followed"),
        ('#include "memory.h"\nMEMORY { }', "line 1: has directives of the C preprocessor"),
        ("MEMORY { A : ORIGIN = 0, LENGTH = 1 } /* open", "line 1: has a comment without end"),
        ("MEMORY { A : ORIGIN = 0, LENGTH = 1", "line 1: does not close MEMORY"),
        ("MEMORY { }\n}", "line 2: closes a block that is not open"),
        ("MEMORY { A : ORIGIN = 0, LENGTH = SIZE }", "line 1: does not know SIZE"),
        ("MEMORY { A : ORIGIN = 0, LENGTH = LENGTH(B) }", "does not know LENGTH(B)"),
        ("MEMORY { A : ORIGIN = 0, LENGTH = 1/(2-2) }", "divides by zero"),
        ("MEMORY { A : ORIGIN = 1 << 99999999, LENGTH = 1 }", "shifts by 99999999"),
        ("MEMORY { A : ORIGIN = " + "9" * 5000 + ", LENGTH = 1 }", "too large a number"),
        ("MEMORY { A : ORIGIN = " + "(" * 5000 + ", LENGTH = 1 }", "nested too deeply"),
        ("MEMORY { A : ORIGIN = " + "0xFFFFFFFFFFFF*" * 9 + "9, LENGTH = 1 }", "is too large"),
        ("MEMORY { A : LENGTH = 1, ORIGIN = 1 }", "needs ORIGIN or org or o, not LENGTH"),
        ("MEMORY { A (rx : ORIGIN = 1, LENGTH = 1 }", "needs )"),
        ("MEMORY { A : ORIGIN = 1 LENGTH = 1 }", "needs ,, not LENGTH"),
        ("MEMORY { A : ORIGIN = 1, LENGTH = }", "needs more, not the end"),
        ("MEMORY { A : ORIGIN = 1, LENGTH = @ }", "needs a number, not @"),
        ("MEMORY { A : ORIGIN = 1, LENGTH = 089 }", "089, which is no number"),
        (
            "MEMORY {" + "".join(f"R{i} : ORIGIN = {i}, LENGTH = 1\n" for i in range(99)) + "}",
            "more than 64 regions",
        ),
        ("MEMORY { \x1b[31m : ORIGIN = 1, LENGTH = 1 }", "needs :"),
    ],
)
def test_what_cannot_be_understood_is_said_with_its_line(script: str, expected: str) -> None:
    assert expected in complaint(script)


@pytest.mark.parametrize(
    "script",
    [
        "/*" * 500_000,
        "{" * 500_000,
        '"' * 500_000,
        "a=" * 250_000,
        "a=" + " " * 900_000 + "=;",
        "a" * 900_000 + "=1;",
        "MEMORY { A : ORIGIN = " + "-" * 900_000 + "1, LENGTH = 1 ",
        "MEMORY {" + "(" * 900_000,
    ],
    ids=["comments", "braces", "quotes", "assigns", "spaces", "word", "signs", "brackets"],
)
def test_hostile_script_takes_no_time(script: str) -> None:
    begun = time.perf_counter()
    complaint(script)
    assert time.perf_counter() - begun < 10


def test_file_that_is_missing_or_too_large(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="cannot be read"):
        read_linker_script(tmp_path / "none.ld")
    large = tmp_path / "large.ld"
    large.write_bytes(b" " * (2**20 + 1))
    with pytest.raises(BoardError, match="over 1,048,576 bytes"):
        read_linker_script(large)
    (tmp_path / "binary.ld").write_bytes(bytes(range(256)))
    with pytest.raises(BoardError):
        read_linker_script(tmp_path / "binary.ld")


# --- expressions -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("64K", 65_536),
        ("0x10K", 16_384),
        ("2m", 2 << 20),
        ("017", 15),
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("100 - 10 - 5", 85),
        ("1 << 4 + 1", 32),
        ("~0 & 0xFF", 255),
        ("!5 | -(-7)", 7),
        ("-7 / 2", -3),
        ("-7 % 3", -1),
        ("SIZE > 1000 && SIZE <= 1024 ? SIZE : 0", 1024),
        ("0 || 2 == 3", 0),
        ("6 ^ 3 != 3", 6),
    ],
)
def test_expressions_as_the_linker_computes_them(expression: str, expected: int) -> None:
    assert value(expression) == expected


@st.composite
def _expressions(draw: st.DrawFn) -> tuple[str, int]:
    """An expression as text, and its value by Python's rules, which are the linker's for these."""

    def grow(depth: int) -> tuple[str, int]:
        if depth == 0 or draw(st.booleans()):
            number = draw(st.integers(0, 0xFFFF))
            base = draw(st.sampled_from(("{}", "0x{:x}", "{}K")))
            text = base.format(number)
            return text, number << 10 if base.endswith("K") else number
        sign = draw(st.sampled_from(("+", "-", "*", "|", "&", "^")))
        (left, a), (right, b) = grow(depth - 1), grow(depth - 1)
        space = draw(st.sampled_from(("", " ", "\n")))
        results = {"+": a + b, "-": a - b, "*": a * b, "|": a | b, "&": a & b, "^": a ^ b}
        return f"({left}{space}{sign}{space}{right})", results[sign]

    return grow(2)


@given(_expressions())
def test_any_expression_has_the_value_that_it_should(made: tuple[str, int]) -> None:
    text, expected = made
    if abs(expected) <= 1 << 64:
        try:
            assert value(text) == expected
        except ExpressionError as error:
            assert "too large" in str(error)


@given(st.text(alphabet="0123456789xKM+-*/%<>=!&|^~?:(), \n@AB_.", max_size=60))
def test_any_text_has_a_value_or_one_clear_error(text: str) -> None:
    reader = Reader(tokens(text, 1), {"A": 1}, lambda name, region: None)
    try:
        assert isinstance(reader.value(), int)
    except ExpressionError as error:
        assert "line" in str(error)


@given(st.text(max_size=200))
def test_any_script_is_refused_or_read(text: str) -> None:
    for script in (text, f"MEMORY {{ {text} }}"):
        try:
            parse_linker_script(script, "test.ld")
        except BoardError as error:
            assert str(error).isprintable()


# --- the board file --------------------------------------------------------------------------


def test_draft_loads_once_everything_is_told(tmp_path: Path) -> None:
    made = draft(read_linker_script(LOGGER), TOLD, CORES)
    assert made.missing == ()
    board = made.board()
    assert [(one.name, one.kind, one.base, one.size_bytes) for one in board.regions] == [
        ("flash", "flash", 0x0800_8000, (1024 - 32) << 10),
        ("ccm", "ram", 0x1000_0000, 64 << 10),
        ("ram", "ram", 0x2000_0000, 128 << 10),
    ]
    assert (board.placement.code, board.placement.arena) == ("flash", ("ram",))
    path = tmp_path / "mine.toml"
    path.write_text(made.text)
    assert load_board(str(path)).regions == board.regions


def test_draft_says_what_is_missing_and_loads_when_it_is_filled_in(tmp_path: Path) -> None:
    made = draft(read_linker_script(LOGGER), Told(), CORES)
    assert len(made.missing) == 3
    for what in ("name", "core", "clock"):
        assert any(what in one for one in made.missing)
        assert any(
            line.startswith("# missing: ") and what in line for line in made.text.splitlines()
        )
    assert "# missing: wait states and caches" in made.text
    filled = 'name = "mine"\ncore = "cortex_m4f"\n' + made.text
    filled += '\n[clock]\nhz = 168_000_000\nsource = "datasheet"\n'
    path = tmp_path / "mine.toml"
    path.write_text(filled)
    assert load_board(str(path)).clock.hz == 168_000_000


def test_time_of_an_imported_board_is_said_to_be_too_low() -> None:
    accuracy = draft(read_linker_script(LOGGER), TOLD, CORES).board().memory_accuracy
    assert accuracy is not None and accuracy.error_low == -0.28 and accuracy.error_high == 0


def found(*rows: tuple[str, str, int, int]) -> Draft:
    """Return the draft of a board that has these regions, and flash and RAM of the usual kind."""
    usual = [("f", "flash", 0x0800_0000, 1 << 20), ("r", "ram", 0x2000_0000, 1 << 16)]
    every = tuple(FoundRegion(*row, "from the test") for row in (*usual, *rows))
    return draft(Findings(every), TOLD, CORES)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("EMPTY", "ram", 0x3000_0000, 0), "it is empty"),
        (("NEGATIVE", "ram", 0x3000_0000, -1), "it is empty"),
        (("SDRAM", "ram", 0xC000_0000, 256 << 20), "over 64 MB"),
        (("HIGH", "ram", 0xFFFF_FFFF, 16), "outside the 4 GB"),
        (("LOW", "ram", -16, 16), "outside the 4 GB"),
        (("UART", "ram", 0x4000_0000, 1024), "addresses of peripherals"),
        (("ALIAS", "ram", 0x2000_8000, 1024), "it overlaps r"),
        (("NOINIT", "ram", 0x2001_0000, 16), ""),
        (("CRC", "flash", 0x0810_0000 + 16, 16), ""),
    ],
)
def test_regions_that_a_board_cannot_have_are_left_out_and_named(
    row: tuple[str, str, int, int], reason: str
) -> None:
    made = found(row)
    names = [region.name for region in made.board().regions]
    if reason:
        assert names == ["f", "r"]
        assert f"# left out: {row[0]} (" in made.text and reason in made.text
    else:
        assert names == ["f", "r", row[0].lower()]


def test_regions_of_one_page_are_too_close() -> None:
    made = found(("a", "ram", 0x3000_0000, 16), ("b", "ram", 0x3000_0010, 16))
    assert "# left out: b (0x30000010, 16 B): it shares 4 KB with a" in made.text
    assert len(made.board().regions) == 3


def test_so_many_and_so_large_regions_are_left_out() -> None:
    many = found(*(("x", "ram", 0x6000_0000 + i * 8192, 64) for i in range(30)))
    assert len(many.board().regions) == 16 and "a board has at most 16 regions" in many.text
    large = found(*(("x", "ram", 0x6000_0000 + (i << 26), 60 << 20) for i in range(4)))
    assert len(large.board().regions) == 4 and "over 128 MB in all" in large.text


@given(
    st.lists(
        st.tuples(
            st.text(max_size=40),
            st.sampled_from(("flash", "ram")),
            st.integers(-(2**33), 2**33),
            st.integers(-(2**20), 2**28),
        ),
        max_size=8,
    ),
    st.text(max_size=40),
)
def test_whatever_is_found_the_file_is_toml_and_loads_if_complete(
    rows: list[tuple[str, str, int, int]], text: str
) -> None:
    every = tuple(FoundRegion(*row, text) for row in rows)
    told = Told("mine", text, text, "cortex_m4f", 1000)
    made = draft(Findings(every, mcu=text), told, CORES)
    table = tomllib.loads(made.text)
    if not made.missing and all(row["source"].strip() for row in table["region"].values()):
        assert made.board().name == "mine"


def test_example_is_the_import_filled_in() -> None:
    imported = draft(read_linker_script(LOGGER), TOLD, CORES).board()
    filled = load_board(str(LOGGER.with_suffix(".toml")))
    for one, other in zip(imported.regions, filled.regions, strict=True):
        assert (one.name, one.base, one.size_bytes) == (other.name, other.base, other.size_bytes)
        assert other.source.startswith(one.source)


# --- CMSIS packs -----------------------------------------------------------------------------

PACK = """<?xml version="1.0" encoding="UTF-8"?>
<package><name>Test_DFP</name><devices>
  <family Dfamily="T4 Series" Dvendor="Test:1">
    <processor Dcore="Cortex-M4" DcoreVersion="r0p1" Dfpu="1" Dmpu="1" Dendian="Little-endian"/>
    <subFamily DsubFamily="T405">
      <processor Dclock="168000000"/>
      <memory id="IRAM1" start="0x20000000" size="0x00020000" init="0" default="1"/>
      <device Dname="T405RG">
        <memory name="Flash" access="rx" start="0x08000000" size="0x00100000" default="1"/>
        <variant Dvariant="T405RGTx"><memory name="CCM" access="rw" start="0x10000000"
          size="0x10000"/></variant>
      </device>
    </subFamily>
    <device Dname="T499"><memory name="Bad" access="rx" start="here" size=""/></device>
    <device Dname="T498"/>
  </family></devices></package>
"""
LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE p [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY b{i} "{"&a;" * 10 if i == 0 else f"&b{i - 1};" * 10}">' for i in range(9))
    + "]><package><devices>&b8;</devices></package>"
)


def pack(folder: Path, text: str = PACK) -> Path:
    """Write a pack's description."""
    path = folder / "Test.pdsc"
    path.write_text(text)
    return path


def test_device_of_a_pack_has_what_its_family_has(tmp_path: Path) -> None:
    findings = read_pdsc(pack(tmp_path), "t405rgtx")
    assert [(one.name, one.kind, one.size_bytes) for one in findings.regions] == [
        ("IRAM1", "ram", 0x2_0000),
        ("Flash", "flash", 0x10_0000),
        ("CCM", "ram", 0x1_0000),
    ]
    where = "from Test.pdsc, device T405RGTx"
    assert findings.core == Fact("cortex_m4f", f"{where}, Dcore Cortex-M4")
    assert findings.clock_hz == Fact(168_000_000, f"{where}, Dclock")
    assert len(read_pdsc(pack(tmp_path), "T405RG").regions) == 2
    made = draft(findings, Told(name="mine"), CORES)
    assert made.missing == () and made.board().mcu == "T405RGTx"


@pytest.mark.parametrize(
    ("text", "device", "expected"),
    [
        (LAUGHS, "T405RG", "declares a document type"),
        (PACK[:300], "T405RG", "not XML"),
        ("\x00", "T405RG", "not XML"),
        (PACK, "T405RX", "did you mean T405RG"),
        (PACK, "T499", "'Bad' has no start and size that are numbers"),
        (PACK, "T498", "T498 has no memory"),
    ],
)
def test_pack_that_cannot_be_used(text: str, device: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(BoardError, match=expected):
        read_pdsc(pack(tmp_path, text), device)


# --- pyOCD -----------------------------------------------------------------------------------


def test_pyocd_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyocd", None)
    with pytest.raises(BoardError, match="pip install pyocd"):
        read_pyocd_target("stm32l475xg")


def test_memory_map_of_a_pyocd_target(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a module that has the parts of pyOCD's that are asked for."""

    def region(name: str, kind: str, start: int, length: int) -> SimpleNamespace:
        kinds = {f"is_{one}": one == kind for one in ("flash", "ram", "rom")}
        return SimpleNamespace(name=name, start=start, length=length, **kinds)

    target = SimpleNamespace(
        MEMORY_MAP=(
            region("", "flash", 0x0800_0000, 0x4_0000),
            region("sram1", "ram", 0x2000_0000, 0xC000),
            region("boot", "rom", 0x1FFF_0000, 0x1000),
        )
    )
    builtin = ModuleType("pyocd.target.builtin")
    builtin.BUILTIN_TARGETS = {"stm32l432xc": target}  # type: ignore[attr-defined]
    for name in ("pyocd", "pyocd.target"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "pyocd.target.builtin", builtin)
    findings = read_pyocd_target("STM32L432xC")
    assert [(one.name, one.kind) for one in findings.regions] == [
        ("flash", "flash"),
        ("sram1", "ram"),
    ]
    assert draft(findings, TOLD, CORES).board().region("sram1").size_bytes == 0xC000
    with pytest.raises(BoardError, match="did you mean stm32l432xc"):
        read_pyocd_target("stm32l432")


# --- the command -----------------------------------------------------------------------------


def command(*arguments: str | Path) -> tuple[int, str, str]:
    """Run ``tinysim boards import``; return exit code, stdout and stderr."""
    result = CliRunner().invoke(app, ["boards", "import", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit | BoardError)
    return result.exit_code, result.stdout, result.stderr


COMPLETE = ("--name", "logger", "--core", "cortex_m4f", "--clock-hz", "168000000")


def test_complete_file_is_written_and_loads(tmp_path: Path) -> None:
    target = tmp_path / "logger.toml"
    assert command(LOGGER, *COMPLETE, "-o", target) == (0, "", "")
    assert load_board(str(target)).name == "logger"
    code, text, _ = command(LOGGER, *COMPLETE)
    assert code == 0 and text == target.read_text()


def test_incomplete_file_is_written_too_and_says_what_is_missing(tmp_path: Path) -> None:
    target = tmp_path / "logger.toml"
    code, text, said = command(LOGGER, "--name", "logger", "-o", target)
    assert code == 2 and text == ""
    assert [line.split()[1] for line in said.splitlines()] == ["core", "[clock]"]
    assert "# missing: core" in target.read_text()


def test_name_of_a_known_board_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    target = tmp_path / "x.toml"
    code, text, _ = command(LOGGER, *COMPLETE, "--name", "nano33ble", "-o", target)
    assert code != 0 and text == "" and not target.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        (LOGGER, "--pyocd", "stm32l475xg"),
        (LOGGER, "--device", "T405RG"),
        ("--pdsc", "x.pdsc"),
        (LOGGER, "--core", "cortex_m5"),
        (LOGGER, "-o", "board.txt"),
        (LOGGER, "--clock-hz", "0"),
    ],
)
def test_wrong_use_is_told(arguments: tuple[str | Path, ...]) -> None:
    code, text, said = command(*arguments)
    assert code == 2 and text == "" and said
