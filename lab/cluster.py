"""Weight clustering: a layer's weights share a few values, which are trained on.

After S. Han, H. Mao, W. J. Dally, Deep Compression (ICLR 2016), section 3: k-means from centroids
at equal distances between the least and the greatest weight, which keeps the rare large ones; then
each centroid learns from the sum of the gradients of its weights. Zeros of pruned layers are not
clustered and stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinysim.lab.train import History, TrainSettings, train

if TYPE_CHECKING:
    import keras

    from tinysim.lab.data import Dataset
    from tinysim.lab.huffman import Integers
    from tinysim.lab.model_files import Masks

Floats = NDArray[np.float32]

#: Rounds of k-means; it has come to rest long before.
_MOST_ROUNDS = 300


@dataclass(frozen=True, eq=False)
class Clusters:
    """The values that a variable's elements share.

    ``labels`` has the variable's shape: the index of each element's value in ``centroids``, or
    their number where the element is zero and stays so.
    """

    centroids: Floats
    labels: NDArray[np.int32]

    @property
    def values(self) -> Floats:
        """The variable, clustered."""
        return np.append(self.centroids, np.float32(0))[self.labels]


def kmeans(values: Floats, count: int) -> tuple[Floats, Integers]:
    """Return at most ``count`` centroids, ascending, and the index of each value's nearest.

    Centroids that no value is nearest to are left out.
    """
    ordered = np.sort(values).astype(np.float64)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    centroids = np.linspace(ordered[0], ordered[-1], count)
    for _ in range(_MOST_ROUNDS):
        between = np.searchsorted(ordered, (centroids[1:] + centroids[:-1]) / 2, side="right")
        edges = np.concatenate([[0], between, [len(ordered)]])
        used = edges[1:] > edges[:-1]
        starts, ends = edges[:-1][used], edges[1:][used]
        found = (sums[ends] - sums[starts]) / (ends - starts)
        if np.array_equal(found, centroids):
            break
        centroids = found
    final = np.unique(centroids.astype(np.float32))
    nearest = np.searchsorted((final[1:] + final[:-1]) / 2, values)
    kept, labels = np.unique(nearest, return_inverse=True)
    return final[kept], labels.astype(np.int64)


def cluster(
    model: keras.Model, conv_bits: int, dense_bits: int, masks: Masks | None = None
) -> dict[str, Clusters]:
    """Cluster the weights of all layers that have a matrix of them; the model is not changed.

    Parameters
    ----------
    model
        What has been trained.
    conv_bits, dense_bits
        At most ``2**bits`` values a layer.
    masks
        Which elements are not zero for good, by the variables' paths; without one, all that are
        not zero now.

    Returns
    -------
    dict
        Path of a variable -> its clusters.
    """
    found = {}
    for variable in model.trainable_variables:
        values = np.asarray(variable.numpy(), np.float32)
        if values.ndim < 2:  # biases and the like are few
            continue
        kept = values != 0
        if masks and variable.path in masks:
            kept &= masks[variable.path]
        if not kept.any():
            continue
        bits = dense_bits if values.ndim == 2 else conv_bits
        centroids, nearest = kmeans(values[kept], 2**bits)
        labels = np.full(values.shape, len(centroids), np.int32)
        labels[kept] = nearest
        found[variable.path] = Clusters(centroids, labels)
    return found


def fine_tune(
    model: keras.Model,
    clusters: Mapping[str, Clusters],
    dataset: Dataset,
    settings: TrainSettings,
    *,
    seed: int,
    on_progress: Callable[[float, str], None] = lambda share, what: None,
) -> History:
    """Train the centroids, and all that is not clustered; then write them into the model."""
    from tinysim.lab._sharing import Sharing

    sharing = Sharing(model, clusters)
    history = train(sharing, dataset, settings, seed=seed, on_progress=on_progress)
    sharing.finish()
    return history
