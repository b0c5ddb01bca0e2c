"""Firmware that goes wrong ends with one clear verdict: what, where, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

import tinysim
from tests.firmware import assembly, call, link, machine
from tinysim.errors import FaultError, SimulationError

NOIPA = "#define FAR __attribute__((noipa))\n"
BOARDS = ("generic_m0plus", "generic_m4", "generic_m7", "generic_m33")


def ending(tmp_path: Path, source: str, board: str) -> FaultError:
    """Run firmware from reset and return how it ends."""
    path = tmp_path / "bad.elf"
    path.write_bytes(link(NOIPA + source, board))
    with pytest.raises(FaultError) as caught:
        tinysim.run_firmware(path, board, limit_s=0.5)
    return caught.value


@pytest.mark.parametrize("board", BOARDS)
def test_stack_that_grows_into_variables(tmp_path: Path, board: str) -> None:
    """By how much, over which variable, and where: before what it overwrites does harm."""
    error = ending(
        tmp_path,
        "char victim[4096]; volatile int depth;\n"
        "FAR int sink(char *p) { return p[0]; }\n"
        "FAR int recurse(int k) { char room[512]; room[0] = (char)k; depth = k;\n"
        "  return sink(room) + recurse(k + 1) + sink(room); }\n"
        "int main(void) { victim[depth] = 1; return recurse(sink(victim)); }\n",
        board,
    )
    assert "stack overflow: SP went down to 0x" in str(error)
    assert error.symbol.startswith(("recurse", "sink"))
    assert "give the stack more room" in str(error)


def test_stack_that_leaves_the_memory() -> None:
    """A frame so large that its first write is outside: told as what it is."""
    loaded = machine(
        assembly("push {r4, lr}\nldr r1, =0x400000\nsub sp, r1\npush {r4}\nbx lr\n.ltorg")
    )
    loaded.boot("main")
    with pytest.raises(FaultError, match="stack overflow"):
        call(loaded, "probe")


def test_stack_of_a_task_is_no_overflow(tmp_path: Path) -> None:
    """Stacks of tasks lie among variables."""
    loaded = machine(
        "#define FAR __attribute__((noipa))\n"
        "static char stack[1024]; volatile int seen; FAR void finish(void) {}\n"
        "FAR void task(void) { volatile char room[64]; room[3] = 1; seen = room[3]; }\n"
        'int main(void) { __asm volatile("msr psp, %0\\nmrs r1, control\\nmovs r2, #2\\n'
        'orrs r1, r2\\nmsr control, r1\\nisb" :: "r"(stack + 1024) : "r1", "r2");\n'
        "  task(); finish(); for (;;) {} }\n"
    )
    loaded.boot("finish")
    seen = loaded.image.symbol("seen").address
    assert loaded.read(seen, 1) == b"\1"


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("what", ["const", "variable"])
def test_executing_data(tmp_path: Path, board: str, what: str) -> None:
    kind = "const " if what == "const" else ""
    error = ending(
        tmp_path,
        f"{kind}unsigned short table[8] = {{0x2001, 0x2002, 0x4770, 1, 2, 3, 4, 5}};\n"
        "int main(void) { volatile unsigned at = (unsigned)table;\n"
        "  ((void (*)(void))(at | 1))(); for (;;) {} }\n",
        board,
    )
    assert "executes data: the variable table" in str(error)


@pytest.mark.parametrize("board", BOARDS)
def test_executing_memory_that_holds_nothing(tmp_path: Path, board: str) -> None:
    error = ending(
        tmp_path,
        "int main(void) { int here; volatile unsigned at = ((unsigned)&here - 0x800) | 1;\n"
        "  ((void (*)(void))at)(); for (;;) {} }\n",
        board,
    )
    assert "executes memory that nothing was ever written to" in str(error)


@pytest.mark.parametrize("board", BOARDS)
def test_executing_erased_flash(tmp_path: Path, board: str) -> None:
    error = ending(
        tmp_path,
        "extern char __flash_end[] __attribute__((weak));\n"
        "int main(void) { volatile unsigned at = ((unsigned)main & 0xffff0000) + 0x8001;\n"
        "  ((void (*)(void))at)(); for (;;) {} }\n",
        board,
    )
    assert "executes erased flash" in str(error)


@pytest.mark.parametrize("board", BOARDS)
def test_jump_into_nowhere(tmp_path: Path, board: str) -> None:
    error = ending(
        tmp_path,
        "int main(void) { volatile unsigned at = 0x12345679; ((void (*)(void))at)(); for (;;) {} }",
        board,
    )
    assert f"executes 0x12345678, where {board} has no memory" in str(error)


@pytest.mark.parametrize("board", BOARDS)
def test_writing_flash(tmp_path: Path, board: str) -> None:
    error = ending(
        tmp_path,
        "const int constant = 5;\n"
        "int main(void) { int *volatile p = (int *)&constant; *p = 6; for (;;) {} }",
        board,
    )
    assert "writes flash at 0x" in str(error) and "main" in str(error)


def test_loop_for_ever_names_where_it_hangs(tmp_path: Path) -> None:
    path = tmp_path / "loop.elf"
    path.write_bytes(
        link(
            NOIPA + "FAR void stuck(void) { for (;;) {} } int main(void) { stuck(); }", "generic_m4"
        )
    )
    with pytest.raises(SimulationError, match="in stuck: still running after"):
        tinysim.run_firmware(path, "generic_m4", start="stuck", end="main", limit_s=0.01)


def test_word_that_is_not_aligned_on_armv6() -> None:
    loaded = machine(assembly("ldr r1, =0x20000001\nldr r0, [r1]\nbx lr\n.ltorg"), "generic_m0plus")
    loaded.boot("main")
    with pytest.raises(FaultError, match="address that is not aligned"):
        call(loaded, "probe")


def test_words_that_are_not_aligned_where_no_memory_waits(tmp_path: Path) -> None:
    """Firmware of others is followed address by address on every board."""
    error = ending(
        tmp_path,
        "int main(void) { volatile unsigned at = 0x20000102;\n"
        '  __asm volatile("ldm %0, {r2, r3}" :: "r"(at) : "r2", "r3"); for (;;) {} }',
        "generic_m4",
    )
    assert "no multiple of 4" in str(error) and error.symbol.startswith("main")
