"""RTT: text that firmware leaves in a ring buffer in RAM for a debugger to fetch.

The control block, as SEGGER documents it: 16 bytes of identification, the numbers of up and down
buffers, then the up buffers, 24 bytes each: name, buffer, size, write offset, read offset, flags.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from tinysim.simulator.images import Image

if TYPE_CHECKING:
    from tinysim.simulator.machine import Machine

_SYMBOL, _ID = "_SEGGER_RTT", b"SEGGER RTT\0"
_HEADER, _BUFFER = struct.Struct("<16s2I"), struct.Struct("<6I")
_READ_OFFSET = 16
#: A buffer larger than this is a control block that is not set up, or damaged.
_MAX_BUFFER_BYTES = 2**20
#: How often a debugger looks, in seconds of simulated time.
_PERIOD_S = 0.001


class Rtt:
    """A debugger that fetches what up buffer 0 holds and adds it to the machine's console.

    Parameters
    ----------
    machine
        Whose RAM it is.
    control_block
        Address of ``_SEGGER_RTT``.
    """

    def __init__(self, machine: Machine, control_block: int) -> None:
        self._machine, self._control_block = machine, control_block
        self._period_cycles = max(1, round(machine.board.clock.hz * _PERIOD_S))
        self.next_poll_cycles = self._period_cycles

    @classmethod
    def of(cls, image: Image, machine: Machine) -> Rtt | None:
        """Return the debugger of an image that uses RTT: one that names the control block."""
        symbol = image.symbols.get(_SYMBOL)
        return None if symbol is None else cls(machine, symbol.address)

    def serve(self, elapsed_cycles: int) -> None:
        """Fetch, if it is time."""
        if elapsed_cycles >= self.next_poll_cycles:
            self.next_poll_cycles = elapsed_cycles + self._period_cycles
            self.fetch()

    def fetch(self) -> None:
        """Move what is in the buffer to the console."""
        machine, start = self._machine, self._control_block
        name, up_buffers, _ = _HEADER.unpack(machine.read(start, _HEADER.size))
        if not name.startswith(_ID) or not up_buffers:
            return  # start-up has not come to it yet
        row = start + _HEADER.size
        _, data, size, written, read, _ = _BUFFER.unpack(machine.read(row, _BUFFER.size))
        if written == read or not max(written, read) < size <= _MAX_BUFFER_BYTES:
            return
        if written < read:
            machine.console += machine.read(data + read, size - read)
            read = 0
        machine.console += machine.read(data + read, written - read)
        machine.write(row + _READ_OFFSET, struct.pack("<I", written))
