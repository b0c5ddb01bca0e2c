"""Images in a folder a class, as folder or archive: one's own, or Visual Wake Words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinysim.errors import RecipeError
from tinysim.lab.data import Dataset
from tinysim.lab.data.archives import files_of
from tinysim.lab.data.checked import TEST_SHARE, dataset_of, parted

_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
#: Folders above those of the classes, if training and test images are apart already.
_TRAIN, _TEST = ("train", "training"), ("test", "testing", "val", "validation")
_MOST_FILE_BYTES = 1 << 26
#: Of all images together: they lie in memory.
MOST_BYTES = 1 << 32
_FIX = "put images into a folder a class, or see tinysim.lab.data.load"


@dataclass(frozen=True, eq=False)
class _Image:
    """Its pixels, and what its path says of it; ``part`` is empty if that is nothing."""

    pixels: NDArray[np.uint8]
    class_name: str
    part: str


def read(
    path: Path,
    size: int | None = None,
    channels: int = 3,
    most_per_class: int | None = None,
    test_share: float = TEST_SHARE,
    seed: int = 0,
) -> Dataset:
    """Read all images below a folder or in an archive; the folder of each names its class."""
    if channels not in (1, 3):
        raise RecipeError(f"{channels} channels", where=str(path), fix="choose 1 or 3")
    images = list(_images(path, size, channels, most_per_class))
    shapes = {image.pixels.shape for image in images}
    classes = tuple(sorted({image.class_name for image in images}))
    parts = {image.part for image in images}
    if len(classes) < 2:
        raise RecipeError(
            f"has images of {len(classes)} classes: {', '.join(classes) or 'none'}",
            where=str(path),
            fix=_FIX,
        )
    if len(shapes) > 1:
        raise RecipeError(
            f"images differ in size: {', '.join(map(str, sorted(shapes)[:4]))}",
            where=str(path),
            fix="choose a size",
        )
    if parts not in ({""}, {"train", "test"}):
        raise RecipeError(
            f"images are in {' and '.join(sorted(one or 'no part' for one in parts))}",
            where=str(path),
            fix="part all of them into train and test, or none",
        )
    x = np.stack([image.pixels for image in images])
    y = np.array([classes.index(image.class_name) for image in images])
    if parts == {""}:
        arrays = parted(x, y, test_share, seed)
    else:
        order = np.random.default_rng(seed).permutation(len(y))
        is_test = np.array([images[i].part == "test" for i in order])
        train, test = order[~is_test], order[is_test]
        arrays = {"x_train": x[train], "y_train": y[train], "x_test": x[test], "y_test": y[test]}
    return dataset_of(path.name.partition(".")[0], arrays, str(path), classes)


def _images(
    path: Path, size: int | None, channels: int, most_per_class: int | None
) -> Iterator[_Image]:
    total_bytes = 0
    counts: dict[tuple[str, str], int] = {}
    for name, content in files_of(path, _is_image, _MOST_FILE_BYTES):
        *above, class_name, _ = ("", "", *PurePosixPath(name).parts)
        part = _part_of(above)
        if not class_name:
            continue  # beside the folders of the classes
        place = (part, class_name)
        counts[place] = counts.get(place, 0) + 1
        if most_per_class is not None and counts[place] > most_per_class:
            continue
        pixels = _decoded(content, f"{path}: {name}", size, channels)
        total_bytes += pixels.nbytes
        if total_bytes > MOST_BYTES:
            raise RecipeError(
                f"images take more than {MOST_BYTES} bytes of memory",
                where=str(path),
                fix="choose a smaller size, or most_per_class",
            )
        yield _Image(pixels, class_name, part)


def _part_of(above: list[str]) -> str:
    """Return what the folders above that of the class say."""
    if any(one.lower() in _TRAIN for one in above):
        return "train"
    return "test" if any(one.lower() in _TEST for one in above) else ""


def _is_image(name: str) -> bool:
    return name.lower().endswith(_SUFFIXES)


def _decoded(content: bytes, where: str, size: int | None, channels: int) -> NDArray[np.uint8]:
    """Return an image's pixels; TensorFlow decodes, for it is here anyway."""
    import tensorflow as tf

    try:
        image: Any = tf.io.decode_image(content, channels=channels, expand_animations=False)
    except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
        raise RecipeError(
            f"no image that can be read ({str(error).splitlines()[0]})",
            where=where,
            fix="take it away, or save it as .png",
        ) from error
    if size is not None and image.shape[:2] != (size, size):
        image = tf.round(tf.image.resize(image, (size, size), antialias=True))
    pixels: NDArray[np.uint8] = tf.cast(image, tf.uint8).numpy()
    return pixels
