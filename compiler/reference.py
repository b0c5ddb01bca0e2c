"""The host's own inference: the graph as it was read, node by node, in numpy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tinysim.compiler.graph import Array, Graph, Tensor


class Reference:
    """A graph that computes on the host, one inference after another, states kept between them."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._states = {state.tensor.id: state.initial for state in graph.states}

    def infer(self, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        """Compute the graph's outputs from its inputs, with the operators' numpy references."""
        values: dict[int, Array] = {}
        for _ in self._steps(inputs, values):
            pass
        return tuple(_value_of(tensor, values) for tensor in self._graph.outputs)

    def trace(self, inputs: tuple[Array, ...]) -> Iterator[tuple[Array, ...]]:
        """Compute node by node and yield what each one writes."""
        return self._steps(inputs, {})

    def _steps(
        self, inputs: tuple[Array, ...], values: dict[int, Array]
    ) -> Iterator[tuple[Array, ...]]:
        graph = self._graph
        values |= self._states
        values |= {tensor.id: value for tensor, value in zip(graph.inputs, inputs, strict=True)}
        for node in graph.nodes:
            arguments = tuple(None if t is None else _value_of(t, values) for t in node.inputs)
            results = node.op.reference(node.inputs, node.outputs, arguments)
            for tensor, result in zip(node.outputs, results, strict=True):
                values[tensor.id] = result.reshape(tensor.shape)
            yield tuple(values[tensor.id] for tensor in node.outputs)
        self._states = {name: values[name] for name in self._states}


def _value_of(tensor: Tensor, values: Mapping[int, Array]) -> Array:
    found = tensor.data if tensor.data is not None else values[tensor.id]
    return found.reshape(tensor.shape)


def run_reference(graph: Graph, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
    """Compute one inference, from the initial states."""
    return Reference(graph).infer(inputs)
