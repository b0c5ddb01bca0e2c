"""The stage that lets weights share values, and says what they take when they are stored."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tinysim.errors import RecipeError
from tinysim.lab.cluster import cluster, fine_tune
from tinysim.lab.decode_cost import decode_cost
from tinysim.lab.model_files import load_masks, load_model, save_model, written_whole
from tinysim.lab.stages import Context
from tinysim.lab.state import State
from tinysim.lab.stored_size import encode, weights_of
from tinysim.lab.train import TrainSettings

_MOST_BITS = 8


@dataclass(frozen=True)
class Settings(TrainSettings):
    """How many values a layer may have, and how they are trained.

    Han et al. find 8 bits an index for convolutions and 5 for dense layers to lose nothing.
    """

    epochs: int = 3
    learning_rate: float = 1e-4
    conv_bits: int = 8
    dense_bits: int = 5

    @property
    def has_boards(self) -> bool:
        """Always: decoding is timed on each."""
        return True

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, bits in (("conv_bits", self.conv_bits), ("dense_bits", self.dense_bits)):
            if not 1 <= bits <= _MOST_BITS:
                raise ValueError(f"{name} is {bits}, not from 1 to {_MOST_BITS}")


def run(settings: Settings, context: Context, before: State) -> State:
    """Cluster, fine-tune, store (``stored.bin``) and decode on each board."""
    if before.keras is None:
        raise RecipeError(
            "there is no Keras model to cluster",
            where="stage cluster",
            fix="cluster before converting",
        )
    model = load_model(before.keras)
    masks = None if before.masks is None else load_masks(before.masks)
    clusters = cluster(model, settings.conv_bits, settings.dense_bits, masks)
    history = fine_tune(
        model,
        clusters,
        context.dataset,
        settings,
        seed=context.seed,
        on_progress=context.on_progress,
    )
    weights = weights_of(model)
    stored = encode(weights)
    with written_whole(context.folder / "stored.bin") as part:
        part.write_bytes(stored.data)
    decoding = {
        f"decoding on {board}": str(decode_cost(stored, weights, board)) for board in context.boards
    }
    return replace(
        before,
        keras=save_model(model, context.folder / "model.keras"),
        tflite=None,
        notes={
            "training loss": f"{history.loss[-1]:.4f}",
            "stored_bytes": str(len(stored.data)),
            **decoding,
        },
    )
