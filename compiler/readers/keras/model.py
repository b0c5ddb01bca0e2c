"""Keras's JSON -> a plan: which layer is called on what, in an order that can be executed."""

from __future__ import annotations

import heapq
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tinysim.compiler.readers.keras.config import Config, shown

#: Models within models, and calls of layers altogether.
MAX_DEPTH = 8
MAX_CALLS = 10_000

#: (layer, which of its calls, which of the outputs)
Reference = tuple[str, int, int]

MODELS = ("Functional", "Model", "Sequential")
#: Modules whose classes are Keras's own.
_OWN_MODULES = ("keras", "tf_keras", "tensorflow.keras", "tensorflow.python.keras", "builtins")


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer: class, configuration, where its weights lie and, if it is a model, its plan."""

    kind: str
    config: Config
    names: tuple[str, ...]
    slots: tuple[str, ...]
    plan: Plan | None = None

    @property
    def name(self) -> str:
        """The path of names, fit to be shown."""
        return shown("/".join(self.names))


@dataclass(frozen=True, eq=False)
class Call:
    """A layer applied to tensors; ``index`` counts the calls of one layer."""

    layer: Layer
    index: int
    arguments: tuple[Reference, ...]


@dataclass(frozen=True, eq=False)
class Plan:
    """A model: its inputs, its calls in order, its outputs; ``shapes`` are the inputs', if told."""

    name: str
    inputs: tuple[Reference, ...]
    shapes: tuple[Any, ...]
    dtypes: tuple[Any, ...]
    calls: tuple[Call, ...]
    outputs: tuple[Reference, ...]


def read_plan(entry: Any, names: tuple[str, ...] = (), slots: tuple[str, ...] = ()) -> Plan:
    """Read a model's configuration.

    Raises
    ------
    ValueError
        If the configuration is damaged: it is no model, or its layers cannot be put in order.
    """
    if not isinstance(entry, dict) or entry.get("class_name") not in MODELS:
        kind = entry.get("class_name") if isinstance(entry, dict) else entry
        raise ValueError(f"class {shown(kind)} is neither Sequential nor Functional")
    if len(names) > MAX_DEPTH:
        raise ValueError(f"models are nested more than {MAX_DEPTH} deep")
    config = entry.get("config")
    config = {"layers": config} if isinstance(config, list) else config
    if not isinstance(config, dict) or not isinstance(config.get("layers"), list):
        raise ValueError("the model lists no layers")
    layers = list(_layers(config["layers"], names, slots))
    name = shown(config.get("name") or "model")
    if entry["class_name"] == "Sequential":
        return _sequential(name, entry, config, layers)
    return _functional(name, config, layers)


def _layers(
    entries: list[Any], names: tuple[str, ...], slots: tuple[str, ...]
) -> Iterator[tuple[dict[str, Any], Layer]]:
    """Yield each layer's entry and the layer; archives number the layers of a class."""
    counts: dict[str, int] = defaultdict(int)
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("class_name"), str):
            raise ValueError(f"a layer reads {shown(entry)}")
        config = entry.get("config")
        config = config if isinstance(config, dict) else {}
        kind = entry["class_name"]
        name = entry.get("name") or config.get("name")
        if not isinstance(name, str):
            raise ValueError(f"a layer {shown(kind)} has no name")
        slot = _snake_case(kind)
        number, counts[slot] = counts[slot], counts[slot] + 1
        inner = (*slots, f"{slot}_{number}" if number else slot)
        plan = read_plan(entry, (*names, name), inner) if kind in MODELS else None
        yield entry, Layer(_own_kind(entry), Config(config), (*names, name), inner, plan)


def _own_kind(entry: dict[str, Any]) -> str:
    """Return the class; one that only looks like Keras's own is marked as foreign."""
    kind, registered = entry["class_name"], entry.get("registered_name")
    module = str(entry.get("module") or "keras")
    if registered not in (None, kind) and not str(registered).startswith("Keras"):
        return f"{registered}"
    is_own = module == "" or module.startswith(_OWN_MODULES)
    return str(kind) if is_own else f"{module}.{kind}"


def _snake_case(kind: str) -> str:
    """Return a class name as archives spell it: SeparableConv2D is separable_conv2d."""
    kind = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", kind))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", kind).lower()


def _input_shape(config: Config) -> Any:
    """Return the shape that a layer says its input has, with the batch."""
    return config.raw("batch_input_shape") or config.raw("batch_shape")


def _sequential(
    name: str,
    entry: dict[str, Any],
    config: dict[str, Any],
    layers: list[tuple[dict[str, Any], Layer]],
) -> Plan:
    """Chain the layers."""
    chain = [layer for _, layer in layers]
    if not chain:
        raise ValueError("the model lists no layers")
    head = chain[0].config
    shape, dtype = _input_shape(head), head.raw("dtype") or "float32"
    if chain[0].kind == "InputLayer":
        chain = chain[1:]
    elif chain[0].plan is not None and chain[0].plan.inputs:
        shape = shape or chain[0].plan.shapes[0]
    built = entry.get("build_config")
    shape = shape or config.get("build_input_shape") or Config(built).raw("input_shape")
    at: Reference = ("", 0, 0)
    calls = []
    for number, layer in enumerate(chain):
        calls.append(Call(layer, number, (at,)))
        at = (layer.names[-1], number, 0)
    return Plan(name, (("", 0, 0),), (shape,), (dtype,), tuple(calls), (at,))


