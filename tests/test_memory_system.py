"""What memory makes a program wait: words, lines, caches, prefetch, banks; and addresses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import unicorn

from tests.firmware import assembly, call, counted, machine
from tinysim.boards import Bank, Board, Cache, load_board
from tinysim.errors import FaultError
from tinysim.simulator.machine import Machine
from tinysim.simulator.native_tracer import native_library

pytestmark = pytest.mark.skipif(native_library() is None, reason="the native tracer is not built")

WAITS = 5
#: Reads 64 words from the table at r1 on, in the order of the offsets that stand in the loop.
STREAM = """
ldr r1, =table
movs r2, #64
1: ldr r3, [r1], #4
subs r2, #1
bne 1b
bx lr
.ltorg
.balign 64
table: .fill 64, 4, 0x12345678
"""


def board(
    code: Cache | None = None,
    data: Cache | None = None,
    banks: tuple[Bank, ...] = (),
    extra_cycles: int = 0,
) -> Board:
    """The M4 yardstick with flash that waits behind these."""
    plain = load_board("generic_m4")
    caches = tuple({cache.name: cache for cache in (code, data) if cache is not None}.values())
    flash = replace(
        plain.region("flash"),
        wait_states=WAITS,
        extra_cycles=extra_cycles,
        code=code.name if code else None,
        data=data.name if data else None,
    )
    others = tuple(region for region in plain.regions if region.name != "flash")
    return replace(plain, regions=(flash, *others), caches=caches, banks=banks)


def cache(name: str, lines: int, ways: int, line: int, word: int, **more: Any) -> Cache:
    """Return a cache, for the test."""
    return Cache(name, lines, ways, line, word, source="test", **more)


def run(body: str, variant: Board, calls: int = 1, fidelity: int | None = None) -> dict[str, int]:
    """Call an assembly function; return what its last call waited for."""
    loaded = machine(assembly(body), variant=variant, fidelity=fidelity)
    loaded.boot("main")
    for _ in range(calls):
        call(loaded, "probe", loaded.board.region("sram").base + 0x1000)
    return dict(counted(loaded).stalls)


def test_streaming_waits_once_a_word_that_memory_delivers() -> None:
    """64 words and the literal that points to them: 32 or 16 reads, and one more."""
    for word, reads in ((4, 64), (8, 32), (16, 16)):
        stalls = run(STREAM, board(data=cache("buffer", 1, 1, word, word)))
        assert stalls["data"] == WAITS * (reads + 1)


def test_line_that_is_filled_waits_once() -> None:
    filled = run(STREAM, board(data=cache("lines", 4, 4, 32, 8, fills_line=True)))
    assert filled["data"] == WAITS * (64 * 4 // 32 + 1)
    bus = board(data=cache("lines", 4, 4, 32, 8, fills_line=True), extra_cycles=3)
    assert run(STREAM, bus)["data"] == (WAITS + 3) * (64 * 4 // 32 + 1)


@pytest.mark.parametrize(("lines", "again"), [(64, 0), (32, 0), (8, 64 * 4 // 8)])
def test_what_fits_is_there_the_second_time(lines: int, again: int) -> None:
    """Least recently used: a stream that is too long leaves nothing of itself."""
    stalls = run(STREAM, board(data=cache("cache", lines, lines, 16, 8)), calls=2)
    assert stalls["data"] in (WAITS * again, WAITS * (again + 1))


def test_ways_conflict_where_sets_are_the_same() -> None:
    """Three lines 64 bytes apart share a set of two ways, and one of four holds them."""
    body = """
    ldr r1, =table
    movs r2, #10
    1: ldr r3, [r1]
    ldr r3, [r1, #64]
    ldr r3, [r1, #128]
    subs r2, #1
    bne 1b
    bx lr
    .ltorg
    .balign 64
    table: .fill 64, 4, 1
    """
    two = run(body, board(data=cache("cache", 8, 2, 16, 16)))["data"]
    four = run(body, board(data=cache("cache", 16, 4, 16, 16)))["data"]
    assert two == WAITS * (3 * 10 + 1) and four == WAITS * (3 + 1)


def test_loop_in_the_cache_is_fetched_once() -> None:
    body = "movs r2, #200\n.balign 16\n1: adds r3, #1\nadds r3, #1\nsubs r2, #1\nbne 1b\nbx lr"
    cached = run(body, board(code=cache("icache", 8, 2, 16, 16)))
    assert 0 < cached["flash"] <= 3 * WAITS
    word = run(
        body.replace("adds r3, #1\n", "adds r3, #1\n" * 8), board(code=cache("w", 1, 1, 8, 8))
    )
    assert word["flash"] > 200 * 4 * WAITS


def test_prefetch_hides_what_execution_takes() -> None:
    """Sixteen narrow instructions in 8-byte words: each word of four hides four cycles."""
    body = "adds r3, #1\n" * 64 + "bx lr"
    without = run(body, board(code=cache("w", 1, 1, 8, 8)))["flash"]
    ahead = run(body, board(code=cache("w", 1, 1, 8, 8, prefetches=True)))["flash"]
    assert without >= 16 * WAITS
    assert 16 * (WAITS + 1 - 4) - WAITS <= ahead <= 16 * (WAITS + 1 - 4) + 2 * WAITS


def test_bank_costs_once_a_burst() -> None:
    sram = load_board("generic_m4").region("sram")
    bank = Bank("second", sram.base, 0x2000, 1, "test")
    body = "ldr r1, [r0]\nldr r2, [r0, #4]\nstr r1, [r0, #8]\nnop\nstr r2, [r0]\nnop\n"
    body += "ldm r0, {r1, r2}\nbx lr"
    assert run(body, board(banks=(bank,)))["data"] == 3
    elsewhere = replace(bank, base=sram.base + 0x8000)
    assert run(body, board(banks=(elsewhere,)))["data"] == 0


def test_lower_fidelity_leaves_out_what_it_does_not_follow() -> None:
    both = board(code=cache("w", 1, 1, 8, 8), data=cache("d", 1, 1, 4, 4))
    assert run(STREAM, both, fidelity=1) == run(STREAM, load_board("generic_m4"))
    second = run(STREAM, both, fidelity=2)
    third = run(STREAM, both, fidelity=3)
    assert second["data"] == 0 < third["data"] and second["flash"] == third["flash"] > 0


@pytest.mark.parametrize(
    "access",
    [
        "ldrd r1, r2, [r0]",
        "strd r1, r2, [r0, #4]",
        "ldm r0!, {r1, r2}",
        "stm r0!, {r1, r2}",
        "stmdb r0!, {r1, r2}",
        "ldrex r1, [r0]",
        "vldr s0, [r0]",
        "vldmia r0!, {s0, s1}",
    ],
)
def test_several_words_at_an_address_that_is_not_aligned(access: str) -> None:
    loaded = machine(assembly(f"adds r0, #2\n{access}\nbx lr"), fidelity=3)
    loaded.boot("main")
    with pytest.raises(FaultError, match="no multiple of 4") as caught:
        call(loaded, "probe", 0x2000_1000)
    assert caught.value.symbol == "probe+0x2" or caught.value.symbol == "probe+0x4"


@pytest.mark.parametrize("access", ["ldr r1, [r0]", "strh r1, [r0]", "ldrh r1, [r0]"])
def test_single_words_may_be_anywhere(access: str) -> None:
    loaded = machine(assembly(f"adds r0, #1\n{access}\nbx lr"), fidelity=3)
    loaded.boot("main")
    call(loaded, "probe", 0x2000_1000)


ACCESSES = """
push {r4, r5, r6, lr}
vpush {s16, s17}
movs r1, #8
ldr r2, [r0]
ldr r2, [r0, #4]
ldr r2, [r0, #-4]
ldr r2, [r0, r1]
ldr.w r2, [r0, r1, lsl #2]
ldrb r2, [r0, #3]
ldrsh r2, [r0, r1]
ldr r2, [r0], #4
ldr r2, [r0, #4]!
ldrd r2, r3, [r0, #8]
ldrd r2, r3, [r0], #8
strd r2, r3, [r0, #-8]!
stm r0!, {r1, r2, r3}
ldmdb r0!, {r4, r5}
stmdb r0!, {r1, r2}
strb r1, [r0, #1]
strh r1, [r0, r1]
str r1, [sp, #-8]
ldr r5, [pc, #16]
ldrex r2, [r0, #4]
vldr s0, [r0, #4]
vstr s0, [r0, #8]
vldmia r0!, {s0, s1, s2}
vldmdb r0!, {d0}
cmp r1, #9
it eq
ldreq r2, [r0, #64]
ldr r2, =table
movs r1, #1
tbb [pc, r1]
.byte 1, 1
vpop {s16, s17}
pop {r4, r5, r6, pc}
.ltorg
.balign 4
table: .word 1
"""


def test_addresses_are_those_of_the_emulator() -> None:
    """Against the emulator's own memory hooks: every byte, in order; what IT skips is not there.

    Without STREX, which it carries out as a load and a store.
    """
    loaded = machine(assembly(ACCESSES), fidelity=1)
    loaded.boot("main")
    real: list[tuple[bool, int, int]] = []
    ours: list[tuple[bool, int, int]] = []

    def on_access(_uc: Any, kind: int, address: int, size: int, _value: int, _data: Any) -> None:
        real.append((kind == unicorn.UC_MEM_READ, address, size))

    def on_code(_uc: Any, address: int, _size: int, _data: Any) -> None:
        ours.extend(_expected(loaded, address))

    engine = loaded._engine
    engine.hook_add(unicorn.UC_HOOK_MEM_READ | unicorn.UC_HOOK_MEM_WRITE, on_access)
    engine.hook_add(unicorn.UC_HOOK_CODE, on_code)
    engine.ctl_flush_tb()
    call(loaded, "probe", 0x2000_1000)
    assert _bytes(ours) == _bytes(real)
    assert len(real) > 40


def _expected(loaded: Machine, address: int) -> list[tuple[bool, int, int]]:
    """Return what an instruction is about to access, as its decoded form says."""
    access = loaded.prices.decoder.between(address, address + 1)[0].access
    if access is None:
        return []
    names = {"sb": "r9", "sl": "r10", "fp": "r11", "ip": "r12"}
    start = access.displacement
    if access.base is not None:
        start += loaded.get(names.get(access.base, access.base))
    if access.index is not None:
        start += loaded.get(names.get(access.index, access.index)) << access.shift
    return [(access.is_load, start & 0xFFFF_FFFF, access.size_bytes)]


def _bytes(accesses: list[tuple[bool, int, int]]) -> list[tuple[bool, int]]:
    """Spread accesses over their bytes."""
    return [(load, start + i) for load, start, size in accesses for i in range(size)]


@pytest.mark.parametrize(
    ("numerator", "denominator", "cycles"),
    [
        (0, 5, 2),
        (3, 5, 2),
        (7, 0, 2),
        (5, 5, 4),
        (7, 2, 4),
        (100, 3, 5),
        (0x7FFF_FFFF, 1, 11),
        (-100, 3, 5),
    ],
)
def test_division_ends_early(numerator: int, denominator: int, cycles: int) -> None:
    """4 and one for every four bits of the quotient; 2 where it is 0. Without operands: 7."""
    body = f"ldr r1, ={numerator}\nldr r2, ={denominator}\nnop\nsdiv r3, r1, r2\nbx lr\n.ltorg"
    plain = run(body.replace("sdiv r3, r1, r2", "nop"), load_board("generic_m4"))
    divided = run(body, load_board("generic_m4"), fidelity=3)
    assert divided["divide"] - plain["divide"] == cycles - 1
    assert run(body, load_board("generic_m4"))["divide"] == 7 - 1


@pytest.mark.parametrize(
    ("access", "offset", "extra"),
    [
        ("ldr r1, [r0]", 0, 0),
        ("ldr r1, [r0]", 2, 1),
        ("ldr r1, [r0]", 1, 2),
        ("str r1, [r0]", 3, 2),
        ("ldrh r1, [r0]", 2, 0),
        ("ldrh r1, [r0]", 1, 1),
        ("ldrb r1, [r0]", 1, 0),
    ],
)
def test_word_that_straddles_takes_several_accesses(access: str, offset: int, extra: int) -> None:
    body = f"adds r0, #{offset}\nnop\n{access}\nbx lr"
    assert run(body, load_board("generic_m4"), fidelity=3)["data"] == extra
