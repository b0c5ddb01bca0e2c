"""Dissolves models within a model, as in transfer learning: what is inside can be pruned then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinysim.lab.prune.groups import functional
from tinysim.lab.prune.walk import calls, same_inputs

if TYPE_CHECKING:
    import keras


def flattened(model: keras.Model) -> keras.Model:
    """Return a model that computes the same, with all layers of the models within it as its own.

    Layers keep their names; one that another layer has already is put behind the name of the
    model that it was in. A model that has none within it is returned as it is.

    Raises
    ------
    RecipeError
        If it or a model within it is a class of its own, whose graph cannot be known.
    """
    import keras

    outer = functional(model)
    if not any(isinstance(layer, keras.Model) for layer in outer.layers):
        return model
    copies = _Copies({layer.name for layer in outer.layers})
    inputs = same_inputs(outer)
    outputs = copies.call(outer, keras.tree.flatten(inputs))
    flat = keras.Model(inputs, keras.tree.pack_sequence_as(outer.output, outputs), name=model.name)
    for old, new in copies.made.values():
        if isinstance(old, keras.Layer):
            new.set_weights([weight.numpy() for weight in old.weights])
    return flat


class _Copies:
    """Layers as they are made again: each once, however often it is called."""

    def __init__(self, outer_names: set[str]) -> None:
        self.made: dict[int, tuple[Any, Any]] = {}
        self._names = outer_names

    def call(self, model: keras.Model, inputs: list[Any], inside: str = "") -> list[Any]:
        """Call copies of a model's layers as the model does; ``inside`` is its name, if within."""
        import keras

        values = {id(x): value for x, value in zip(model.inputs, inputs, strict=True)}
        for layer, node in calls(model):
            if isinstance(layer, keras.Model):
                given = [values[id(x)] for x in node.input_tensors]
                outputs = self.call(functional(layer), given, layer.name)
            else:
                arguments, options = node.arguments.fill_in(values)
                outputs = self._copy(layer, inside)(*arguments, **options)
            values.update(zip(map(id, node.outputs), keras.tree.flatten(outputs), strict=True))
        return [values[id(x)] for x in model.outputs]

    def _copy(self, layer: Any, inside: str) -> Any:
        if id(layer) not in self.made:
            config = layer.get_config()
            if inside:
                taken = layer.name in self._names
                config["name"] = f"{inside}_{layer.name}" if taken else layer.name
                self._names.add(config["name"])
            self.made[id(layer)] = layer, type(layer).from_config(config)
        return self.made[id(layer)][1]
