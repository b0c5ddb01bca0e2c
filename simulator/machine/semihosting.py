"""Semihosting: what firmware asks of a debugger by a BKPT 0xAB."""

from __future__ import annotations

from tinysim.simulator.exceptions import Cpu

BKPT = 0xBEAB
_WRITEC, _WRITE0, _EXIT, _EXIT_EXTENDED = 0x03, 0x04, 0x18, 0x20
_LONGEST_TEXT = 65_536


def serve(cpu: Cpu, console: bytearray) -> bool:
    """Do what is asked: print to ``console``; True if the program has ended."""
    call, argument = cpu.get("r0"), cpu.get("r1")
    if call == _WRITEC:
        console += cpu.read(argument, 1)
    elif call == _WRITE0:
        for address in range(argument, argument + _LONGEST_TEXT):
            char = cpu.read(address, 1)
            if char == b"\0":
                break
            console += char
    return call in (_EXIT, _EXIT_EXTENDED)
