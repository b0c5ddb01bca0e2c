"""Board files from what others say of a chip's memory: linker scripts, CMSIS packs, pyOCD.

What was found carries its source; what only the user can tell stays open.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tinysim.boards.limits import told
from tinysim.errors import BoardError


@dataclass(frozen=True)
class FoundRegion:
    """A block of memory, under the name that its finder gives it."""

    name: str
    kind: str
    base: int
    size_bytes: int
    source: str

    @property
    def end(self) -> int:
        """First address behind it."""
        return self.base + self.size_bytes


@dataclass(frozen=True)
class Fact:
    """A value, and where it stands."""

    value: str | int
    source: str


@dataclass(frozen=True)
class Findings:
    """What a file or target says of a chip."""

    regions: tuple[FoundRegion, ...]
    mcu: str | None = None
    core: Fact | None = None
    clock_hz: Fact | None = None


def read_bounded(path: Path, bytes_max: int, what: str) -> bytes:
    """Read a file that is not larger than such files are."""
    try:
        with path.open("rb") as stream:
            content = stream.read(bytes_max + 1)
    except OSError as error:
        raise BoardError(
            f"cannot be read ({error.strerror})", where=str(path), fix=f"give a {what}"
        ) from error
    if len(content) > bytes_max:
        raise BoardError(f"has over {bytes_max:,} bytes", where=str(path), fix=f"give a {what}")
    return content


def refused(problems: list[str], where: str, fix: str) -> BoardError:
    """Return all that is wrong with a file as one error."""
    return BoardError(told(problems), where=where, fix=fix)
