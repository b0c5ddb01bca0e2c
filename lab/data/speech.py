"""Spoken words: Speech Commands (Warden, arXiv:1804.03209), or one's own that lie as its do."""

from __future__ import annotations

import io
import wave
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinysim.errors import RecipeError
from tinysim.lab.data import Dataset
from tinysim.lab.data.archives import files_of, names_of
from tinysim.lab.data.checked import TEST_SHARE, dataset_of
from tinysim.lab.data.clips import NOISE_FOLDER, TESTING, Listing, is_clip, listing_of
from tinysim.lab.data.mfcc import RATE_HZ, SHAPE, features
from tinysim.problems import near

#: Classes beside chosen words, in the order of MLPerf Tiny.
SILENCE, UNKNOWN = "silence", "unknown"
#: Of all noises together: they lie in memory.
MOST_NOISE_BYTES = 1 << 28
_MOST_FILE_BYTES = 1 << 26
#: A clip is among so many files.
_FIRST = 1000
#: Clips whose features are computed together.
_BATCH = 256

Sound = NDArray[np.int16]


@dataclass(frozen=True)
class _Sample:
    """A clip, or a second to cut from noise if ``name`` is empty."""

    name: str
    class_index: int
    is_test: bool


def is_here(path: Path) -> bool:
    """Return whether a folder or archive has ``.wav`` files in folders."""
    return any(map(is_clip, islice(names_of(path), _FIRST)))


def read(
    path: Path,
    words: tuple[str, ...] | None = None,
    most_per_class: int | None = None,
    test_share: float = TEST_SHARE,
    seed: int = 0,
) -> Dataset:
    """Read clips of a second, each as ``tinysim.lab.data.mfcc`` pictures it: (49, 10, 1), float32.

    Every word is a class; or, if ``words`` are given, these, ``silence``, which is cut from
    background noise, and ``unknown``, all other words: of these two there are as many as of a word.
    Of each noise ``test_share`` is for testing only. An archive is read twice: for names, then for
    sounds.
    """
    _check(path, most_per_class, test_share)
    listing = listing_of(path)
    classes = _classes(path, listing, words)
    random = np.random.default_rng(seed)
    chosen = [
        _Sample(name, index, is_test)
        for is_test in (False, True)
        for name, index in _chosen(
            listing.part(is_test, test_share, seed), classes, words, most_per_class, random
        )
    ]
    samples = [chosen[i] for i in random.permutation(len(chosen))]
    y = np.array([sample.class_index for sample in samples], np.int64)
    is_test = np.array([sample.is_test for sample in samples], bool)
    if is_test.all() or not is_test.any():
        raise RecipeError(
            f"of {len(samples)} clips {np.count_nonzero(is_test)} are to test",
            where=str(path),
            fix=f"mend {TESTING}; without it, choose another test_share or seed",
        )
    x = np.zeros((len(samples), *SHAPE), np.float32)
    sounds = _sounds(path, listing.noises, samples, test_share, random)
    while batch := list(islice(sounds, _BATCH)):
        x[[place for place, _ in batch]] = features(np.stack([sound for _, sound in batch]))
    arrays = {
        "x_train": x[~is_test],
        "y_train": y[~is_test],
        "x_test": x[is_test],
        "y_test": y[is_test],
    }
    return dataset_of(path.name.partition(".")[0], arrays, str(path), classes)


def _check(path: Path, most_per_class: int | None, test_share: float) -> None:
    wrong = []
    if not 0 < test_share < 1:
        wrong.append(f"test_share is {test_share}, not between 0 and 1")
    if most_per_class is not None and most_per_class < 1:
        wrong.append(f"most_per_class is {most_per_class}, not 1 or more")
    if wrong:
        raise RecipeError("; ".join(wrong), where=str(path), fix="mend the recipe")


