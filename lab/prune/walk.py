"""Follows channels through a Keras model: which positions of which tensors are the same channel.

Every channel that a layer makes is an *atom*, a number. A tensor carries an atom at each position
of its channel axis; what must be removed together (both sides of a sum) is tied. ``rules`` says of
each kind of layer what it does to them; what no rule follows is frozen, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinysim.lab.prune.balance import balanced_sets

if TYPE_CHECKING:
    import keras

Atoms = NDArray[np.int64]
Shape = tuple[int | None, ...]


@dataclass(frozen=True, eq=False)
class Channels:
    """The atoms of a tensor, along the axis (the batch is axis 0) on which its channels lie."""

    axis: int
    atoms: Atoms

    def __len__(self) -> int:
        """Return how many channels there are."""
        return len(self.atoms)


@dataclass(frozen=True, eq=False)
class Use:
    """An axis of a variable that has a position for each of some atoms.

    The variable ``makes`` them (a kernel's outputs), ``reads`` them (a kernel's inputs) or
    ``follows`` them (a bias, a normalization). Only a ``block`` of it does, the first of two, say:
    the last axis has so many equal parts.
    """

    layer: str
    variable: str
    axis: int
    role: str
    atoms: Atoms
    block: tuple[int, int] = (0, 1)


@dataclass(frozen=True, eq=False)
class Output:
    """One output of one call of a layer, and its channels."""

    layer: str
    call: int
    index: int
    channels: Channels


@dataclass(frozen=True, eq=False)
class Call:
    """A layer, what comes into it and the shapes of what comes out."""

    layer: Any
    inputs: tuple[Channels, ...]
    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]

    @property
    def on_last_axis(self) -> bool:
        """Whether all inputs have their channels where Keras layers expect them."""
        pairs = zip(self.inputs, self.input_shapes, strict=True)
        return all(channels.axis == len(shape) - 1 for channels, shape in pairs)


@dataclass(eq=False)
class Walk:
    """What was found on the way."""

    uses: list[Use] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    _parents: list[int] = field(default_factory=list)
    _reasons: dict[int, str] = field(default_factory=dict)
    _blocks: list[Atoms] = field(default_factory=list)

    def fresh(self, count: int) -> Atoms:
        """Return new atoms, tied to none."""
        first = len(self._parents)
        self._parents.extend(range(first, first + count))
        return np.arange(first, first + count)

    def root(self, atom: int) -> int:
        """Return the atom that stands for all that are tied to this one."""
        while self._parents[atom] != atom:
            self._parents[atom] = self._parents[self._parents[atom]]
            atom = self._parents[atom]
        return atom

    def tie(self, some: Atoms, others: Atoms) -> None:
        """Let these go together, one by one."""
        for one, other in zip(some.tolist(), others.tolist(), strict=True):
            low, high = sorted((self.root(one), self.root(other)))
            self._parents[high] = low

    def freeze(self, atoms: Atoms, reason: str) -> None:
        """Keep these for ever; the first reason is the one that is told."""
        for atom in atoms.tolist():
            self._reasons.setdefault(atom, reason)

    def balance(self, blocks: Atoms) -> None:
        """Let no row of these ever be longer than another, as far as others leave a choice."""
        self._blocks.append(blocks)

    def settle(self) -> None:
        """Tie what is missing for all that is to be balanced, when all else is known.

        Ties that come later leave it balanced, as sums of what is balanced are.
        """
        for blocks in self._blocks:
            roots = [[self.root(atom) for atom in row] for row in blocks.tolist()]
            for first, *others in balanced_sets(roots):
                self.tie(np.full(len(others), first), np.array(others, np.int64))

    def use(
        self,
        layer: Any,
        variable: str,
        axis: int,
        atoms: Atoms,
        role: str,
        block: tuple[int, int] = (0, 1),
    ) -> None:
        """Note an axis of a variable; a layer that is called twice ties what both calls see."""
        if getattr(layer, variable, None) is None:
            return
        new = Use(layer.name, variable, axis, role, atoms, block)
        for old in self.uses:
            if (old.layer, old.variable, old.axis, old.block) == (
                layer.name,
                variable,
                axis,
                block,
            ):
                self.tie(old.atoms, atoms)
                return
        self.uses.append(new)

    def leave(self, layer: str, outputs: Sequence[Channels]) -> None:
        """Note what comes out of a layer."""
        call = sum(output.layer == layer and output.index == 0 for output in self.outputs)
        self.outputs += [Output(layer, call, i, channels) for i, channels in enumerate(outputs)]

    def roots(self) -> Atoms:
        """Return for each atom the one that stands for it."""
        return np.array([self.root(atom) for atom in self._parents], np.int64)

    def reasons(self) -> dict[int, str]:
        """Return why roots are frozen."""
        found: dict[int, str] = {}
        for atom, reason in self._reasons.items():
            found.setdefault(self.root(atom), reason)
        return found


def walk(model: keras.Model) -> Walk:
    """Follow the channels of a functional model from its inputs to its outputs."""
    from tinysim.lab.prune.rules import follow

    found, known = Walk(), dict[int, Channels]()
    for tensor in model.inputs:
        channels = known[id(tensor)] = _fresh(found, tensor.shape)
        found.freeze(channels.atoms, "the model's input")
        found.leave(input_name(tensor), [channels])
    for layer, node in calls(model):
        call = Call(
            layer,
            tuple(known[id(tensor)] for tensor in node.input_tensors),
            tuple(tensor.shape for tensor in node.input_tensors),
            tuple(tensor.shape for tensor in node.outputs),
        )
        outputs = follow(found, call) if _takes_only_tensors(node) else None
        if outputs is None:
            outputs = _frozen(found, call)
        found.leave(layer.name, outputs)
        known.update(zip(map(id, node.outputs), outputs, strict=True))
    for tensor in model.outputs:
        found.freeze(known[id(tensor)].atoms, "the model's output")
    found.settle()
    return found


def calls(model: keras.Model) -> Iterator[tuple[Any, Any]]:
    """Yield the layers of a functional model with Keras's nodes, in the order of their calls."""
    # Keras has no public word for a model's graph; its own cloning reads this field as well.
    by_depth = model._nodes_by_depth
    order = {id(operation): i for i, operation in enumerate(model.operations)}
    for depth in sorted(by_depth, reverse=True):
        for node in sorted(by_depth[depth], key=lambda node: order[id(node.operation)]):
            if not node.is_input:
                yield node.operation, node


