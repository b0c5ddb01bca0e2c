"""Keras files, written here by hand: what graph they give, what it computes, what is refused."""

from __future__ import annotations

import builtins
import io
import json
import os
import random
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.keras_models import (
    Array,
    Json,
    archive,
    functional,
    hdf5,
    layer,
    on,
    on_tensors,
    sequential,
)
from tests.mutation import damaged
from tinysim.compiler.graph import Graph, Tensor
from tinysim.compiler.ops import Inputs, KernelCall, Operator, Options
from tinysim.compiler.readers import keras, read_model
from tinysim.compiler.readers.keras import builder
from tinysim.compiler.reference import run_reference
from tinysim.errors import ModelError, UnsupportedOperatorError

h5py = pytest.importorskip("h5py")

#: Raise it for a long run: TINYSIM_FUZZ_MUTATIONS=10000.
MUTATIONS = int(os.environ.get("TINYSIM_FUZZ_MUTATIONS", "600"))

RNG = np.random.default_rng(20261121)


class Recorded(Operator):
    """Stands for any operator: takes everything, computes nothing."""

    def __init__(self, kind: str, options: Options) -> None:
        self.kind, self.options = kind, options

    def problems(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> Iterator[str]:
        return iter(())

    def macs(self, inputs: Inputs, outputs: tuple[Tensor, ...]) -> int:
        return 0

    def reference(self, inputs: Any, outputs: Any, values: Any) -> tuple[Array, ...]:
        raise NotImplementedError

    def lower(self, inputs: Any, outputs: Any) -> tuple[KernelCall, ...]:
        return ()


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the reader find an operator under every name."""

    def find(name: str) -> Any:
        class Named(Recorded):
            @classmethod
            def from_tflite(cls, options: Options) -> Operator:
                return Recorded(name, options)

        return Named

    monkeypatch.setattr(builder, "operator_class", find)


def read(blob: bytes) -> Graph:
    return keras.read(blob, "x", "0" * 64, "x.h5")


def kinds(graph: Graph) -> list[str]:
    return [getattr(node.op, "kind", node.op.__class__.__name__) for node in graph.nodes]


def refusal(blob: bytes) -> str:
    with pytest.raises(ModelError) as caught:
        read(blob)
    text = str(caught.value)
    assert text.startswith("x.h5: ") and text.isprintable()
    return text


def computed(blob: bytes, *inputs: Array) -> tuple[Array, ...]:
    """Run the model on the host, if the float operators are there."""
    try:
        graph = read(blob)
    except UnsupportedOperatorError as error:
        pytest.skip(f"an operator is missing: {error}")
    return run_reference(graph, inputs)


def floats(*shape: int) -> Array:
    return RNG.normal(size=shape).astype(np.float32)


def assert_near(found: Array, wanted: Array, ulp: float) -> None:
    """Compare within units in the last place of the largest magnitude."""
    unit = np.spacing(np.float32(np.abs(wanted).max()))
    assert np.abs(found.astype(np.float64) - wanted).max() <= ulp * unit


def softmax(x: Array) -> Array:
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def dense(name: str = "dense", units: int = 3, **config: Any) -> Json:
    return layer("Dense", name, units=units, **config)


KERNEL, BIAS = floats(4, 3), floats(3)
DENSE = {"dense": {"dense/kernel": KERNEL, "dense/bias": BIAS}}
MLP = hdf5(sequential((None, 4), dense(activation="softmax")), DENSE)


def test_dense_with_softmax_is_computed() -> None:
    x = floats(1, 4)
    (y,) = computed(MLP, x)
    assert_near(y, softmax(x.astype(np.float64) @ KERNEL + BIAS), 4)


def test_convolution_with_folded_batch_normalization_is_computed() -> None:
    kernel, x = floats(3, 3, 2, 4), floats(1, 6, 5, 2)
    gamma, beta, mean = floats(4), floats(4), floats(4)
    variance = np.abs(floats(4)) + np.float32(0.1)
    config = sequential(
        (None, 6, 5, 2),
        layer("Conv2D", "c", filters=4, kernel_size=[3, 3], use_bias=False),
        layer("BatchNormalization", "n", axis=[3], epsilon=0.01),
        layer("ReLU", "r", max_value=6.0),
    )
    names = {"gamma": gamma, "beta": beta, "moving_mean": mean, "moving_variance": variance}
    (y,) = computed(hdf5(config, {"c": {"kernel": kernel}, "n": names}), x)
    patches = np.lib.stride_tricks.sliding_window_view(x.astype(np.float64), (3, 3), (1, 2))
    acc = np.einsum("nhwcij,ijco->nhwo", patches, kernel)
    wanted = np.clip((acc - mean) / np.sqrt(variance + 0.01) * gamma + beta, 0, 6)
    assert_near(y, wanted, 16)


def test_both_ways_of_storing_give_the_same_graph(recorded: None) -> None:
    chain = sequential((None, 4), dense(activation="relu"), dense("second", 2, use_bias=False))
    second = floats(3, 2)
    by_name = read(hdf5(chain, {**DENSE, "second": {"second/kernel": second}}))
    slots = {"layers/dense": [KERNEL, BIAS], "layers/dense_1": [second]}
    by_slot = read(archive(chain, slots))
    for graph in (by_name, by_slot):
        assert kinds(graph) == ["FULLY_CONNECTED", "RELU", "FULLY_CONNECTED"]
        filters = [node.inputs[1] for node in graph.nodes if len(node.inputs) > 1]
        for tensor, wanted in zip(filters, (KERNEL.T, second.T), strict=True):
            assert tensor is not None and tensor.data is not None
            assert np.array_equal(tensor.data, wanted)
        assert graph.inputs[0].shape == (1, 4) and graph.outputs[0].shape == (1, 2)


@pytest.mark.parametrize("call", [lambda *names: on(*names), on_tensors], ids=["keras2", "keras3"])
def test_functional_model_with_shared_layer_and_two_outputs(call: Any, recorded: None) -> None:
    shared = dense("dense", 3)
    shared["inbound_nodes"] = [call("a"), call("b")]
    reference = [["dense", 0, 0, {}], ["dense", 1, 0, {}]]
    add = layer("Add", "add", [reference])
    config = functional(
        ["a", "b"],
        ["add", "relu"],
        layer("Activation", "relu", [call("add")], activation="relu"),
        add,
        shared,
        layer("InputLayer", "a", [], batch_input_shape=[None, 4]),
        layer("InputLayer", "b", [], batch_input_shape=[None, 4]),
    )
    graph = read(hdf5(config, DENSE))
    assert kinds(graph) == ["FULLY_CONNECTED", "FULLY_CONNECTED", "ADD", "RELU"]
    first, second, add_node, relu = graph.nodes
    assert first.inputs[1] is second.inputs[1], "one constant, however often it is used"
    assert (first.inputs[0], second.inputs[0]) == graph.inputs
    assert add_node.inputs == (first.outputs[0], second.outputs[0])
    assert graph.outputs == (add_node.outputs[0], relu.outputs[0])


@pytest.mark.parametrize("first", [0, 1])
def test_model_within_a_model_finds_its_weights(first: int, recorded: None) -> None:
    """Keras 2 counts the calls of a model from 1, Keras 3 from 0."""
    inner = {**sequential((None, 4), dense()), "name": "inner", "inbound_nodes": [on("a")]}
    last = layer("Activation", "last", [[["inner", first, 0, {}]]], activation="tanh")
    head = layer("InputLayer", "a", [], batch_input_shape=[None, 4])
    config = functional(["a"], ["last"], head, inner, last)
    for blob in (
        hdf5(config, {"inner": DENSE["dense"]}),
        archive(config, {"layers/sequential/layers/dense": [KERNEL, BIAS]}),
    ):
        graph = read(blob)
        assert kinds(graph) == ["FULLY_CONNECTED", "TANH"]
        assert graph.nodes[0].name == "inner/dense"


@pytest.mark.parametrize(
    ("made", "shape", "operators", "out"),
    [
        (layer("Flatten", "l"), (2, 3), ["RESHAPE"], (1, 6)),
        (layer("Reshape", "l", target_shape=[3, -1]), (2, 3), ["RESHAPE"], (1, 3, 2)),
        (layer("Permute", "l", dims=[2, 1]), (2, 3), ["TRANSPOSE"], (1, 3, 2)),
        (layer("ZeroPadding2D", "l", padding=[[1, 2], [0, 3]]), (4, 4, 1), ["PAD"], (1, 7, 7, 1)),
        (layer("ZeroPadding1D", "l", padding=[1, 0]), (4, 2), ["PAD"], (1, 5, 2)),
        (layer("Cropping2D", "l", cropping=1), (4, 5, 1), ["SLICE"], (1, 2, 3, 1)),
        (layer("MaxPooling2D", "l", padding="same"), (5, 4, 2), ["MAX_POOL_2D"], (1, 3, 2, 2)),
        (
            layer("AveragePooling1D", "l", pool_size=[3], strides=[2]),
            (7, 2),
            ["RESHAPE", "AVERAGE_POOL_2D", "RESHAPE"],
            (1, 3, 2),
        ),
        (layer("GlobalAveragePooling2D", "l"), (5, 4, 2), ["MEAN"], (1, 2)),
        (layer("GlobalMaxPooling1D", "l", keepdims=True), (5, 2), ["REDUCE_MAX"], (1, 1, 2)),
        (
            layer("UpSampling2D", "l", size=[2, 3], interpolation="bilinear"),
            (2, 2, 1),
            ["RESIZE_BILINEAR"],
            (1, 4, 6, 1),
        ),
        (layer("Rescaling", "l", scale=0.5, offset=-1), (3,), ["MUL", "ADD"], (1, 3)),
        (layer("LeakyReLU", "l"), (3,), ["LEAKY_RELU"], (1, 3)),
        (layer("Softmax", "l", axis=-1), (3,), ["SOFTMAX"], (1, 3)),
        (layer("Activation", "l", activation="swish"), (3,), ["LOGISTIC", "MUL"], (1, 3)),
        (
            layer("Activation", "l", activation={"class_name": "function", "config": "relu6"}),
            (3,),
            ["RELU6"],
            (1, 3),
        ),
        (layer("RepeatVector", "l", n=2), (3,), ["RESHAPE", "TILE"], (1, 2, 3)),
    ],
    ids=lambda value: value["class_name"] if isinstance(value, dict) else "",
)
def test_layer_becomes_operators(
    made: Json, shape: tuple[int, ...], operators: list[str], out: tuple[int, ...], recorded: None
) -> None:
    graph = read(hdf5(sequential((None, *shape), made), {}))
    assert kinds(graph) == operators
    assert graph.outputs[0].shape == out


def test_causal_convolution_pads_in_front(recorded: None) -> None:
    config = layer("Conv1D", "c", filters=2, kernel_size=3, dilation_rate=2, padding="causal")
    blob = hdf5(sequential((None, 8, 3), config), {"c": {"k": floats(3, 3, 2), "b": floats(2)}})
    graph = read(blob)
    assert kinds(graph) == ["RESHAPE", "PAD", "CONV_2D", "RESHAPE"]
    paddings = graph.nodes[1].inputs[1]
    assert paddings is not None and paddings.data is not None
    assert paddings.data.tolist() == [[0, 0], [0, 0], [4, 0], [0, 0]]
    assert graph.outputs[0].shape == (1, 8, 2)


@pytest.mark.parametrize(("version", "operators"), [("2.8.0", 4), ("3.5.0", 3)])
def test_hard_sigmoid_is_that_of_the_keras_which_wrote_the_file(
    version: str, operators: int, recorded: None
) -> None:
    chain = sequential((None, 4), layer("Activation", "l", activation="hard_sigmoid"))
    assert len(read(hdf5(chain, {}, version)).nodes) == operators


def test_everything_that_is_not_supported_is_listed_at_once() -> None:
    config = sequential(
        (None, 4, 4, 1),
        layer("Lambda", "code", function=["4wEAAAA=", None, None]),
        layer("Conv3D", "cube"),
        {**layer("Dense", "mine"), "registered_name": "mine>Dense", "module": "mine"},
    )
    with pytest.raises(UnsupportedOperatorError) as caught:
        read(hdf5(config, {}))
    text = str(caught.value)
    assert "layer code (Lambda): code in a model file is never executed" in text
    assert "layer cube (Conv3D): class Conv3D is not supported (near: Conv2D" in text
    assert "layer mine (mine>Dense)" in text


@pytest.mark.parametrize(
    ("made", "what"),
    [
        (layer("Conv2D", "l", data_format="channels_first"), "channels_first is not supported"),
        (layer("MaxPooling2D", "l", pool_size=[9, 9]), "a window of 9 does not fit into 4"),
        (layer("MaxPooling2D", "l", pool_size=[0, 1]), "pool_size is 0"),
        (layer("MaxPooling2D", "l", pool_size="big"), "pool_size is big"),
        (layer("MaxPooling2D", "l", strides=[1, 1, 1]), "expected 2 numbers"),
        (layer("Conv2D", "l", filters=10**9, kernel_size=3), "filters is 1000000000"),
        (layer("Conv2D", "l", filters=2, kernel_size=3), "weights are missing, expected [3, 3, 1"),
        (layer("Conv2D", "l", filters=2, kernel_size=1, groups=3), "3 groups do not divide"),
        (layer("UpSampling2D", "l", size=10_000), "makes a tensor of shape"),
        (layer("UpSampling2D", "l", interpolation="lanczos5"), "interpolation is lanczos5"),
        (layer("Reshape", "l", target_shape=[5]), "does not go with"),
        (layer("Activation", "l", activation="sparsemax"), "activation sparsemax is not"),
        (layer("ReLU", "l", threshold=1.0), "a threshold other than 0"),
        (layer("Rescaling", "l", scale=float("nan")), "expected a number"),
        (layer("Cropping2D", "l", cropping=[[2, 2], [0, 0]]), "cropping leaves"),
        (layer("Add", "l"), "has 1 inputs"),
    ],
)
def test_layer_that_makes_no_sense_is_named(made: Json, what: str, recorded: None) -> None:
    text = refusal(hdf5(sequential((None, 4, 4, 1), made), {}))
    assert what in text and "layer l (" in text


@pytest.mark.parametrize(
    ("config", "what"),
    [
        ("[" * 100_000, "not a readable Keras file"),
        ("{", "not a readable Keras file"),
        ({"class_name": "Evil"}, "neither Sequential nor Functional"),
        (sequential((None, 4)), "lists no layers"),
        (sequential(None, dense()), "has no shape"),
        (sequential((None, None, 4), dense()), "dynamic shape"),
        (functional(["a"], ["a"], layer("InputLayer", "a", [], batch_shape=[1, 4])), "an input"),
        (
            functional(
                ["a"],
                ["b"],
                layer("InputLayer", "a", [], batch_shape=[1, 4]),
                layer("ReLU", "b", [on("c")]),
                layer("ReLU", "c", [on("b")]),
            ),
            "in a circle",
        ),
        (
            functional(["a"], ["z"], layer("InputLayer", "a", [], batch_shape=[1, 4])),
            "never computed",
        ),
    ],
)
def test_broken_configuration_is_refused(config: Any, what: str, recorded: None) -> None:
    if config == sequential((None, 4)):
        config = {"class_name": "Sequential", "config": {"layers": []}}
    assert what in refusal(hdf5(config, DENSE))


def test_models_nested_without_end_are_refused(recorded: None) -> None:
    """Ten calls of a model that calls a model ten times ...: a billion nodes from one page."""
    config = sequential((None, 4), layer("ReLU", "r"))
    for depth in range(7):
        name = f"m{depth}"
        inner = {**config, "name": name, "inbound_nodes": [on("a")]}
        inner["inbound_nodes"] += [[[name, i, 0, {}]] for i in range(9)]
        head = layer("InputLayer", "a", [], batch_shape=[1, 4])
        config = functional(["a"], [name], head, inner)
        config["config"]["output_layers"] = [[name, 9, 0]]
    begun = time.monotonic()
    assert "more than 10,000 times" in refusal(hdf5(config, {}))
    assert time.monotonic() - begun < 10


def test_wrong_or_unusable_weights_are_refused(recorded: None) -> None:
    chain = sequential((None, 4), dense())
    wrong = {"dense": {"kernel": floats(4, 5), "bias": BIAS}}
    assert "weights are [4, 5], [3], expected [4, 3], [3]" in refusal(hdf5(chain, wrong))
    infinite = {"dense": {"kernel": KERNEL * np.float32(np.inf), "bias": BIAS}}
    assert "not finite" in refusal(hdf5(chain, infinite))
    texts = {"dense": {"kernel": np.array([[b"a"] * 3] * 4), "bias": BIAS}}
    assert "does not hold numbers" in refusal(hdf5(chain, texts))
    only = io.BytesIO()
    with h5py.File(only, "w") as file:
        file["dense/kernel:0"] = KERNEL
    assert "holds weights only" in refusal(only.getvalue())


def changed(change: Any) -> bytes:
    """Return the small model with its kernel put elsewhere by ``change(file, group)``."""
    stream = io.BytesIO(MLP)
    with h5py.File(stream, "r+") as file:
        group = file["model_weights/dense"]
        del group["dense/kernel:0"]
        change(file, group["dense"])
    return stream.getvalue()


def test_what_leads_to_other_files_or_unpacks_hugely_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["kernel"] = KERNEL
    key = "kernel:0"

    def external(_: Any, group: Any) -> None:
        group[key] = h5py.ExternalLink(str(secret), "/kernel")

    def soft(file: Any, group: Any) -> None:
        file["elsewhere"] = KERNEL
        group[key] = h5py.SoftLink("/elsewhere")

    def storage(_: Any, group: Any) -> None:
        group.create_dataset(key, (4, 3), "f4", external=[(str(secret), 0, 48)])

    def virtual(_: Any, group: Any) -> None:
        layout = h5py.VirtualLayout((4, 3), "f4")
        layout[:] = h5py.VirtualSource(str(secret), "kernel", (4, 3))
        group.create_virtual_dataset(key, layout)

    def sparse(_: Any, group: Any) -> None:
        group.create_dataset(key, (2**20, 2**20), "f4", chunks=(64, 64))

    for change, what in (
        (external, "a link out of its place"),
        (soft, "a link out of its place"),
        (storage, "lies in another file"),
        (virtual, "lies in another file|a text is longer than the file"),
        (sparse, "more data than its size allows"),
    ):
        assert re.search(what, refusal(changed(change))), change.__name__


def test_zip_that_unpacks_hugely_is_refused() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("metadata.json", "{}")
        packed.writestr("config.json", " " * (20 * 2**20))
    assert "unpacks to more than" in refusal(stream.getvalue())
    assert "neither an HDF5 file nor" in refusal(b"PK")


def test_hostile_names_are_shown_safely(recorded: None) -> None:
    name = "\x1b[31m*/ ../evil\n" + "x" * 500
    graph = read(hdf5(sequential((None, 4), layer("ReLU", name)), {}))
    for shown in (graph.nodes[0].name, graph.outputs[0].name):
        assert shown.isprintable() and len(shown) <= 80


def test_missing_h5py_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "h5py":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    assert "pip install tinysim[keras]" in refusal(MLP)


@pytest.mark.parametrize("suffix", [".h5", ".hdf5", ".keras"])
def test_reader_is_chosen_by_suffix(suffix: str, tmp_path: Path, recorded: None) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(MLP)
    assert read_model(path).name == "model"


CONV = hdf5(
    functional(
        ["a"],
        ["d"],
        layer("InputLayer", "a", [], batch_input_shape=[None, 4, 4, 1]),
        layer("Conv2D", "c", [on("a")], filters=2, kernel_size=[3, 3], padding="same"),
        layer("Concatenate", "b", [on("c", "a")]),
        layer("MaxPooling2D", "m", [on("b")], pool_size=[2, 2]),
        layer("Flatten", "f", [on("m")]),
        dense("d", 2, activation="selu", inbound=0) | {"inbound_nodes": [on("f")]},
    ),
    {"c": {"k": floats(3, 3, 1, 2), "b": floats(2)}, "d": {"k": floats(12, 2), "b": floats(2)}},
)
ZIPPED = archive(sequential((None, 4), dense()), {"layers/dense": [KERNEL, BIAS]}, compression=8)


def test_mutated_files_are_read_or_refused_in_bounded_time(recorded: None) -> None:
    rng = random.Random(20261121)
    accepted, slowest_s = 0, 0.0
    for _ in range(MUTATIONS):
        blob = damaged(rng.choice((MLP, CONV, ZIPPED)), rng)
        begun = time.monotonic()
        try:
            read(blob)
            accepted += 1
        except ModelError:
            pass
        slowest_s = max(slowest_s, time.monotonic() - begun)
    assert 0 < accepted < MUTATIONS
    assert slowest_s < 5


def scrambled(value: Any, rng: random.Random) -> Any:
    """Change one value somewhere in JSON."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        if rng.random() < 0.05:
            return {k: v for k, v in value.items() if k != key}
        return {**value, key: scrambled(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        return [*value[:at], scrambled(value[at], rng), *value[at + 1 :]]
    odd: list[Any] = [
        None,
        0,
        -1,
        2**40,
        1e400,
        True,
        "",
        "linear",
        "a",
        [],
        {},
        [[]],
        [None],
        [3, 3],
        "same",
    ]
    return rng.choice([*odd, [value], {"config": value}])


def test_scrambled_configurations_are_read_or_refused(recorded: None) -> None:
    rng = random.Random(20261121)
    with h5py.File(io.BytesIO(CONV)) as file:
        config = json.loads(file.attrs["model_config"])
    weights = {"c": {"k": floats(3, 3, 1, 2), "b": floats(2)}}
    accepted = 0
    for _ in range(MUTATIONS):
        odd = scrambled(scrambled(config, rng), rng)
        try:
            read(hdf5(odd, weights))
            accepted += 1
        except ModelError as error:
            assert str(error).isprintable()
    assert accepted < MUTATIONS


def test_text_longer_than_the_file_is_refused() -> None:
    """The HDF5 library itself would first take as many bytes as the reference tells."""
    address = MLP.find(b"GCOL").to_bytes(8, "little")
    at = MLP.find(address)
    begun = time.monotonic()
    damaged = MLP[: at - 4] + (2**32 - 2).to_bytes(4, "little") + MLP[at:]
    assert "a text is longer than the file" in refusal(damaged)
    assert time.monotonic() - begun < 1


def test_heap_of_texts_that_never_ends_is_refused() -> None:
    """The HDF5 library itself would loop for ever on a free item of no length."""
    at = MLP.find(b"GCOL")
    assert at > 0
    item = at + 16
    while int.from_bytes(MLP[item : item + 2], "little"):
        item += 16 + -(-int.from_bytes(MLP[item + 8 : item + 16], "little") // 8) * 8
    damaged = bytearray(MLP)
    damaged[item + 8 : item + 16] = bytes(8)
    assert "a heap of texts is damaged" in refusal(bytes(damaged))
