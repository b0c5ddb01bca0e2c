"""Files in folders and archives, read one after the other: nothing is ever unpacked to disk."""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from tinysim.errors import RecipeError

TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_DAMAGES = (
    *(OSError, EOFError, RuntimeError, tarfile.TarError, zipfile.BadZipFile),
    *(lzma.LZMAError, zlib.error),
)


def names_of(path: Path) -> Iterator[str]:
    """Give names of the files in a folder or archive, lazily, up to where it is damaged.

    Who reads it says so.
    """
    try:
        if path.is_dir():
            yield from (_name(path, file) for file in path.rglob("*") if file.is_file())
        elif path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                yield from (entry.filename for entry in archive.infolist() if not entry.is_dir())
        else:
            with tarfile.open(path) as tar:
                yield from (entry.name for entry in tar if entry.isfile())
    except _DAMAGES:
        return


def files_of(
    path: Path, is_wanted: Callable[[str], bool], most_bytes: int
) -> Iterator[tuple[str, bytes]]:
    """Give names, from ``path``, and contents of the wanted files in a folder or archive.

    Raises
    ------
    RecipeError
        If it cannot be read, or a wanted file has more than ``most_bytes``.
    """
    if not path.is_dir():
        yield from members_of(path, is_wanted, most_bytes)
        return
    for file in sorted(path.rglob("*")):
        if file.is_file() and is_wanted(name := _name(path, file)):
            _check_size(path, name, file.stat().st_size, most_bytes)
            yield name, _content(file)


def members_of(
    path: Path, is_wanted: Callable[[str], bool], most_bytes: int
) -> Iterator[tuple[str, bytes]]:
    """Give names and contents of the wanted files in a .tar or .zip.

    Raises
    ------
    RecipeError
        If it is none, is damaged, or a wanted file has more than ``most_bytes``.
    """
    try:
        if path.suffix == ".zip":
            yield from _zipped(path, is_wanted, most_bytes)
        else:
            yield from _tarred(path, is_wanted, most_bytes)
    except _DAMAGES as error:
        raise RecipeError(
            f"no archive that can be read ({error})", where=str(path), fix="give a .tar or .zip"
        ) from error


def _name(folder: Path, file: Path) -> str:
    return file.relative_to(folder).as_posix()


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise RecipeError(
            f"cannot be read ({error.strerror})", where=str(file), fix="take it away"
        ) from error


def _tarred(
    path: Path, is_wanted: Callable[[str], bool], most_bytes: int
) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        for entry in archive:
            if entry.isfile() and is_wanted(entry.name):
                _check_size(path, entry.name, entry.size, most_bytes)
                stream = archive.extractfile(entry)
                assert stream is not None, "a file has content"
                yield entry.name, stream.read(most_bytes)


def _zipped(
    path: Path, is_wanted: Callable[[str], bool], most_bytes: int
) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if not entry.is_dir() and is_wanted(entry.filename):
                _check_size(path, entry.filename, entry.file_size, most_bytes)
                with archive.open(entry) as stream:
                    yield entry.filename, stream.read(most_bytes)


def _check_size(path: Path, name: str, size: int, most_bytes: int) -> None:
    if size > most_bytes:
        raise RecipeError(
            f"{name} has {size} bytes, more than {most_bytes}",
            where=str(path),
            fix="leave it out",
        )
