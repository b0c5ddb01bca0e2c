"""The stage that trains the model as it is, what is masked kept at zero."""

from __future__ import annotations

from dataclasses import replace

from tinysim.errors import RecipeError
from tinysim.lab.model_files import load_masks, load_model, save_model
from tinysim.lab.stages import Context
from tinysim.lab.state import State
from tinysim.lab.train import TrainSettings, train

Settings = TrainSettings


def run(settings: Settings, context: Context, before: State) -> State:
    """Train, and say how it went."""
    if before.keras is None:
        raise RecipeError(
            "there is no Keras model to train", where="stage train", fix="train before converting"
        )
    model = load_model(before.keras)
    history = train(
        model,
        context.dataset,
        settings,
        seed=context.seed,
        masks=None if before.masks is None else load_masks(before.masks),
        on_progress=context.on_progress,
    )
    notes = {"epochs": str(len(history.loss)), "training loss": f"{history.loss[-1]:.4f}"}
    if history.held_out_accuracy:
        best = history.best_epoch
        notes["best epoch"] = str(best + 1)
        notes["held-out accuracy"] = f"{history.held_out_accuracy[best]:.4f}"
    return replace(
        before,
        keras=save_model(model, context.folder / "model.keras"),
        tflite=None,
        notes=notes,
    )
