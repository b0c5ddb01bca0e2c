"""Models that the tools of others convert: SavedModel by TensorFlow, ``.pt2`` by PyTorch."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.conftest import DEMO_MODEL
from tinysim.compiler.readers import read_model
from tinysim.compiler.reference import run_reference
from tinysim.errors import ModelError

#: What a test says to all outputs, to see that it is not heard.
CHATTER = "the converter's chatter"


class Converter:
    """TensorFlow's converter, as far as it is used: it gives the demo model, or raises."""

    def __init__(self, functions: list[Path], loaded: SimpleNamespace) -> None:
        assert functions == list(loaded.signatures.values())
        self.folder = functions[0]

    def convert(self) -> bytes:
        print(CHATTER)
        print(CHATTER, file=sys.stderr)
        os.write(1, CHATTER.encode())
        os.write(2, CHATTER.encode())
        content = (self.folder / "saved_model.pb").read_bytes()
        if content == b"bad":
            raise RuntimeError("first line\nsecond line")
        return DEMO_MODEL.read_bytes() if content == b"good" else content


def load(folder: str) -> SimpleNamespace:
    """TensorFlow's loader: one function, which is the folder here."""
    is_training = (Path(folder) / "saved_model.pb").read_bytes() == b"for training"
    name = "train" if is_training else "serving_default"
    return SimpleNamespace(signatures={name: Path(folder)})


@pytest.fixture
def tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("tensorflow")
    module.lite = SimpleNamespace(
        TFLiteConverter=SimpleNamespace(from_concrete_functions=Converter)
    )
    module.saved_model = SimpleNamespace(load=load)
    monkeypatch.setitem(sys.modules, "tensorflow", module)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A SavedModel, in outline."""
    path = tmp_path / "model.v1"
    (path / "variables").mkdir(parents=True)
    (path / "saved_model.pb").write_bytes(b"good")
    (path / "variables" / "variables.index").write_bytes(b"index")
    return path


def test_saved_model_is_converted_in_silence(
    tensorflow: None, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    graph, direct = read_model(folder), read_model(DEMO_MODEL)
    print("heard again")
    assert capfd.readouterr() == ("heard again\n", "")
    assert graph.name == "model.v1"
    assert [node.name for node in graph.nodes] == [node.name for node in direct.nodes]


def test_saved_models_hash_is_of_all_its_files(tensorflow: None, folder: Path) -> None:
    index = folder / "variables" / "variables.index"
    hashes = [read_model(folder).sha256, read_model(folder).sha256]
    index.write_bytes(b"other")
    hashes.append(read_model(folder).sha256)
    index.rename(folder / "variables" / "renamed")
    hashes.append(read_model(folder).sha256)
    assert hashes[0] == hashes[1] and len(set(hashes)) == 3


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"bad", r"model.v1: TensorFlow does not convert it \(RuntimeError: first line\); check"),
        (b"for training", r"\(KeyError: 'serving_default'\); check that TensorFlow converts its"),
        (b"no TFLite file", "model.v1: not a TFLite file"),
    ],
)
def test_what_does_not_convert_is_refused(
    tensorflow: None, folder: Path, content: bytes, what: str
) -> None:
    (folder / "saved_model.pb").write_bytes(content)
    with pytest.raises(ModelError, match=what):
        read_model(folder)


def test_saved_model_without_tensorflow_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(ModelError, match=r"needs tensorflow; pip install 'tinysim\[keras\]'"):
        read_model(folder)


def test_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no SavedModel: it has no saved_model\.pb"):
        read_model(tmp_path)


def test_folder_larger_than_any_memory_is_refused(
    tensorflow: None, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tinysim.compiler.readers.MAX_FILE_BYTES", 8)
    with pytest.raises(ModelError, match="9 bytes are more than any of the boards hold"):
        read_model(folder)


MAKE_SAVED_MODEL = """
import sys
import numpy as np
import tensorflow as tf

layers = tf.keras.layers
tf.keras.utils.set_random_seed(1)
model = tf.keras.Sequential([
    layers.Input((8, 8, 3)), layers.Conv2D(4, 3, strides=2, activation="relu"),
    layers.BatchNormalization(), layers.Flatten(), layers.Dense(5, activation="softmax"),
])
x = np.random.default_rng(2).normal(size=(1, 8, 8, 3)).astype(np.float32)
model.export(sys.argv[1] + "/exported", verbose=False)
tf.saved_model.save(model, sys.argv[1] + "/saved")
np.savez(sys.argv[1] + "/expected.npz", x=x, y=model(x).numpy())
"""


def test_saved_model_computes_what_tensorflow_does(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("tensorflow is not installed: no real SavedModel can be converted")
    command = [sys.executable, "-c", MAKE_SAVED_MODEL, str(tmp_path)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    expected = np.load(tmp_path / "expected.npz")
    for name in ("exported", "saved"):
        graph = read_model(tmp_path / name)
        assert capfd.readouterr() == ("", "")
        (found,) = run_reference(graph, (expected["x"],))
        np.testing.assert_allclose(found, expected["y"], rtol=1e-5, atol=1e-6)


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch, as far as it is used: an exported program is an ONNX file in brackets."""
    monkeypatch.setenv("TINYSIM_TRUST_MODELS", "1")

    def load(file: Any) -> bytes:
        blob: bytes = file.read()
        if not blob.startswith(b"["):
            raise ValueError("no archive")
        return blob[1:-1]

    def export(program: bytes, *, dynamo: bool, verbose: bool) -> SimpleNamespace:
        print(CHATTER)
        return SimpleNamespace(model_proto=SimpleNamespace(SerializeToString=lambda: program))

    module: Any = ModuleType("torch")
    module.export = SimpleNamespace(load=load)
    module.onnx = SimpleNamespace(export=export)
    monkeypatch.setitem(sys.modules, "torch", module)
    monkeypatch.setitem(sys.modules, "onnxscript", ModuleType("onnxscript"))


def test_exported_program_goes_by_way_of_onnx(
    torch: None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed: no ONNX model can be made")
    from tests import onnx_models

    x = np.array([[-1, 2, -3], [4, -5, 6]], np.float32)
    model = onnx_models.build([onnx_models.node("Relu", "x")], {"x": x})
    path = tmp_path / "model.pt2"
    path.write_bytes(b"[" + model + b"]")
    graph = read_model(path)
    assert capfd.readouterr() == ("", "")
    np.testing.assert_array_equal(run_reference(graph, (x,))[0], np.maximum(x, 0))


def test_exported_program_that_pytorch_does_not_take_is_refused(
    torch: None, tmp_path: Path
) -> None:
    path = tmp_path / "model.pt2"
    path.write_bytes(b"?")
    with pytest.raises(ModelError, match=r"does not export it \(ValueError: no archive\)"):
        read_model(path)


@pytest.mark.parametrize("package", ["torch", "onnxscript"])
def test_exported_program_without_pytorch_is_refused(
    torch: None, tmp_path: Path, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    path = tmp_path / "model.pt2"
    path.write_bytes(b"[]")
    what = rf"needs {package}; pip install 'tinysim\[torch\]'"
    with pytest.raises(ModelError, match=what):
        read_model(path)


def test_exported_program_is_not_read_unless_it_may_run(
    torch: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TINYSIM_TRUST_MODELS")
    path = tmp_path / "model.pt2"
    path.write_bytes(b"[]")
    with pytest.raises(ModelError, match="may run any code when it is read"):
        read_model(path)
