"""Files that the command line reads and writes: whole, or one clear error."""

from __future__ import annotations

from pathlib import Path

import typer

from tinysim.arrays import read_array as read_array
from tinysim.errors import ModelError, OutputError


def read_text(path: Path) -> str:
    """Read a text file."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(
            f"cannot be read ({error})", where=str(path), fix="give a text file"
        ) from error


def check_writable(*targets: str | Path | None, folder: Path | None = None) -> None:
    """Refuse places that cannot be written before anything is computed; all of them at once.

    ``folder`` need not exist: it is made where it can be.
    """
    import os

    folders = {str(Path(t).parent) for t in targets if t is not None and str(t) != "-"}
    if folder is not None:
        folders.add(str(next(p for p in (folder, *folder.absolute().parents) if p.exists())))
    wrong = sorted(one for one in folders if not Path(one).is_dir() or not os.access(one, os.W_OK))
    if wrong:
        raise OutputError(
            "no folder that can be written",
            where=", ".join(wrong),
            fix="make it, or give another place",
        )


def write_text(text: str, target: str) -> None:
    """Write to a file, or to stdout if it is ``-``."""
    if target == "-":
        typer.echo(text, nl=False)
    else:
        write_file(Path(target), text.encode())


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    import os
    import tempfile

    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        part = Path(name)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            part.chmod(0o644)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            error.strerror or str(error), where=str(path), fix="give a place that can be written"
        ) from error


def write_folder(folder: Path, files: dict[str, bytes]) -> None:
    """Write files into a folder; none of them is ever half-written."""
    try:
        for parent in {(folder / name).parent for name in files}:
            parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            error.strerror or str(error), where=str(folder), fix="give a place that can be written"
        ) from error
    for name, content in files.items():
        write_file(folder / name, content)


def write_bundle(folder: Path, files: dict[str, bytes]) -> None:
    """Write a bundle: without a manifest until everything that the new one lists is there."""
    from tinysim.bundle import MANIFEST

    try:
        (folder / MANIFEST).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            error.strerror or str(error), where=str(folder), fix="give a place that can be written"
        ) from error
    write_folder(folder, files)
