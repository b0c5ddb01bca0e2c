"""Chip families as data, and the peripherals that they make."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT
from tinysim.boards import board_names, load_board
from tinysim.boards.families import family_names, load_family, parse_family
from tinysim.errors import BoardError, SimulationError
from tinysim.simulator.bus import Bus

FAMILIES = ROOT / "boards" / "families"


@dataclass
class Chip:
    """A bus with a clock that the test winds."""

    family: str
    hse_hz: int | None = None
    baud: int | None = 115_200
    now: int = 0
    irqs: list[tuple[int, bool]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bus = Bus(
            load_family(self.family),
            lambda: self.now,
            lambda irq, level: self.irqs.append((irq, level)),
            self.unknown.append,
            hse_hz=self.hse_hz,
            baud=self.baud,
        )

    def at(self, name: str) -> int:
        """Address of ``BLOCK.REGISTER``."""
        block, register = name.split(".")
        described = self.bus.family.blocks[block]
        offset = described.registers[register].offset
        assert offset is not None
        return described.base + offset

    def get(self, name: str) -> int:
        return self.bus.read(self.at(name), 4)

    def put(self, name: str, value: int) -> None:
        self.bus.write(self.at(name), 4, value)

    def wind(self, cycles: int) -> None:
        """Let time pass as a machine does: from event to event."""
        end = self.now + cycles
        while (event := self.bus.next_event_cycles()) is not None and event <= end:
            self.now = max(self.now, event)
            self.bus.serve(self.now)
        self.now = end


# --- the files -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", family_names())
def test_family_file_is_complete(name: str) -> None:
    family = load_family(name)
    chip = Chip(name)
    assert chip.bus.core_clock_hz()
    assert all(block.source.strip() for block in family.blocks.values())
    uarts = [block for block in family.blocks.values() if block.uart is not None]
    assert uarts and all(block.interrupts for block in uarts)
    assert any(block.counter is not None for block in family.blocks.values())
    assert any(base == 0x4000_0000 for base, _ in chip.bus.windows)


@pytest.mark.parametrize("name", family_names())
def test_every_register_reads_as_its_reset_value_unless_hardware_derives_it(name: str) -> None:
    chip = Chip(name)
    for block in chip.bus.family.blocks.values():
        for register in block.registers.values():
            if register.offset is None or register.reads_as is not None or register.decodes:
                continue
            derived = sum(follow.target.mask for follow in register.follows)
            # Spinlocks are claimed by reading; a counter that always runs stands at 0 now.
            if block.spinlocks is None:
                got = chip.get(f"{block.name}.{register.name}")
                assert got & ~derived == register.reset & ~derived, register.name
    assert chip.unknown == []


@pytest.mark.parametrize("name", board_names())
def test_board_names_a_family_and_one_of_its_uarts(name: str) -> None:
    board = load_board(name)
    if board.family is None:
        assert board.console is None
        return
    assert load_family(board.family)
    if board.console is not None:
        assert Chip(board.family).bus.uart(board.console)


@pytest.mark.parametrize(
    ("family", "register", "ready"),
    [
        ("stm32l4", "RCC.CR", 0x2),
        ("stm32g0", "RCC.CR", 1 << 10),
        ("stm32f7", "RCC.CR", 0x2),
        ("stm32f4", "RCC.CR", 0x2),
        ("stm32h7", "RCC.CR", 0x4),
        ("stm32u5", "RCC.CR", 0x4),
    ],
)
def test_oscillator_that_runs_from_reset_is_ready(family: str, register: str, ready: int) -> None:
    assert Chip(family).get(register) & ready


# --- registers -------------------------------------------------------------------------------


def test_ready_bits_follow_enable_bits_and_cannot_be_written() -> None:
    chip = Chip("stm32l4")
    assert chip.get("RCC.CR") == 0x63
    chip.put("RCC.CR", 0x63 | 1 << 8 | 1 << 24)
    assert chip.get("RCC.CR") == 0x63 | 3 << 24 | 1 << 8 | 1 << 10
    chip.put("RCC.CR", 0x62 | 1 << 25 | 1 << 17)
    assert chip.get("RCC.CR") == 0x60
    chip.put("RCC.CFGR", 3)
    assert chip.get("RCC.CFGR") == 0xF


def test_bits_follow_registers_of_the_same_block() -> None:
    f7, u5 = Chip("stm32f7"), Chip("stm32u5")
    f7.put("PWR.CR1", 0xC000 | 1 << 16)
    assert f7.get("PWR.CSR1") == 0x4000 | 1 << 16
    assert u5.get("PWR.SVMSR") == 0x8000
    u5.put("PWR.CR3", 2)
    u5.put("PWR.VOSR", 3 << 16 | 1 << 18)
    assert u5.get("PWR.SVMSR") == 0x8000 | 3 << 16 | 2
    assert u5.get("PWR.VOSR") == 0x8000 | 3 << 16 | 1 << 18 | 1 << 14
    assert u5.get("OTG_FS.GRSTCTL") == 0x8000_0000


def test_inverted_and_decoded_bits() -> None:
    chip = Chip("rp2040")
    assert chip.get("RESETS.RESET_DONE") == 0
    chip.bus.write(chip.at("RESETS.RESET") + 0x3000, 4, 1 << 22)  # clear alias
    assert chip.get("RESETS.RESET_DONE") == 1 << 22
    chip.bus.write(chip.at("RESETS.RESET") + 0x2000, 4, 1 << 22)  # set alias
    chip.bus.write(chip.at("RESETS.RESET") + 0x1000, 4, 1)  # flip alias
    assert chip.get("RESETS.RESET_DONE") == 1
    chip.put("CLOCKS.CLK_REF_CTRL", 2)
    assert chip.get("CLOCKS.CLK_REF_SELECTED") == 4
    chip.put("PLL_SYS.PWR", 0)
    assert chip.get("PLL_SYS.CS") == 0x8000_0001


def test_writes_that_set_and_clear_bits_elsewhere() -> None:
    chip = Chip("stm32g0")
    chip.put("GPIOA.BSRR", 0x0000_0021)
    chip.put("GPIOA.BSRR", 0x0001_0002)
    assert chip.get("GPIOA.ODR") == chip.get("GPIOA.IDR") == 0x22
    assert chip.get("GPIOA.BSRR") == 0
    chip.put("FLASH.KEYR", 0xCDEF_89AB)
    assert chip.get("FLASH.CR") == 0x4000_0000


def test_events_follow_tasks_and_can_be_cleared() -> None:
    chip = Chip("nrf52")
    chip.put("CLOCK.INTENSET", 1)
    for _ in range(2):
        chip.put("CLOCK.TASKS_HFCLKSTART", 1)
        assert chip.get("CLOCK.EVENTS_HFCLKSTARTED") == 1
        chip.put("CLOCK.EVENTS_HFCLKSTARTED", 0)
        assert chip.get("CLOCK.EVENTS_HFCLKSTARTED") == 0
    assert chip.irqs == [(0, True), (0, False)] * 2
    assert chip.get("CLOCK.HFCLKSTAT") == 0x1_0001
    assert chip.get("CLOCK.INTENCLR") == 1


def test_bytes_and_halfwords_touch_only_their_lanes() -> None:
    chip = Chip("stm32l4")
    address = chip.at("GPIOC.MODER")
    chip.bus.write(address + 1, 1, 0x12)
    chip.bus.write(address + 2, 2, 0x3456)
    assert chip.bus.read(address, 4) == 0x3456_12FF
    assert chip.bus.read(address + 1, 1) == 0x12
    assert chip.bus.read(address + 2, 2) == 0x3456
    chip.bus.write(chip.at("GPIOC.BSRR") + 2, 1, 0xFF)  # a byte of the reset half
    chip.put("GPIOC.BSRR", 0x300)
    chip.bus.write(chip.at("GPIOC.BSRR") + 3, 1, 0x01)
    assert chip.get("GPIOC.ODR") == 0x200


@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.sampled_from([1, 2, 4]), st.integers(0, 0xFFFF_FFFF)),
        max_size=20,
    )
)
def test_undescribed_registers_behave_as_memory(writes: list[tuple[int, int, int]]) -> None:
    chip, memory = Chip("stm32l4"), bytearray(64)
    for offset, size, value in writes:
        chip.bus.write(0x4001_0000 + offset, size, value & (1 << 8 * size) - 1)
        memory[offset : offset + size] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
    for offset, size, _ in writes:
        expected = int.from_bytes(memory[offset : offset + size], "little")
        assert chip.bus.read(0x4001_0000 + offset, size) == expected


def test_unknown_addresses_are_told_once_with_their_name_and_stored() -> None:
    chip = Chip("stm32l4")
    for _ in range(2):
        chip.bus.write(0x4001_3010, 4, 7)
        assert chip.bus.read(0x4001_3010, 4) == 7
        assert chip.bus.read(0x4001_3011, 1) == 0
    chip.bus.read(0x5F00_0000, 4)
    chip.bus.read(chip.bus.family.blocks["SYSCFG"].base + 0x3FC, 4)
    assert chip.unknown == ["SPI1+0x10 (0x40013010)", "0x5f000000"]


# --- UARTs -----------------------------------------------------------------------------------

#: Family, UART, its set-up, status (register, received bit), data in, data out, irq.
UARTS = [
    ("stm32l4", "LPUART1", [("CR1", 0x2D)], ("ISR", 0x20), "RDR", "TDR", 70),
    ("stm32g0", "USART2", [("CR1", 0x2D)], ("ISR", 0x20), "RDR", "TDR", 28),
    ("stm32f7", "USART1", [("CR1", 0x2D)], ("ISR", 0x20), "RDR", "TDR", 37),
    ("stm32u5", "USART1", [("CR1", 0x2D)], ("ISR", 0x20), "RDR", "TDR", 61),
    ("stm32h7", "USART3", [("CR1", 0x2D)], ("ISR", 0x20), "RDR", "TDR", 39),
    ("stm32f4", "USART2", [("CR1", 0x202C)], ("SR", 0x20), "DR", "DR", 38),
    (
        "rp2040",
        "UART0",
        [("UARTCR", 0x301), ("UARTIMSC", 0x10)],
        ("UARTMIS", 0x10),
        "UARTDR",
        "UARTDR",
        20,
    ),
    (
        "nrf52",
        "UART0",
        [("ENABLE", 4), ("TASKS_STARTRX", 1), ("INTENSET", 4)],
        ("EVENTS_RXDRDY", 1),
        "RXD",
        "TXD",
        2,
    ),
]


@pytest.mark.parametrize(
    ("family", "name", "setup", "status", "rx", "tx", "irq"), UARTS, ids=[row[0] for row in UARTS]
)
def test_host_and_firmware_talk(
    family: str,
    name: str,
    setup: list[tuple[str, int]],
    status: tuple[str, int],
    rx: str,
    tx: str,
    irq: int,
) -> None:
    chip = Chip(family)
    uart, (register, ready) = chip.bus.uart(name), status
    uart.send(b"hi")
    chip.wind(1_000_000)
    assert not chip.get(f"{name}.{register}") & ready  # nobody has enabled reception yet
    for key, value in setup:
        chip.put(f"{name}.{key}", value)
    got = b""
    for _ in b"hi":
        chip.wind(1_000_000)
        assert chip.irqs[-1] == (irq, True)
        assert chip.get(f"{name}.{register}") & ready
        got += bytes([chip.get(f"{name}.{rx}") & 0xFF])
        assert chip.irqs[-1] == (irq, False)
        assert not chip.get(f"{name}.{register}") & ready
    assert got == b"hi" and uart.pending == 0
    for char in b"ok":
        chip.put(f"{name}.{tx}", char)
    assert uart.received == b"ok"


def test_characters_come_at_the_speed_of_the_line() -> None:
    chip = Chip("stm32l4")
    chip.put("LPUART1.CR1", 0x5)
    chip.bus.uart("LPUART1").send(b"ab")
    character = 4_000_000 * 10 // 115_200
    assert chip.bus.next_event_cycles() == character
    chip.now = character - 1
    assert not chip.get("LPUART1.ISR") & 0x20
    chip.now = character
    assert chip.get("LPUART1.RDR") == ord("a")
    assert not chip.get("LPUART1.ISR") & 0x20
    chip.now = 2 * character
    assert chip.get("LPUART1.ISR") & 0x20


def test_second_character_waits_until_the_first_was_read() -> None:
    chip = Chip("stm32f4")
    chip.put("USART2.CR1", 0x202C)
    chip.bus.uart("USART2").send(b"ab")
    chip.wind(10_000_000)
    assert chip.get("USART2.DR") == ord("a")
    chip.wind(10_000_000)
    assert chip.get("USART2.DR") == ord("b")
    assert chip.bus.next_event_cycles() is None


def test_without_a_baud_rate_characters_come_as_fast_as_they_are_read() -> None:
    chip = Chip("stm32l4", baud=None)
    chip.put("LPUART1.CR1", 0x5)
    chip.bus.uart("LPUART1").send(b"abc")
    assert [chip.get("LPUART1.RDR") for _ in "abc"] == [*b"abc"]


def test_transmit_interrupts_and_flags() -> None:
    chip = Chip("stm32g0")
    chip.put("USART2.CR1", 0x9)
    assert chip.get("USART2.ISR") & 0x60_00C0 == 0x20_00C0  # TEACK, TXE, TC
    chip.put("USART2.ICR", 0x40)
    assert chip.get("USART2.ISR") & 0xC0 == 0x80
    chip.put("USART2.CR1", 0x9 | 0x40)  # TC interrupt
    assert chip.irqs == []
    chip.put("USART2.TDR", ord("x"))
    assert chip.irqs == [(28, True)]
    chip.put("USART2.ICR", 0x40)
    assert chip.irqs == [(28, True), (28, False)]


def test_line_that_blocks_share_stays_active_while_one_needs_it() -> None:
    chip = Chip("stm32g0")
    chip.put("USART3.CR1", 0x89)
    chip.put("USART4.CR1", 0x89)
    chip.put("USART3.CR1", 0x09)
    assert chip.irqs == [(29, True)]
    chip.put("USART4.CR1", 0x09)
    assert chip.irqs == [(29, True), (29, False)]


def test_unknown_uart_names_the_others() -> None:
    with pytest.raises(SimulationError, match="choose one of UART0"):
        Chip("nrf52").bus.uart("USART1")


# --- clocks ----------------------------------------------------------------------------------

#: Family, crystal, register values in the order of a start-up, Hz.
CLOCKS: list[tuple[str, int | None, list[tuple[str, int]], int]] = [
    (
        "stm32l4",  # MSI 4 MHz / 1 * 60 / 2
        None,
        [("RCC.PLLCFGR", 0x0100_3C01), ("RCC.CR", 0x0100_0063), ("RCC.CFGR", 3)],
        120_000_000,
    ),
    (
        "stm32g0",  # HSI16 / 1 * 8 / 2
        None,
        [("RCC.PLLCFGR", 0x3000_0802), ("RCC.CR", 0x0100_0500), ("RCC.CFGR", 2)],
        64_000_000,
    ),
    (
        "stm32f7",  # HSE 25 MHz / 25 * 432 / 2
        25_000_000,
        [
            ("RCC.CR", 0x0001_0083),
            ("RCC.PLLCFGR", 25 | 432 << 6 | 1 << 22 | 9 << 24),
            ("RCC.CR", 0x0101_0083),
            ("RCC.CFGR", 2 | 5 << 10 | 4 << 13),
        ],
        216_000_000,
    ),
    (
        "stm32f4",  # HSE 8 MHz / 8 * 336 / 2
        8_000_000,
        [("RCC.PLLCFGR", 8 | 336 << 6 | 1 << 22 | 7 << 24), ("RCC.CFGR", 2)],
        168_000_000,
    ),
    (
        "stm32u5",  # MSIS 4 MHz / 1 * 80 / 2
        None,
        [("RCC.PLL1CFGR", 0x0007_0001), ("RCC.PLL1DIVR", 79 | 1 << 24), ("RCC.CFGR1", 3)],
        160_000_000,
    ),
    (
        "stm32h7",  # HSI 64 MHz / 4 * 35 / 2
        None,
        [("RCC.PLLCKSELR", 4 << 4), ("RCC.PLL1DIVR", 34 | 1 << 9), ("RCC.CFGR", 3)],
        280_000_000,
    ),
    ("nrf52", None, [("CLOCK.TASKS_HFCLKSTART", 1)], 64_000_000),
    (
        "rp2040",  # 12 MHz * 125 / 6 / 2
        None,
        [
            ("PLL_SYS.FBDIV_INT", 125),
            ("PLL_SYS.PRIM", 6 << 16 | 2 << 12),
            ("CLOCKS.CLK_SYS_CTRL", 1),
        ],
        125_000_000,
    ),
]


@pytest.mark.parametrize(
    ("family", "hse_hz", "writes", "hz"), CLOCKS, ids=[row[0] for row in CLOCKS]
)
def test_clock_that_firmware_programs(
    family: str, hse_hz: int | None, writes: list[tuple[str, int]], hz: int
) -> None:
    chip = Chip(family, hse_hz)
    for name, value in writes:
        chip.put(name, value)
    assert chip.bus.core_clock_hz() == hz


def test_fractions_and_divided_clocks() -> None:
    chip = Chip("stm32u5")
    chip.put("RCC.PLL1CFGR", 1)
    chip.put("RCC.PLL1DIVR", 79 | 1 << 24)
    chip.put("RCC.PLL1FRACR", 4096 << 3)
    chip.put("RCC.CFGR1", 3)
    assert chip.bus.core_clock_hz() == 161_000_000
    chip.put("RCC.CFGR2", 8)
    assert chip.bus.core_clock_hz() == 80_500_000
    pico = Chip("rp2040")
    pico.put("CLOCKS.CLK_SYS_DIV", 0)
    assert pico.bus.core_clock_hz() == round(6_500_000 / 65_536)


def test_clock_without_a_source_is_unknown() -> None:
    chip = Chip("stm32l4")
    chip.put("RCC.CFGR", 3)  # the PLL has no input
    assert chip.bus.core_clock_hz() is None
    assert chip.get("TIM2.CNT") == 0


@pytest.mark.parametrize(
    ("family", "value", "wait_states"),
    [
        ("stm32l4", 0x105, 5),
        ("stm32g0", 0x102, 2),
        ("stm32f7", 0x307, 7),
        ("stm32u5", 0x104, 4),
        ("stm32h7", 0x26, 6),
    ],
)
def test_wait_states_that_firmware_sets(family: str, value: int, wait_states: int) -> None:
    chip = Chip(family)
    chip.put("FLASH.ACR", value)
    assert chip.get("FLASH.ACR") == value
    assert chip.bus.field("FLASH", "ACR") == value
    assert chip.bus.wait_states() == wait_states


# --- counters --------------------------------------------------------------------------------


def test_timer_counts_simulated_time_through_its_prescaler() -> None:
    chip = Chip("stm32l4")
    chip.put("TIM5.PSC", 3)
    chip.now = 1000
    assert chip.get("TIM5.CNT") == 0
    chip.put("TIM5.CR1", 1)
    chip.now = 1402
    assert chip.get("TIM5.CNT") == 100
    chip.put("TIM5.CR1", 0)
    chip.now = 5000
    assert chip.get("TIM5.CNT") == 100
    chip.put("TIM5.EGR", 1)
    assert chip.get("TIM5.CNT") == 0
    assert chip.get("TIM5.SR") & 1
    chip.put("TIM5.SR", 0)
    chip.put("TIM5.CNT", 0xFFFF_FFFF)
    chip.put("TIM5.CR1", 1)
    chip.now = 5004
    assert chip.get("TIM5.CNT") == 0
    assert chip.get("TIM5.SR") & 1


def test_timer_on_a_slower_bus_counts_slower() -> None:
    chip = Chip("stm32f7", 25_000_000)
    for name, value in CLOCKS[2][2]:
        chip.put(name, value)
    chip.put("TIM2.PSC", 107)  # APB1 at HCLK / 4 doubles for its timers: 108 MHz
    chip.put("TIM2.CR1", 1)
    chip.now += 216_000
    assert chip.get("TIM2.CNT") == 1000


def test_count_goes_on_when_the_clock_changes() -> None:
    chip = Chip("stm32h7")
    chip.put("TIM2.CR1", 1)
    chip.now = 500
    chip.put("RCC.CDCFGR1", 8)  # AHB at half the core clock
    assert chip.get("TIM2.CNT") == 500
    chip.now = 600
    assert chip.get("TIM2.CNT") == 550


def test_timer_interrupts_when_it_overflows_and_matches() -> None:
    chip = Chip("stm32g0")
    chip.put("TIM3.ARR", 99)
    chip.put("TIM3.CCR1", 40)
    chip.put("TIM3.DIER", 3)
    chip.put("TIM3.CR1", 1)
    assert chip.bus.next_event_cycles() == 40
    chip.wind(40)
    assert chip.irqs == [(16, True)]
    chip.put("TIM3.SR", ~2 & 0xFFFF_FFFF)
    assert chip.irqs == [(16, True), (16, False)]
    assert chip.bus.next_event_cycles() == 100
    chip.wind(60)
    assert chip.get("TIM3.SR") & 3 == 1
    assert chip.get("TIM3.CNT") == 0


def test_capture_tasks_of_the_nrf52() -> None:
    chip = Chip("nrf52")
    chip.put("TIMER0.BITMODE", 3)
    chip.put("TIMER0.PRESCALER", 4)
    chip.put("TIMER0.TASKS_START", 1)
    chip.now = 64_000
    chip.put("TIMER0.TASKS_CAPTURE2", 1)
    assert chip.get("TIMER0.CC2") == 1000
    chip.put("TIMER0.TASKS_CLEAR", 1)
    chip.now += 64
    chip.put("TIMER0.TASKS_STOP", 1)
    chip.now += 64
    chip.put("TIMER0.TASKS_CAPTURE0", 1)
    assert chip.get("TIMER0.CC0") == 1


def test_real_time_counter_of_the_nrf52() -> None:
    chip = Chip("nrf52")
    chip.put("RTC1.TASKS_START", 1)
    chip.put("RTC1.CC0", 328)
    chip.put("RTC1.INTENSET", 1 << 16)
    assert chip.bus.next_event_cycles() == 640_625
    chip.wind(640_625)
    assert chip.get("RTC1.COUNTER") == 328
    assert chip.get("RTC1.EVENTS_TICK") == chip.get("RTC1.EVENTS_COMPARE0") == 1
    assert chip.irqs == [(17, True)]


def test_timer_of_the_rp2040_counts_microseconds_and_wakes() -> None:
    chip = Chip("rp2040")
    for name, value in CLOCKS[-1][2]:
        chip.put(name, value)
    chip.now = 125 * (1 << 32) + 125 * 7
    assert (chip.get("TIMER.TIMERAWH"), chip.get("TIMER.TIMERAWL")) == (1, 7)
    chip.put("TIMER.INTE", 8)
    chip.put("TIMER.ALARM3", 100)
    assert chip.get("TIMER.ARMED") == 8
    chip.wind(125 * 92)
    assert chip.irqs == []
    chip.wind(125)
    assert chip.irqs == [(3, True)]
    assert chip.get("TIMER.ARMED") == 0
    chip.put("TIMER.INTR", 8)
    assert chip.irqs == [(3, True), (3, False)]


# --- RP2040's single-cycle I/O -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "dividend", "divisor", "quotient", "remainder"),
    [
        ("U", 100, 7, 14, 2),
        ("U", 0xFFFF_FFFF, 2, 0x7FFF_FFFF, 1),
        ("U", 5, 0, 0xFFFF_FFFF, 5),
        ("S", -100, 7, -14, -2),
        ("S", 100, -7, -14, 2),
        ("S", -5, 0, 1, -5),
        ("S", 5, 0, -1, 5),
    ],
)
def test_divider(kind: str, dividend: int, divisor: int, quotient: int, remainder: int) -> None:
    chip = Chip("rp2040")
    chip.put(f"SIO.DIV_{kind}DIVIDEND", dividend & 0xFFFF_FFFF)
    chip.put(f"SIO.DIV_{kind}DIVISOR", divisor & 0xFFFF_FFFF)
    assert chip.get("SIO.DIV_CSR") == 3
    assert chip.get("SIO.DIV_REMAINDER") == remainder & 0xFFFF_FFFF
    assert chip.get("SIO.DIV_QUOTIENT") == quotient & 0xFFFF_FFFF
    assert chip.get("SIO.DIV_CSR") == 1


def test_spinlocks_and_the_processor_number() -> None:
    chip = Chip("rp2040")
    assert chip.get("SPINLOCKS.SPINLOCK31") == 1 << 31
    assert chip.get("SPINLOCKS.SPINLOCK31") == 0
    chip.put("SPINLOCKS.SPINLOCK31", 1)
    assert chip.get("SPINLOCKS.SPINLOCK31") == 1 << 31
    assert chip.get("SIO.CPUID") == 0
    chip.put("SIO.GPIO_OUT_SET", 0x11)
    chip.put("SIO.GPIO_OUT_XOR", 0x01)
    assert chip.get("SIO.GPIO_IN") == 0x10


# --- what the loader refuses ---------------------------------------------------------------------

SMALL = """
title = "small"
source = "none"
[clock]
core = "C"
source = "none"
[clock.node]
C = { hz = 1_000_000 }
[template.T]
size_bytes = 0x10
source = "none"
[template.T.register]
A = { offset = 0 }
[block]
ONE = { like = "T", base = 0x4000_0000 }
"""


def refused(extra: str = "", without: str = "") -> str:
    table: dict[str, Any] = tomllib.loads(SMALL.replace(without, "") + extra)
    with pytest.raises(BoardError) as caught:
        parse_family(table, where="test", name="small", sha256="")
    return str(caught.value)


def test_unknown_family_names_the_near_ones() -> None:
    with pytest.raises(BoardError, match="did you mean stm32"):
        load_family("stm32l5")
    assert "_stm32" not in family_names()


def test_small_family_loads() -> None:
    family = parse_family(tomllib.loads(SMALL), where="test", name="small", sha256="")
    assert family.blocks["ONE"].registers["A"].offset == 0


def test_all_schema_problems_are_told_at_once() -> None:
    message = refused(
        'TWO = { like = "U", base = "here", size_bytes = 4, source = "x", colour = 1 }\n'
        'THREE = { base = 0, size_bytes = 4, source = "x", register = { A = { follows = ["q"] } }, '
        'interrupts = ["A.0"] }\n',
        without='source = "none"\n[clock]\n',
    )
    for part in (
        "like = 'U', which is no template",
        "base is 'here', not a number",
        "unknown key 'colour'",
        "'q' is not bits like REG.7:4",
        "interrupt 'A.0' has no irq",
        "missing 'source'",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ('X = { like = "T", base = 0x4000_0008 }', "blocks ONE and X overlap"),
        ('X = { like = "T", base = 0 }', "0x00000000 is in no window"),
        ('X = { like = "T", base = 0x4100_0000, register = { B = { offset = 0 } } }', "twice"),
        (
            'X = { like = "T", base = 0x4100_0000, register = { B = { offset = 16 } } }',
            "offset out",
        ),
        (
            'X = { like = "T", base = 0x4100_0000, register = { B = { reset = 0x1_0000_0000 } } }',
            "more than 32 bits",
        ),
        (
            'X = { like = "T", base = 0x4100_0000, register = { B = { follows = ["1=Z.1"] } } }',
            "names 'Z', which is no register",
        ),
        (
            'X = { like = "T", base = 0x4100_0000, uart = { tx = "A", rx = "Q", rx_ready = [] } }',
            "names 'Q', which is no register",
        ),
        (
            'X = { like = "T", base = 0x4100_0000, counter = { clock = "D" } }',
            "clock 'D' is no node",
        ),
        ('[clock.node.D]\nfrom = "D"', "comes from itself"),
        ('[clock.node.D]\nfrom = ["C", "C"]', "select goes with several choices"),
        ('[clock.node.D]\nfrom = "C"\ndivide = "ONE.B.1:0"', "no register ONE.B"),
        ('[clock.node.D]\nhz = 1\nfrom = "C"', "needs either hz or from"),
        ('[clock.node.D]\nfrom = "E"', "'E' is no node"),
        ('[map]\nX = "there"', "map.X: is 'there'"),
    ],
)
def test_contradictions_are_refused(extra: str, message: str) -> None:
    assert message in refused(extra)
