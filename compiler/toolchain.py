"""C sources -> ELF: the only place that runs the cross compiler."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from elftools.elf.elffile import ELFFile

from tinysim.boards import Board, MemoryRegion, Placement
from tinysim.compiler.emit import link_script
from tinysim.errors import ToolchainError
from tinysim.firmware import Section, Target, Toolchain

PREFIX = "arm-none-eabi-"
INSTALL = "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi"

#: Stack that is kept free at link time when a region is full anyway.
STACK_RESERVE_BYTES = 4096
#: How far a region that is too small may be widened, so that an oversized image still runs.
WIDENED_BYTES = 64 * 2**20

#: -Os saves a twentieth of the code of tuned kernels' layers, and doubles the time of some others.
OPTIMIZE_FLAGS = {"speed": "-O2", "balanced": "-O2", "size": "-Os"}
_CFLAGS = ("-std=c11", "-ffunction-sections", "-fdata-sections", "-fno-common")

#: Output section -> what it is for.
_CAUSES = {
    ".vectors": "runtime",
    ".weights": "weights",
    ".code": "code",
    ".text": "runtime",
    ".ARM.exidx": "runtime",
    ".data": "static",
    ".bss": "static",
    ".arena": "arena",
}


@dataclass(frozen=True)
class Image:
    """What the linker made: the ELF, its map, and the model as a static library."""

    elf: bytes
    map_text: str
    library: bytes
    link_script: str
    sections: tuple[Section, ...]
    toolchain: Toolchain


@lru_cache
def compiler_version() -> str:
    """Return the cross compiler's version line.

    Raises
    ------
    ToolchainError
        If there is none, with the command that installs it.
    """
    return _run([_tool("gcc"), "--version"], Path.cwd()).splitlines()[0]


@lru_cache
def library_states(target: Target) -> tuple[tuple[str, int, int], ...]:
    """Return path, size and time of the libraries that are linked; versions are not told."""
    states = []
    for name in ("libc_nano.a", "libm.a", "libgcc.a"):
        path = Path(
            _run([_tool("gcc"), *target.flags, f"-print-file-name={name}"], Path.cwd())[:-1]
        )
        if path.is_file():  # a name that is not found is printed as it is
            states.append((str(path), path.stat().st_size, path.stat().st_mtime_ns))
    return tuple(states)


def build(
    sources: dict[str, str], board: Board, target: Target, arena_bytes: int, optimize: str
) -> Image:
    """Compile and link for a board, however small its memory is."""
    version = compiler_version()
    flags = (*target.flags, OPTIMIZE_FLAGS[optimize], *_CFLAGS)
    script = _link_script(board, arena_bytes)
    try:
        with tempfile.TemporaryDirectory(prefix="tinysim-") as name:
            folder = Path(name)
            for file, text in {**sources, "link.ld": script}.items():
                (folder / file).write_text(text, encoding="utf-8")
            units = [file for file in sources if file.endswith(".c")]

            def compile_one(unit: str) -> None:
                command = [_tool("gcc"), *flags, "-c", unit, "-o", unit[:-2] + ".o"]
                _run(command, folder)

            # The compilers are processes of their own: threads suffice to keep all cores busy.
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                list(pool.map(compile_one, units))
            objects = [unit[:-2] + ".o" for unit in units]
            link = ["-nostartfiles", "--specs=nano.specs", "-T", "link.ld", "-Wl,--gc-sections"]
            link += ["-Wl,-Map=firmware.map", "-Wl,--no-warn-rwx-segments"]
            _run([_tool("gcc"), *flags, *objects, *link, "-o", "firmware.elf"], folder)
            _run([_tool("ar"), "rcsD", "libmodel.a", "model.o", "weights.o"], folder)
            elf = (folder / "firmware.elf").read_bytes()
            return Image(
                elf=elf,
                map_text=(folder / "firmware.map").read_text(encoding="utf-8"),
                library=(folder / "libmodel.a").read_bytes(),
                link_script=script,
                sections=_sections(elf, board),
                toolchain=Toolchain("arm-none-eabi-gcc", version, flags),
            )
    except OSError as error:
        raise ToolchainError(
            error.strerror or str(error),
            where=error.filename or tempfile.gettempdir(),
            fix="free some space, or set TMPDIR to a folder that can be written",
        ) from error


def arena_region(board: Board, arena_bytes: int) -> MemoryRegion:
    """Return the first region of the board's order that takes the arena, else the last."""
    places = [board.region(name) for name in board.placement.arena]
    shared = {board.placement.data, board.placement.stack}
    for region in places:
        kept = STACK_RESERVE_BYTES if region.name in shared else 0
        if arena_bytes + kept <= region.usable_bytes:
            return region
    return places[-1]


