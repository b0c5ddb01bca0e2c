"""What lies in a folder or archive of spoken words, before any sound is read.

Clips are ``.wav`` files in a folder a word, whatever is above it, and noises in
``_background_noise_``. Clips in ``testing_list.txt`` test, and those in ``validation_list.txt`` are
left out, as where published models were trained: so accuracies compare. Without a testing list a
share of the speakers tests, and no voice is in both parts: the name of a clip begins with who
speaks, up to ``_nohash_``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tinysim.errors import RecipeError
from tinysim.lab.data.archives import files_of

NOISE_FOLDER = "_background_noise_"
TESTING, VALIDATION = "testing_list.txt", "validation_list.txt"
#: Speech Commands has 105,829.
MOST_CLIPS = 1 << 20
_MOST_LIST_BYTES = 1 << 26


@dataclass(frozen=True)
class Listing:
    """Names of clips by their words, of noises, and what the lists say.

    Lists have clips as ``word/file``; ``testing`` is None if there is no such list.
    """

    clips: Mapping[str, tuple[str, ...]]
    noises: frozenset[str]
    testing: frozenset[str] | None
    validation: frozenset[str]

    def part(self, is_test: bool, test_share: float, seed: int) -> dict[str, list[str]]:
        """Return the clips of the training part or the test part, by their words."""

        def is_in(name: str) -> bool:
            listed = "/".join(PurePosixPath(name).parts[-2:])
            if listed in self.validation:
                return False
            if self.testing is not None:
                return (listed in self.testing) is is_test
            return _is_drawn(name, test_share, seed) is is_test

        return {word: [*filter(is_in, names)] for word, names in self.clips.items()}


def is_clip(name: str) -> bool:
    """Return whether a file is a sound in a folder, and not what some systems put beside it."""
    path = PurePosixPath(name)
    return len(path.parts) > 1 and path.suffix.lower() == ".wav" and path.name[0] != "."


def listing_of(path: Path) -> Listing:
    """List a folder or archive.

    Raises
    ------
    RecipeError
        If it cannot be read, has too many clips, or words that cannot be shown.
    """
    names: set[str] = set()

    def is_list(name: str) -> bool:  # sees all names: an archive is gone through only once
        if is_clip(name):
            names.add(name)
        if len(names) > MOST_CLIPS:
            raise RecipeError(
                f"has more than {MOST_CLIPS} clips", where=str(path), fix="leave some out"
            )
        return PurePosixPath(name).name in (TESTING, VALIDATION)

    lists = {
        PurePosixPath(name).name: frozenset(content.decode(errors="replace").split())
        for name, content in files_of(path, is_list, _MOST_LIST_BYTES)
    }
    clips: dict[str, list[str]] = {}
    for name in sorted(names):
        clips.setdefault(PurePosixPath(name).parent.name, []).append(name)
    noises = clips.pop(NOISE_FOLDER, [])
    if odd := [word for word in clips if not word.isprintable()]:
        raise RecipeError(
            f"has words that cannot be shown: {', '.join(map(repr, odd[:4]))}",
            where=str(path),
            fix="rename their folders",
        )
    return Listing(
        clips={word: tuple(found) for word, found in clips.items()},
        noises=frozenset(noises),
        testing=lists.get(TESTING),
        validation=lists.get(VALIDATION, frozenset()),
    )


def _is_drawn(name: str, test_share: float, seed: int) -> bool:
    """Return whether a clip's speaker tests: by hash, so that more clips move no one."""
    speaker = PurePosixPath(name).stem.partition("_nohash_")[0]
    digest = hashlib.sha256(f"{seed} {speaker}".encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8]) < test_share * 2**64
