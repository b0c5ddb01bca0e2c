"""HDF5 files and ``.keras`` archives: the configuration, and the weights layer by layer.

The file is untrusted. HDF5 is opened from memory; what would read another file (external and soft
links, external storage, virtual datasets) is refused, and so is what would unpack to far more
than the file holds.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any, Protocol

import numpy as np

from tinysim.compiler.graph import Array
from tinysim.compiler.readers.keras.config import LayerError, shown
from tinysim.errors import ModelError

MAX_JSON_BYTES = 16 * 2**20
MAX_WEIGHT_BYTES = 256 * 2**20
MAX_HEAPS = 256
#: Deflate filters that h5py brings along: deflate, shuffle, checksum, LZF.
_FILTERS = {1, 2, 3, 32000}
#: What h5py, zipfile and json raise on damaged bytes.
DAMAGE = (
    OSError,
    RuntimeError,
    LookupError,
    ValueError,
    TypeError,
    OverflowError,
    AttributeError,
    MemoryError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
)
FIX = "save the whole model again with model.save(); the file may be cut off or damaged"


class Weights(Protocol):
    """Where a model's weights come from."""

    def of(self, names: Sequence[str], slots: Sequence[str]) -> list[Array]:
        """Return a layer's weights in Keras's order; the layer is named in both ways of storing.

        ``names`` are the names of the models around it and its own, ``slots`` the same by class.
        """


@contextmanager
def damage_in(where: str) -> Iterator[None]:
    """Turn what the libraries raise on damaged bytes into ``ModelError``."""
    try:
        yield
    except DAMAGE as error:
        text = shown(f"{type(error).__name__}: {error}")
        raise ModelError(f"not a readable Keras file ({text})", where=where, fix=FIX) from error


def open_archive(blob: bytes, where: str) -> tuple[Any, bool, Weights]:
    """Return the configuration, whether Keras 3 wrote it, and the weights."""
    with damage_in(where):
        if blob.startswith(b"PK\x03\x04"):
            return _open_zip(blob, where)
        if blob.startswith(b"\x89HDF\r\n\x1a\n"):
            return _open_hdf5(blob, where)
    raise ModelError("neither an HDF5 file nor a .keras archive", where=where, fix=FIX)


def _open_hdf5(blob: bytes, where: str) -> tuple[Any, bool, Weights]:
    """Read a whole model in one HDF5 file."""
    file = Hdf5(blob, where)
    text = file.strings((), "model_config")
    if not text or not file.has("model_weights"):
        raise ModelError(
            "holds weights only, not the model", where=where, fix="save with model.save()"
        )
    version = "".join(file.strings((), "keras_version"))
    return json.loads("".join(text)), version.startswith("3"), _ByName(file)


def _open_zip(blob: bytes, where: str) -> tuple[Any, bool, Weights]:
    """Read an archive of configuration, metadata and weights."""
    with zipfile.ZipFile(io.BytesIO(blob)) as archive:
        config = json.loads(_member(archive, "config.json", MAX_JSON_BYTES))
        metadata = json.loads(_member(archive, "metadata.json", MAX_JSON_BYTES))
        limit = min(MAX_WEIGHT_BYTES, 100 * len(blob) + 2**20)
        weights = _member(archive, "model.weights.h5", limit)
    version = metadata.get("keras_version", "") if isinstance(metadata, dict) else ""
    return config, str(version).startswith("3"), _BySlot(Hdf5(weights, where))


def _member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """Unpack one file of an archive, but never more than ``limit`` bytes."""
    info = archive.getinfo(name)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name} is compressed in an unusual way")
    with archive.open(info) as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"{name} unpacks to more than {limit:,} bytes")
    return data


