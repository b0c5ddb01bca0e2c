"""A model whose weights share a few values, as a Keras model that trains those values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tinysim.lab.cluster import Clusters


class Sharing(keras.Model):  # type: ignore[misc, unused-ignore]
    """A model whose clustered variables are looked up among centroids, which train instead.

    The gradient of a look-up is the sum over all that was looked up there: Han et al., 3.3.
    """

    def __init__(self, model: keras.Model, clusters: Mapping[str, Clusters]) -> None:
        super().__init__()
        self.shared = model
        self._labels = {path: each.labels for path, each in clusters.items()}
        self._by_path = {variable.path: variable for variable in model.trainable_variables}
        self._centroids = {}
        for number, (path, each) in enumerate(clusters.items()):
            self._by_path[path].trainable = False
            self._centroids[path] = self.add_weight(
                shape=each.centroids.shape,
                initializer=keras.initializers.Constant(each.centroids),
                name=f"centroids_{number}",
            )

    def call(self, x: Any, training: bool = False) -> Any:
        """Return what the model makes of samples with the weights that it shares."""
        zero = keras.ops.zeros(1)
        mapping = [
            (
                self._by_path[path],
                keras.ops.take(keras.ops.concatenate([centroids.value, zero]), self._labels[path]),
            )
            for path, centroids in self._centroids.items()
        ]
        with keras.StatelessScope(state_mapping=mapping) as scope:
            made = self.shared(x, training=training)
        for variable in self.shared.non_trainable_variables:
            new = scope.get_current_value(variable)
            if variable.path not in self._labels and new is not None:
                variable.assign(new)
        return made

    def finish(self) -> None:
        """Write what was learned into the model, and let all of it train as before."""
        for path, centroids in self._centroids.items():
            values = Clusters(np.asarray(centroids.numpy()), self._labels[path]).values
            self._by_path[path].assign(values)
            self._by_path[path].trainable = True