def _classes(path: Path, listing: Listing, words: Sequence[str] | None) -> tuple[str, ...]:
    """Return names of classes, and refuse words that are not there."""
    if words is None:
        if len(listing.clips) < 2:
            raise RecipeError(
                f"has clips of {len(listing.clips)} words: {', '.join(listing.clips) or 'none'}",
                where=str(path),
                fix="put clips into a folder a word",
            )
        return tuple(sorted(listing.clips))
    wrong = [
        f"has no word {word!r}, {near(word, listing.clips)}"
        for word in words
        if word not in listing.clips
    ]
    classes = (*words, SILENCE, UNKNOWN)
    if not words or len(set(classes)) < len(classes):
        wrong.append(
            f"the classes are to be {', '.join(classes)}: none twice, and words among them"
        )
    if not listing.clips.keys() - set(words):
        wrong.append(f"has no other words, which are {UNKNOWN}")
    if not listing.noises:
        wrong.append(f"has no {NOISE_FOLDER}, which {SILENCE} is cut from")
    if wrong:
        raise RecipeError("; ".join(wrong), where=str(path), fix="choose other words, or none")
    return classes


def _chosen(
    clips: Mapping[str, Sequence[str]],
    classes: Sequence[str],
    words: Sequence[str] | None,
    most_per_class: int | None,
    random: np.random.Generator,
) -> Iterator[tuple[str, int]]:
    """Give the names of one part's clips with their classes; of silence the name is empty."""

    def some(names: Sequence[str], most: int | None) -> list[str]:
        return [names[i] for i in random.permutation(len(names))[:most]]

    taken = [some(clips[word], most_per_class) for word in words or classes]
    for index, names in enumerate(taken):
        yield from ((name, index) for name in names)
    if words is not None:
        usual = round(sum(map(len, taken)) / len(taken))
        others = [name for word, names in clips.items() if word not in words for name in names]
        yield from [("", classes.index(SILENCE))] * usual
        yield from ((name, classes.index(UNKNOWN)) for name in some(others, usual))


def _sounds(
    path: Path,
    noises: Collection[str],
    samples: Sequence[_Sample],
    test_share: float,
    random: np.random.Generator,
) -> Iterator[tuple[int, Sound]]:
    """Give places of samples and a second of sound each: clips as they come, then silence."""
    places = {sample.name: i for i, sample in enumerate(samples) if sample.name}
    silent = [i for i, sample in enumerate(samples) if not sample.name]
    wanted = {*places, *(noises if silent else ())}
    heard: dict[str, Sound] = {}
    for name, content in files_of(path, lambda name: name in wanted, _MOST_FILE_BYTES):
        sound = _decoded(content, f"{path}: {name}")
        if name in places:
            yield places[name], _second(sound)
            continue
        heard[name] = sound
        if sum(noise.nbytes for noise in heard.values()) > MOST_NOISE_BYTES:
            raise RecipeError(
                f"noises take more than {MOST_NOISE_BYTES} bytes of memory",
                where=str(path),
                fix="leave some out",
            )
    names = sorted(heard)
    for i in silent:
        noise = heard[names[random.integers(len(names))]]
        border = round(len(noise) * (1 - test_share))
        part = noise[border:] if samples[i].is_test else noise[:border]
        yield i, _second(part[random.integers(max(1, len(part) - RATE_HZ + 1)) :])


def _second(sound: Sound) -> Sound:
    """Return the first second, with zeros after what is shorter."""
    return np.pad(sound[:RATE_HZ], (0, max(0, RATE_HZ - len(sound))))


def _decoded(content: bytes, where: str) -> Sound:
    try:
        with wave.open(io.BytesIO(content)) as file:
            kind = (file.getnchannels(), 8 * file.getsampwidth(), file.getframerate())
            frames = file.readframes(file.getnframes()) if kind == (1, 16, RATE_HZ) else b""
            is_whole = len(frames) == 2 * file.getnframes()
    except (EOFError, RuntimeError, wave.Error) as error:  # of chunks larger than the file, too
        raise RecipeError(
            f"no .wav that can be read ({str(error) or 'it is cut off'})",
            where=where,
            fix="take it away, or save it anew",
        ) from error
    if kind != (1, 16, RATE_HZ):
        raise RecipeError(
            "has {} channels of {} bits at {} Hz".format(*kind),
            where=where,
            fix=f"save it with one channel of 16 bits at {RATE_HZ} Hz",
        )
    if not frames or not is_whole:
        raise RecipeError("is cut off", where=where, fix="take it away, or get it again")
    return np.frombuffer(frames, np.int16)
