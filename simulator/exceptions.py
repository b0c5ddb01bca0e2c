"""Taking exceptions and returning from them: the stack frames and EXC_RETURN of Armv6-M to v8-M."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Protocol

from tinysim.simulator.nvic import Nvic

#: Values from here on are not addresses but say how to return from an exception.
EXC_RETURN_FIRST = 0xFFFF_FF00

_BASIC_WORDS, _EXTENDED_WORDS = 8, 26
_SPSEL = 2
_ALIGNED = 1 << 9


class Cpu(Protocol):
    """The registers that exceptions save, restore and change."""

    def get(self, register: str) -> int:
        """Read a register by its name in Arm's manuals."""

    def set(self, register: str, value: int) -> None:
        """Write a register."""

    def read(self, address: int, size_bytes: int) -> bytes:
        """Read memory."""

    def write(self, address: int, data: bytes) -> None:
        """Write memory."""


@dataclass
class ExceptionUnit:
    """Pushes and pops frames; decides nothing (see ``Nvic``).

    ``has_fp_context`` says that the program uses the FPU: frames then hold S0 to S15 as well.
    ``is_v8`` selects the EXC_RETURN values of Armv8-M.
    """

    cpu: Cpu
    nvic: Nvic
    is_v8: bool
    has_fp_context: bool = False

    def enter(self, number: int, handler: int) -> None:
        """Save the context and go to a handler."""
        cpu = self.cpu
        in_handler = bool(self.nvic.active)
        on_process_stack = not in_handler and bool(cpu.get("control") & _SPSEL)
        sp = cpu.get("sp")
        flags = cpu.get("xpsr") & ~0x1FF | (self.nvic.active[-1] if in_handler else 0)
        words = _EXTENDED_WORDS if self.has_fp_context else _BASIC_WORDS
        frame = sp - 4 * words
        if frame & 4:
            frame -= 4
            flags |= _ALIGNED
        saved = [cpu.get(f"r{i}") for i in (0, 1, 2, 3, 12)]
        saved += [cpu.get("lr"), cpu.get("pc") & ~1, flags]
        if self.has_fp_context:
            saved += [cpu.get(f"s{i}") for i in range(16)] + [cpu.get("fpscr"), 0]
        cpu.write(frame, struct.pack(f"<{words}I", *(word & 0xFFFF_FFFF for word in saved)))
        cpu.set("sp", frame)
        if on_process_stack:
            cpu.set("control", cpu.get("control") & ~_SPSEL)  # the handler runs on MSP
        cpu.set("lr", self._exc_return(in_handler, on_process_stack))
        cpu.set("pc", handler | 1)
        self.nvic.activate(number)

    def leave(self, exc_return: int) -> None:
        """Restore the context that a handler's return names; the handler is already inactive."""
        cpu = self.cpu
        if exc_return & 4:
            cpu.set("control", cpu.get("control") | _SPSEL)
        frame = cpu.get("sp")
        words = _BASIC_WORDS if exc_return & 0x10 else _EXTENDED_WORDS
        saved = struct.unpack(f"<{words}I", cpu.read(frame, 4 * words))
        for name, value in zip(("r0", "r1", "r2", "r3", "r12", "lr"), saved, strict=False):
            cpu.set(name, value)
        if words == _EXTENDED_WORDS:
            for i in range(16):
                cpu.set(f"s{i}", saved[8 + i])
            cpu.set("fpscr", saved[24])
        flags = saved[7]
        cpu.set("sp", frame + 4 * words + (4 if flags & _ALIGNED else 0))
        cpu.set("xpsr", flags & ~0x3FF | 1 << 24)
        cpu.set("pc", saved[6] | 1)

    def _exc_return(self, in_handler: bool, on_process_stack: bool) -> int:
        """Say how to return: mode, stack, and whether the frame holds FPU registers."""
        value = 0xFFFF_FFB0 if self.is_v8 else 0xFFFF_FFF1
        if not in_handler:
            value |= 0xC if on_process_stack else 0x8
        return value & ~0x10 if self.has_fp_context else value