class Hdf5:
    """An HDF5 file in memory, read with care."""

    def __init__(self, blob: bytes, where: str) -> None:
        try:
            import h5py
        except ImportError as error:
            raise ModelError(
                "reading Keras models needs h5py", where=where, fix="pip install tinysim[keras]"
            ) from error
        _check_global_heaps(blob)
        self._h5py, self._size = h5py, len(blob)
        self.where = where
        self._file = h5py.File(h5py.h5f.open_file_image(blob))
        # A small file may hold huge empty datasets, or list one dataset many times.
        self._budget = min(16 * len(blob) + 1_000_000, 2 * MAX_WEIGHT_BYTES)

    def _find(self, path: Sequence[str]) -> Any:
        """Return a group or dataset; only hard links are followed."""
        found = self._file
        for part in path:
            if not isinstance(found, self._h5py.Group):
                raise KeyError(f"{shown(part)} is looked for in what is not a group")
            raw = part.encode()
            if found.id.links.get_info(raw).type != self._h5py.h5l.TYPE_HARD:
                raise ValueError(f"{shown(part)} is a link out of its place")
            found = found[raw]
        return found

    def has(self, *path: str) -> bool:
        """Tell whether something lies under ``path``."""
        for length, part in enumerate(path):
            group = self._find(path[:length])
            if not isinstance(group, self._h5py.Group) or part.encode() not in group:
                return False
        return True

    def names(self, *path: str) -> list[str]:
        """Return the names in a group."""
        group = self._find(path)
        return [str(name) for name in group] if isinstance(group, self._h5py.Group) else []

    def strings(self, path: Sequence[str], name: str) -> list[str]:
        """Return an attribute of texts; Keras cuts long ones into ``name0``, ``name1``, ..."""
        owner = self._find(path).id
        if self._h5py.h5a.exists(owner, name.encode()):
            return self._attribute(owner, name)
        found: list[str] = []
        while self._h5py.h5a.exists(owner, f"{name}{len(found)}".encode()):
            found.append(f"{name}{len(found)}")
        return [text for part in found for text in self._attribute(owner, part)]

    def _attribute(self, owner: Any, name: str) -> list[str]:
        """Read one attribute, if its size is believable."""
        attribute = self._h5py.h5a.open(owner, name.encode())
        shape, dtype = attribute.shape, attribute.dtype
        stored = attribute.get_storage_size()
        if stored > self._size or prod(shape) * max(1, dtype.itemsize) > self._size:
            raise ValueError(f"attribute {name} is larger than the file")
        if not prod(shape) or self._h5py.check_string_dtype(dtype) is None:
            return []
        self._charge(stored)
        values = np.empty(shape, dtype)
        attribute.read(values)
        return [
            item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)
            for item in values.ravel().tolist()
        ]

    def _charge(self, size_bytes: int) -> None:
        """Count what is read, so that a file cannot cost more than its size allows."""
        self._budget -= size_bytes
        if self._budget < 0:
            raise ValueError("the file holds more data than its size allows")

    def array(self, *path: str) -> Array:
        """Return a dataset of finite float32 values."""
        dataset = self._find(path)
        if not isinstance(dataset, self._h5py.Dataset):
            raise ValueError(f"{shown('/'.join(path))} is not a dataset")
        if dataset.is_virtual or dataset.external:
            raise ValueError(f"{shown('/'.join(path))} lies in another file")
        create = dataset.id.get_create_plist()
        filters = {create.get_filter(i)[0] for i in range(create.get_nfilters())}
        if filters - _FILTERS:
            raise ValueError(f"{shown('/'.join(path))} is packed with an unknown filter")
        dtype, chunks = dataset.dtype, dataset.chunks or ()
        if len(dataset.shape) > 8 or dtype.kind not in "fiu" or dtype.itemsize > 8:
            raise ValueError(f"{shown('/'.join(path))} does not hold numbers")
        self._charge((prod(dataset.shape) + prod(chunks)) * dtype.itemsize)
        with np.errstate(over="ignore"):
            data: Array = np.asarray(dataset[()], np.float32)
        if not np.isfinite(data).all():
            raise LayerError("the weights hold values that are not finite")
        return data


def _check_global_heaps(blob: bytes) -> None:
    """Refuse damaged heaps of texts of variable length, which the HDF5 library trusts too much.

    It loops for ever on a free item of no length, and takes gigabytes for a text whose reference
    (length, address of the heap, number) tells a wrong length.
    """
    mark, heaps = b"GCOL\x01", 0
    at = blob.find(mark)
    while at >= 0:
        end, item = at + _number_at(blob, at + 8, 8), at + 16
        heaps += 1
        if not at + 32 <= end <= len(blob) or heaps > MAX_HEAPS:
            raise ValueError("the heaps of texts are larger than the file")
        items = set()
        while item + 16 <= end:
            length, number = _number_at(blob, item + 8, 8), _number_at(blob, item, 2)
            # The free rest (number 0) counts its own header; items are padded to 8 bytes.
            step = length if number == 0 else 16 + -(-length // 8) * 8
            if step < 16 or item + step > end:
                raise ValueError("a heap of texts is damaged")
            items.add(number)
            item += step
        address = at.to_bytes(8, "little")
        reference = blob.find(address, 4)
        while reference >= 0:
            # Behind an absent address (all ones) the same bytes mean something else.
            absent = blob[max(0, reference - 8) : reference] == b"\xff" * 8
            is_item = _number_at(blob, reference + 8, 4) in items - {0} and not absent
            if is_item and _number_at(blob, reference - 4, 4) > len(blob):
                raise ValueError("a text is longer than the file")
            reference = blob.find(address, reference + 1)
        at = blob.find(mark, end)


def _number_at(blob: bytes, at: int, size: int) -> int:
    """Return a little-endian number; what is cut off reads as 0."""
    return int.from_bytes(blob[at : at + size], "little")


class _ByName:
    """Weights of an HDF5 model: a group a layer, whose attribute lists its weights in order."""

    def __init__(self, file: Hdf5) -> None:
        self._file = file

    def of(self, names: Sequence[str], slots: Sequence[str]) -> list[Array]:
        """Read a layer's weights; those of layers in a model within lie in the model's group."""
        with damage_in(self._file.where):
            group = ("model_weights", names[0])
            if not self._file.has(*group):
                return []
            listed = [name.split("/") for name in self._file.strings(group, "weight_names")]
            wanted = [path for path in listed if len(names) == 1 or names[-1] in path[:-1]]
            return [self._file.array(*group, *path) for path in wanted]


class _BySlot:
    """Weights of a ``.keras`` archive: ``layers/dense_1/vars/0``, by class and number."""

    #: The first Keras that wrote such archives named the folder otherwise.
    FOLDERS = ("layers", "_layer_checkpoint_dependencies")

    def __init__(self, file: Hdf5) -> None:
        self._file = file

    def of(self, names: Sequence[str], slots: Sequence[str]) -> list[Array]:
        """Read a layer's numbered variables."""
        with damage_in(self._file.where):
            for folder in self.FOLDERS:
                path = [part for slot in slots for part in (folder, slot)]
                for inner in (("vars",), ("cell", "vars")):
                    if self._file.has(*path, *inner, "0"):
                        count = len(self._file.names(*path, *inner))
                        return [self._file.array(*path, *inner, str(i)) for i in range(count)]
            return []
