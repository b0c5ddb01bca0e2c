"""Keras model files made without Keras: HDF5 as Keras 2 and 3 write it, and ``.keras`` archives."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Json = dict[str, Any]


def layer(kind: str, name: str, nodes: Sequence[Any] | None = None, **config: Any) -> Json:
    """A layer; ``nodes`` are what it is called on, in a functional model."""
    entry: Json = {"class_name": kind, "name": name, "config": {"name": name, **config}}
    return entry if nodes is None else {**entry, "inbound_nodes": list(nodes)}


def sequential(shape: Sequence[int | None] | None, *layers: Json) -> Json:
    """A chain of layers."""
    head = [] if shape is None else [layer("InputLayer", "x", batch_input_shape=list(shape))]
    return {"class_name": "Sequential", "config": {"name": "chain", "layers": [*head, *layers]}}


def functional(inputs: Sequence[str], outputs: Sequence[str], *layers: Json) -> Json:
    """A graph of layers; the ends are the first outputs of the first calls."""
    config = {
        "name": "net",
        "layers": list(layers),
        "input_layers": [[name, 0, 0] for name in inputs],
        "output_layers": [[name, 0, 0] for name in outputs],
    }
    return {"class_name": "Functional", "config": config}


def on(*names: str) -> list[Any]:
    """A call on the first outputs of layers, as Keras 2 writes it."""
    return [[name, 0, 0, {}] for name in names]


def on_tensors(*names: str) -> Json:
    """A call on the first outputs of layers, as Keras 3 writes it."""
    tensors = [
        {"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}}
        for name in names
    ]
    return {"args": [tensors if len(tensors) > 1 else tensors[0]], "kwargs": {"mask": None}}


def hdf5(
    config: Json | str, weights: Mapping[str, Mapping[str, Array]], version: str = "2.8.0"
) -> bytes:
    """A whole model in one HDF5 file: a group a layer, weights by name."""
    import h5py

    stream = io.BytesIO()
    with h5py.File(stream, "w", libver=("earliest", "v110")) as file:
        text = config if isinstance(config, str) else json.dumps(config)
        file.attrs["model_config"] = text
        file.attrs["keras_version"] = version
        root = file.create_group("model_weights")
        for name, arrays in weights.items():
            group = root.create_group(name)
            group.attrs["weight_names"] = [f"{key}:0".encode() for key in arrays]
            for key, values in arrays.items():
                group[f"{key}:0"] = values
    return stream.getvalue()


def archive(
    config: Json | str,
    weights: Mapping[str, Sequence[Array]],
    version: str = "3.5.0",
    compression: int = zipfile.ZIP_STORED,
) -> bytes:
    """A ``.keras`` archive: weights by class and number of the layer."""
    import h5py

    inner, stream = io.BytesIO(), io.BytesIO()
    with h5py.File(inner, "w", libver=("earliest", "v110")) as file:
        for path, arrays in weights.items():
            for number, values in enumerate(arrays):
                file[f"{path}/vars/{number}"] = np.asarray(values)
    with zipfile.ZipFile(stream, "w", compression) as packed:
        packed.writestr("metadata.json", json.dumps({"keras_version": version}))
        packed.writestr("config.json", config if isinstance(config, str) else json.dumps(config))
        packed.writestr("model.weights.h5", inner.getvalue())
    return stream.getvalue()
