"""A student that trains under a teacher, as one Keras model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

if TYPE_CHECKING:
    from tinysim.lab.distill import DistillSettings, Pairs

#: The least probability whose logarithm is taken.
_LEAST = 1e-7


class Distiller(keras.Model):  # type: ignore[misc, unused-ignore]
    """Computes the student; in training, what the teacher has to say is added to the loss."""

    def __init__(
        self, student: keras.Model, teacher: keras.Model, settings: DistillSettings, pairs: Pairs
    ) -> None:
        super().__init__()
        self.settings = settings
        ours = [student.get_layer(name).output for name, _ in pairs]
        theirs = [teacher.get_layer(name).output for _, name in pairs]
        self.student = keras.Model(
            student.inputs, [student.outputs[0], logits_of(student), *ours], name="student"
        )
        asked = keras.Model(teacher.inputs, {"logits": logits_of(teacher), "layers": theirs})
        # Keras does not look into functions: it would take the teacher for a part that trains.
        self.ask: Callable[[Any], Any] = lambda x: asked(x, training=False)
        self.projections = [
            keras.layers.Dense(their.shape[-1], use_bias=False, name=f"projection_{number}")
            for number, their in enumerate(theirs)
        ]
        for projection, our in zip(self.projections, ours, strict=True):
            projection.build(our.shape)

    def call(self, x: Any, training: bool = False) -> Any:
        """Return the student's probabilities."""
        probabilities, logits, *features = self.student(x, training=training)
        if training:
            settings, told = self.settings, self.ask(x)
            soft = divergence(ops.stop_gradient(told["logits"]), logits, settings.temperature)
            self.add_loss((1 - settings.alpha) * soft)
            theirs = map(ops.stop_gradient, told["layers"])
            for projection, ours, wanted in zip(self.projections, features, theirs, strict=True):
                error = ops.mean(ops.square(projection(ours) - wanted))
                self.add_loss(settings.feature_weight / len(features) * error)
        return probabilities


def logits_of(model: keras.Model) -> Any:
    """Return what the softmax is taken of, or as good as that.

    Where no layer is called ``logits``, the logarithms of the probabilities: they differ from what
    the softmax was taken of by a number for each sample, which the next softmax takes away.
    """
    if "logits" in {layer.name for layer in model.layers}:
        return model.get_layer("logits").output
    return ops.log(ops.maximum(model.outputs[0], _LEAST))


def divergence(teacher: Any, student: Any, temperature: float) -> Any:
    """Return the Kullback-Leibler divergence of softened logits, times the temperature squared."""
    wanted = ops.log_softmax(teacher / temperature)
    found = ops.log_softmax(student / temperature)
    each = ops.sum(ops.exp(wanted) * (wanted - found), axis=-1)
    return temperature**2 * ops.mean(each)