def input_name(tensor: Any) -> str:
    """Return the name of the layer that an input of a model is; the tensor has one of its own."""
    return str(tensor._keras_history.operation.name)


def same_inputs(model: keras.Model) -> Any:
    """Return new inputs that are like a model's."""
    import keras

    return keras.tree.map_structure(
        lambda x: keras.Input(batch_shape=x.shape, dtype=x.dtype, name=input_name(x)), model.input
    )


def _fresh(found: Walk, shape: Shape) -> Channels:
    return Channels(len(shape) - 1, found.fresh(shape[-1] or 0 if len(shape) > 1 else 0))


def _frozen(found: Walk, call: Call) -> Sequence[Channels]:
    """Prune neither what comes in nor what goes out."""
    import keras

    reason = f"{call.layer.name} ({type(call.layer).__name__}) is not followed"
    if isinstance(call.layer, keras.Model):
        reason = f"{call.layer.name} is a model within the model: flatten it first"
    outputs = [_fresh(found, shape) for shape in call.output_shapes]
    for channels in (*call.inputs, *outputs):
        found.freeze(channels.atoms, reason)
    return outputs


def _takes_only_tensors(node: Any) -> bool:
    """Whether a call has no array among its arguments, which could not be made smaller."""
    import keras

    arguments = keras.tree.flatten((node.arguments.args, node.arguments.kwargs))
    plain = (keras.KerasTensor, bool, int, float, str, type(None))
    return all(isinstance(argument, plain) for argument in arguments)
