"""Intel HEX: lines of address, data and checksum.

A line is ``:LLAAAATT`` + ``LL`` data bytes + checksum, in hex; the record type ``TT`` is

====  =============================================================================
00    data, at the address of 16 bits + the base
01    the end
02    the base is 16 x the word (real-mode segments: data may not cross 64 KiB)
03    start address in segments: for debuggers, passed over
04    the base is 65536 x the word
05    start address: passed over
====  =============================================================================
"""

from __future__ import annotations

import io

from tinysim.errors import SimulationError
from tinysim.simulator.images import Image, Segment, loaded_image

#: Bytes of data that a record type must have; any number if it is not here.
_LENGTH = {1: 0, 2: 2, 3: 4, 4: 2, 5: 4}
_DATA, _END, _SEGMENT_BASE, _LINEAR_BASE = 0, 1, 2, 4

#: A line is at most this long: 255 bytes of data and what stands around them, blanks apart.
_MAX_LINE_BYTES = 1 + 2 * (5 + 255)
#: Runs of data; real images have a few.
_MAX_RUNS = 2**16


def read(blob: bytes, flash_base: int, where: str = "HEX") -> Image:
    """Read an Intel HEX image.

    Raises
    ------
    SimulationError
        If a line or its checksum is wrong, the end is missing, or data overlap.
    """
    runs: list[tuple[int, bytearray]] = []
    base, end, is_segmented, has_ended = 0, -1, False, False
    for number, line in enumerate(io.BytesIO(blob), 1):
        line = line.strip()
        if not line:
            continue
        if has_ended:
            raise _damage(where, number, "stands behind the end record")
        kind, offset, data = _record(line, where, number)
        if kind == _DATA:
            if is_segmented and offset + len(data) > 0x10000:
                raise _damage(where, number, "crosses the end of its 64 KiB segment")
            address = base + offset
            if address == end:
                runs[-1][1].extend(data)
            elif len(runs) == _MAX_RUNS:
                raise _damage(where, number, f"begins more than {_MAX_RUNS:,} runs of data")
            else:
                runs.append((address, bytearray(data)))
            end = address + len(data)
        elif kind == _END:
            has_ended = True
        elif kind in (_SEGMENT_BASE, _LINEAR_BASE):
            is_segmented = kind == _SEGMENT_BASE
            base = int.from_bytes(data, "big") << (4 if is_segmented else 16)
    if not has_ended:
        raise SimulationError(
            "has no end record: it is cut short", where=where, fix="get the whole file"
        )
    pieces = (Segment(address, bytes(data)) for address, data in runs)
    return loaded_image(pieces, flash_base, where)


def _record(line: bytes, where: str, number: int) -> tuple[int, int, bytes]:
    """Return type, address and data of one line."""
    if not line.startswith(b":") or len(line) > _MAX_LINE_BYTES:
        raise _damage(where, number, "is no record of Intel HEX")
    try:
        record = bytes.fromhex(line[1:].decode("ascii"))
    except ValueError as error:
        raise _damage(where, number, "holds something else than pairs of hex digits") from error
    if len(record) < 5 or len(record) != record[0] + 5:
        raise _damage(where, number, "is not as long as it says")
    if sum(record) & 0xFF:
        wanted = -sum(record[:-1]) & 0xFF
        raise _damage(where, number, f"has the checksum {record[-1]:02X} instead of {wanted:02X}")
    kind, data = record[3], record[4:-1]
    if kind > 5:
        raise _damage(where, number, f"has the unknown record type {kind:02X}")
    if len(data) != _LENGTH.get(kind, len(data)):
        raise _damage(where, number, f"is of type {kind:02X} but has {len(data)} bytes of data")
    return kind, int.from_bytes(record[1:3], "big"), data


def _damage(where: str, number: int, what: str) -> SimulationError:
    return SimulationError(what, where=f"{where} line {number}", fix="make or copy the file again")
