"""Progress of repeats that are done by other processes: each writes a file, this one reads them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tinysim.lab.model_files import written_whole
from tinysim.lab.progress import Progress
from tinysim.records import dumps, loads

FILE_NAME = "progress.json"
#: How often files are written, and read.
_PERIOD_S = 0.5


def teller(folder: Path) -> Callable[[Progress], None]:
    """Return what writes progress into a folder."""
    told_s = -_PERIOD_S

    def tell(progress: Progress) -> None:
        nonlocal told_s
        now_s = time.monotonic()
        if now_s - told_s < _PERIOD_S:
            return
        told_s = now_s
        with written_whole(folder / FILE_NAME) as part:
            part.write_bytes(dumps(progress))

    return tell


@contextmanager
def listening(
    folders: Sequence[Path], jobs: int, on_progress: Callable[[Progress], None]
) -> Iterator[None]:
    """Pass on what is told in folders, of which ``jobs`` at a time are worked at."""
    for folder in folders:
        (folder / FILE_NAME).unlink(missing_ok=True)
    is_over = threading.Event()

    def listen() -> None:
        while not is_over.wait(_PERIOD_S):
            on_progress(together([_read(folder) for folder in folders], jobs))

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
        for folder in folders:
            (folder / FILE_NAME).unlink(missing_ok=True)
    on_progress(Progress(1.0, "done", 0.0))


def together(told: Sequence[Progress | None], jobs: int) -> Progress:
    """Return how far all repeats are; those that nothing is known of take as long as the others."""
    known = [one for one in told if one is not None]
    share = sum(one.share for one in known) / len(told)
    at_work = [one for one in known if one.share < 1]
    left = [one.left_s for one in at_work]
    left_s = None
    whole = [one.left_s / (1 - one.share) for one in at_work if one.left_s is not None]
    if whole and None not in left:
        waiting = len(told) - len(known)
        usual_s = sum(whole) / len(whole)
        left_s = max(one for one in left if one is not None) + usual_s * -(-waiting // jobs)
    what = "; ".join(
        f"repeat {place + 1}: {one.what}"
        for place, one in enumerate(told)
        if one is not None and one.share < 1
    )
    return Progress(share, what, left_s)


def _read(folder: Path) -> Progress | None:
    with suppress(OSError, ValueError):
        return loads(Progress, (folder / FILE_NAME).read_bytes())
    return None
