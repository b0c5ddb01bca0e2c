"""The host's own inference: the graph as it was read, node by node, in numpy."""

from __future__ import annotations

from tinysim.compiler.graph import Array, Graph, Tensor


class Reference:
    """A graph that computes on the host, one inference after another, states kept between them."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._states = {state.tensor.id: state.initial for state in graph.states}

    def infer(self, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        """Compute the graph's outputs from its inputs, with the operators' numpy references."""
        graph = self._graph
        values = dict(self._states)
        values |= {tensor.id: value for tensor, value in zip(graph.inputs, inputs, strict=True)}

        def value_of(tensor: Tensor) -> Array:
            found = tensor.data if tensor.data is not None else values[tensor.id]
            return found.reshape(tensor.shape)

        for node in graph.nodes:
            arguments = tuple(None if t is None else value_of(t) for t in node.inputs)
            results = node.op.reference(node.inputs, node.outputs, arguments)
            for tensor, result in zip(node.outputs, results, strict=True):
                values[tensor.id] = result.reshape(tensor.shape)
        self._states = {name: values[name] for name in self._states}
        return tuple(value_of(tensor) for tensor in graph.outputs)


def run_reference(graph: Graph, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
    """Compute one inference, from the initial states."""
    return Reference(graph).infer(inputs)
