"""The stage that prunes the model, and trains what is left of it."""

from __future__ import annotations

from tinysim.budget.units import write
from tinysim.errors import RecipeError
from tinysim.lab import prune as pruning
from tinysim.lab.model_files import load_masks, load_model, save_masks, save_model
from tinysim.lab.stages import Context
from tinysim.lab.state import State

Settings = pruning.Settings


def run(settings: Settings, context: Context, before: State) -> State:
    """Prune, and say how it went; masks are written if there are any."""
    if before.keras is None:
        raise RecipeError(
            "there is no Keras model to prune", where="stage prune", fix="prune before converting"
        )
    found = pruning.prune(
        load_model(before.keras),
        context.dataset,
        settings,
        seed=context.seed,
        masks=None if before.masks is None else load_masks(before.masks),
        on_progress=context.on_progress,
    )
    notes = {
        "aim": str(settings.aim),
        "remaining": write(found.last.remaining / found.start.parameters, "share"),
        "simulations": str(found.simulations),
    }
    return State(
        keras=save_model(found.model, context.folder / "model.keras"),
        masks=save_masks(found.masks, context.folder / "masks.npz") if found.masks else None,
        notes=notes,
    )
