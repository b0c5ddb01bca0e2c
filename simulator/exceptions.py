"""Taking exceptions and returning from them: the stack frames and EXC_RETURN of Armv6-M to v8-M."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Protocol

from tinysim.simulator.nvic import HARD_FAULT, Nvic

#: Values from here on are not addresses but say how to return from an exception.
EXC_RETURN_FIRST = 0xFFFF_FF00

#: Bits of CONTROL: unprivileged, process stack, FPU in use by the running context.
_NPRIV, SPSEL, _FPCA = 1, 2, 4
#: Bits of EXC_RETURN.
TO_THREAD, _TO_PROCESS_STACK, _IS_BASIC = 0x8, 0x4, 0x10
#: Bits of the stacked xPSR.
_ALIGNED, _THUMB, _NUMBER, _IT = 1 << 9, 1 << 24, 0x1FF, 0x0600_FC00
_BASIC_WORDS, _EXTENDED_WORDS = 8, 26


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

    A frame holds S0 to S15 when the context that is left has used the FPU (CONTROL.FPCA). Cores
    that stack lazily write them later, but nothing that the handler leaves them sees a difference.
    ``is_v8`` selects the EXC_RETURN values of Armv8-M.
    """

    cpu: Cpu
    nvic: Nvic
    is_v8: bool

    def frame(self) -> int:
        """Return where the frame of an exception would be put now."""
        has_fp = bool(self.cpu.get("control") & _FPCA)
        frame = self.cpu.get("sp") - 4 * (_EXTENDED_WORDS if has_fp else _BASIC_WORDS)
        return frame & ~7

    def enter(self, number: int, handler: int) -> None:
        """Save the context and go to a handler."""
        cpu = self.cpu
        in_handler = bool(self.nvic.active)
        control = cpu.get("control")
        on_process_stack = not in_handler and bool(control & SPSEL)
        has_fp = bool(control & _FPCA)
        flags = cpu.get("xpsr") & ~(_NUMBER | _ALIGNED) | cpu.get("ipsr") | _THUMB
        words = _EXTENDED_WORDS if has_fp else _BASIC_WORDS
        frame = self.frame()
        if cpu.get("sp") & 4:
            flags |= _ALIGNED
        saved = [cpu.get(f"r{i}") for i in (0, 1, 2, 3, 12)]
        saved += [cpu.get("lr"), cpu.get("pc") & ~1, flags]
        if has_fp:
            saved += [cpu.get(f"s{i}") for i in range(16)] + [cpu.get("fpscr"), 0]
        cpu.write(frame, struct.pack(f"<{words}I", *(word & 0xFFFF_FFFF for word in saved)))
        cpu.set("sp", frame)
        cpu.set("lr", self._exc_return(in_handler, on_process_stack, has_fp))
        self.begin(number, handler)

    def begin(self, number: int, handler: int) -> None:
        """Start a handler, whose caller's context is saved already."""
        cpu = self.cpu
        self._switch(number, cpu.get("control") & ~(SPSEL | _FPCA))  # handlers run on MSP
        cpu.set("xpsr", cpu.get("xpsr") & ~_IT)
        cpu.set("pc", handler | 1)
        self.nvic.activate(number)

    def leave(self, exc_return: int) -> None:
        """Restore the context that a handler's return names; the handler is already inactive."""
        cpu = self.cpu
        control = cpu.get("control") & ~(SPSEL | _FPCA)
        control |= SPSEL if exc_return & _TO_PROCESS_STACK else 0
        control |= 0 if exc_return & _IS_BASIC else _FPCA
        self._switch(0 if exc_return & TO_THREAD else self.nvic.active[-1], control)
        frame = cpu.get("sp")
        words = _BASIC_WORDS if exc_return & _IS_BASIC else _EXTENDED_WORDS
        saved = struct.unpack(f"<{words}I", cpu.read(frame, 4 * words))
        for name, value in zip(("r0", "r1", "r2", "r3", "r12", "lr"), saved, strict=False):
            cpu.set(name, value)
        if words == _EXTENDED_WORDS:
            for i in range(16):
                cpu.set(f"s{i}", saved[8 + i])
            cpu.set("fpscr", saved[24])
        flags = saved[7]
        cpu.set("sp", frame + 4 * words + (4 if flags & _ALIGNED else 0))
        cpu.set("xpsr", flags & ~(_NUMBER | _ALIGNED) | cpu.get("ipsr") | _THUMB)
        cpu.set("pc", saved[6] | 1)

    def _switch(self, number: int, control: int) -> None:
        """Go to thread mode (0) or a handler, and set CONTROL.

        Unicorn takes writes of CONTROL as the core does: SPSEL only in thread mode, and nothing
        unless privileged, which handlers are.
        """
        cpu = self.cpu
        if cpu.get("control") & _NPRIV:
            cpu.set("ipsr", HARD_FAULT)
            cpu.set("control", cpu.get("control") & ~_NPRIV)
        cpu.set("ipsr", 0)
        cpu.set("control", control & ~_NPRIV)
        cpu.set("ipsr", number)
        if control & _NPRIV:
            cpu.set("control", control)

    def _exc_return(self, in_handler: bool, on_process_stack: bool, has_fp: bool) -> int:
        """Say how to return: mode, stack, and whether the frame holds FPU registers."""
        value = 0xFFFF_FFB0 if self.is_v8 else 0xFFFF_FFF1
        if not in_handler:
            value |= TO_THREAD
            value |= _TO_PROCESS_STACK if on_process_stack else 0
        return value & ~_IS_BASIC if has_fp else value
