"""Graph -> Graph: the passes, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tinysim.compiler.graph import Graph, Node, Tensor, defects
from tinysim.compiler.ops.copy import Copy
from tinysim.compiler.passes._edit import fresh_id
from tinysim.compiler.passes.constant_channels import remove_constant_channels
from tinysim.compiler.passes.fold_constants import fold_constants
from tinysim.compiler.passes.fold_scale import fold_scale
from tinysim.compiler.passes.fuse_activation import fuse_activation
from tinysim.compiler.passes.fuse_pad import fuse_pad
from tinysim.compiler.passes.move_transposes import move_transposes
from tinysim.compiler.passes.patch import patch
from tinysim.compiler.passes.reorder import reorder
from tinysim.errors import ModelError


def remove_views(graph: Graph) -> Graph:
    """Take out operators that only rename memory; consumers read the input under its new shape."""
    views: dict[int, Tensor] = {}
    inputs = {tensor.id for tensor in graph.inputs}

    def seen(tensor: Tensor) -> Tensor:
        return views.get(tensor.id, tensor)

    nodes, removed = [], list(graph.removed)
    for node in graph.nodes:
        source = seen(node.inputs[0]) if node.inputs[0] is not None else None
        if node.op.is_view and source is not None:
            views[node.outputs[0].id] = replace(node.outputs[0], id=source.id, data=source.data)
            removed.append(f"{node.op.tflite} {node.name}: a view, costs nothing")
            continue
        changed = tuple(None if tensor is None else seen(tensor) for tensor in node.inputs)
        nodes.append(replace(node, inputs=changed))
    outputs = [seen(tensor) for tensor in graph.outputs]
    for index, tensor in enumerate(outputs):
        if tensor.id in inputs or tensor.data is not None:  # it must have a place of its own
            own = replace(tensor, id=fresh_id(graph) + index, data=None)
            nodes.append(Node(f"output {index}", Copy(), (tensor,), (own,)))
            outputs[index] = own
    return replace(graph, nodes=tuple(nodes), outputs=tuple(outputs), removed=tuple(removed))


def remove_dead_nodes(graph: Graph) -> Graph:
    """Take out what no output and no state depends on."""
    needed = {tensor.id for tensor in graph.outputs}
    needed |= {state.tensor.id for state in graph.states}
    kept: list[Node] = []
    removed = list(graph.removed)
    for node in reversed(graph.nodes):
        if needed.isdisjoint(tensor.id for tensor in node.outputs):
            removed.append(f"{node.op.tflite} {node.name}: nothing uses its result")
            continue
        kept.append(node)
        needed |= {tensor.id for tensor in node.activations}
    return replace(graph, nodes=tuple(reversed(kept)), removed=tuple(removed))


#: The whole list, in order; views go once for the passes that look through them, once at the end.
PASSES: tuple[Callable[[Graph], Graph], ...] = (
    fold_constants,
    remove_dead_nodes,
    move_transposes,
    fold_scale,
    fuse_activation,
    fuse_pad,
    remove_views,
    remove_constant_channels,
    reorder,
)


#: More no model for a microcontroller has.
MAX_TENSORS = 2000


def run_passes(graph: Graph, keeps_constant_channels: bool = False, patches: bool = False) -> Graph:
    """Run every pass; a pass that breaks the graph is a bug and stops here.

    Raises
    ------
    ModelError
        If the graph is so large that passes and planner would take minutes, or what it computes
        from constants would.
    """
    if (count := sum(len(node.outputs) for node in graph.nodes)) > MAX_TENSORS:
        raise ModelError(
            f"{count:,} tensors are computed, at most {MAX_TENSORS:,} are planned",
            where=graph.name,
            fix="give a smaller model",
        )
    for rewrite in (*PASSES, patch):
        if keeps_constant_channels and rewrite is remove_constant_channels:
            continue
        if rewrite is patch and not patches:
            continue
        graph = rewrite(graph)
        broken = list(defects(graph))
        assert not broken, f"{rewrite.__name__}: {broken}"
    return graph