def _functional(
    name: str, config: dict[str, Any], layers: list[tuple[dict[str, Any], Layer]]
) -> Plan:
    """Follow the references from layer to layer."""
    by_name = {layer.names[-1]: layer for _, layer in layers}
    if len(by_name) != len(layers):
        raise ValueError("two layers have the same name")
    calls = [
        Call(layer, index, tuple(_references(node)))
        for entry, layer in layers
        if layer.kind != "InputLayer"
        for index, node in enumerate(_nodes(entry))
    ]
    if len(calls) > MAX_CALLS:
        raise ValueError(f"{len(calls):,} calls of layers are too many")
    inputs = tuple(_references(config.get("input_layers")))
    outputs = tuple(_references(config.get("output_layers")))
    if not inputs or not outputs:
        raise ValueError("the model names no inputs or outputs")
    ends = [by_name.get(end[0]) for end in inputs]
    if any(end is None or end.kind != "InputLayer" for end in ends):
        raise ValueError("an input of the model is not an input layer")
    heads = [end.config for end in ends if end is not None]
    shift = _shifts(calls, outputs, by_name)
    calls = [
        Call(call.layer, call.index + shift[call.layer.names[-1]], call.arguments) for call in calls
    ]
    shapes = tuple(_input_shape(head) for head in heads)
    dtypes = tuple(head.raw("dtype") or "float32" for head in heads)
    ordered = tuple(_in_order(calls, {end[:2] for end in inputs}))
    return Plan(name, inputs, shapes, dtypes, ordered, outputs)


def _nodes(entry: dict[str, Any]) -> list[Any]:
    """Return the calls of a layer."""
    nodes = entry.get("inbound_nodes")
    if not isinstance(nodes, list):
        raise ValueError(f"layer {shown(entry.get('name'))} does not say what it is called on")
    return nodes


def _shifts(
    calls: list[Call], outputs: tuple[Reference, ...], by_name: dict[str, Layer]
) -> dict[str, int]:
    """Return what to add to a call's index: Keras 2 counts a model's calls within models from 1."""
    count: dict[str, int] = defaultdict(int)
    for call in calls:
        count[call.layer.names[-1]] += 1
    used: dict[str, int] = defaultdict(int)
    for name, index, _ in (*outputs, *(ref for call in calls for ref in call.arguments)):
        used[name] = max(used[name], index)
    return {
        name: int(layer.plan is not None and used[name] >= count[name] > 0)
        for name, layer in by_name.items()
    }


def _references(value: Any) -> Iterator[Reference]:
    """Yield the tensors named in a configuration, in order, however Keras wrapped them."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict) and item.get("class_name") == "__keras_tensor__":
            item = Config(item.get("config")).raw("keras_history")
            if not _is_reference(item):
                raise ValueError("a tensor without history is an argument")
        if _is_reference(item):
            if len(item) > 3 and item[3] not in ({}, None) and _hides_tensor(item[3]):
                raise ValueError(f"layer {shown(item[0])} has tensors as keyword arguments")
            yield (item[0], item[1], item[2])
        elif isinstance(item, list):
            pending += reversed(item)
        elif isinstance(item, dict) and "args" in item:
            if _hides_tensor(item.get("kwargs")):
                raise ValueError("a layer is called with tensors as keyword arguments")
            pending.append(item["args"])
        elif isinstance(item, dict):
            pending += reversed(list(item.values()))


def _is_reference(item: Any) -> bool:
    """Tell whether ``item`` is ``[layer, call, output]``."""
    return (
        isinstance(item, list)
        and 3 <= len(item) <= 4
        and isinstance(item[0], str)
        and all(isinstance(number, int) and number >= 0 for number in item[1:3])
    )


def _hides_tensor(value: Any) -> bool:
    """Tell whether keyword arguments hold tensors."""
    pending = [value]
    while pending:
        item = pending.pop()
        if _is_reference(item):
            return True
        if isinstance(item, dict):
            if item.get("class_name") == "__keras_tensor__":
                return True
            pending += item.values()
        elif isinstance(item, list):
            pending += item
    return False


def _in_order(calls: list[Call], known: set[tuple[str, int]]) -> Iterator[Call]:
    """Yield the calls, each behind those it needs, else as they stand in the file."""
    waiting: dict[tuple[str, int], list[int]] = defaultdict(list)
    missing = [0] * len(calls)
    for number, call in enumerate(calls):
        needed = {reference[:2] for reference in call.arguments} - known
        missing[number] = len(needed)
        for key in needed:
            waiting[key].append(number)
    ready = [number for number, count in enumerate(missing) if not count]
    heapq.heapify(ready)
    done = 0
    while ready:
        call = calls[heapq.heappop(ready)]
        done += 1
        yield call
        for number in waiting.pop((call.layer.names[-1], call.index), ()):
            missing[number] -= 1
            if not missing[number]:
                heapq.heappush(ready, number)
    if done != len(calls):
        raise ValueError("layers wait for each other in a circle, or for one that is not there")