def _link_script(board: Board, arena_bytes: int) -> str:
    """Fill the linker script with the board's regions, widened as far as the map allows."""
    place = board.placement
    arena, stack = arena_region(board, arena_bytes), board.region(place.stack)
    limit = f"ORIGIN({stack.name})"
    if stack.name == place.data:
        limit = "__bss_end"
    if stack.name == arena.name:
        limit = f"MAX({limit}, __arena_end)"
    return link_script(
        board=board.name,
        regions=[
            {"name": region.name, "base": region.usable_base, "length": _widened(region, board)}
            for region in board.regions
        ],
        code=place.code,
        weights=place.constants,
        data=place.data,
        arena=arena.name,
        stack_limit=limit,
        stack_end=stack.end,
        stack_reserve_bytes=STACK_RESERVE_BYTES,
    )


def _widened(region: MemoryRegion, board: Board) -> int:
    """Return the bytes from a region's start to the next one's, at most ``WIDENED_BYTES``."""
    above = [other.base for other in board.regions if other.base > region.base]
    free = min(above, default=2**32) - region.usable_base
    return max(region.usable_bytes, min(free, WIDENED_BYTES))


def _sections(elf: bytes, board: Board) -> tuple[Section, ...]:
    """Read what the image takes of which region, and for what."""
    place = board.placement
    found = []
    for section in ELFFile(io.BytesIO(elf)).iter_sections():
        cause, size = _CAUSES.get(section.name), section["sh_size"]
        if cause is None or not size:
            continue
        in_ram = section.name in (".data", ".bss", ".arena")
        in_flash = section.name not in (".bss", ".arena")
        ram = _region_at(section["sh_addr"], board) if in_ram else None
        found.append(
            Section(
                name=section.name,
                cause=cause,
                flash_region=_kept_in(place, cause) if in_flash else None,
                flash_bytes=size if in_flash else 0,
                ram_region=ram,
                ram_bytes=size if in_ram else 0,
            )
        )
    return tuple(found)


def _kept_in(place: Placement, cause: str) -> str:
    """Return the region of what is there before the program starts."""
    return place.constants if cause == "weights" else place.code


def _region_at(address: int, board: Board) -> str:
    """Return the region whose (widened) range holds ``address``."""
    below = [region for region in board.regions if region.usable_base <= address]
    return max(below, key=lambda region: region.base).name


@lru_cache
def _tool(name: str) -> str:
    """Return the path of one of the cross compiler's programs."""
    path = shutil.which(PREFIX + name)
    if path is None:
        raise ToolchainError(
            "the Arm cross compiler is not installed", where=PREFIX + name, fix=f"run: {INSTALL}"
        )
    return path


def _run(command: list[str], folder: Path) -> str:
    """Run a program of the tool chain; its complaint becomes the error."""
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if result.returncode:
        complaint = "\n".join((result.stderr or result.stdout).splitlines()[:12])
        raise ToolchainError(
            f"exit code {result.returncode}:\n{complaint}",
            where=" ".join([Path(command[0]).name, *command[1:]])[:200],
            fix="check `tinysim doctor`; if the compiler is fine, report this as a bug",
        )
    return result.stdout
