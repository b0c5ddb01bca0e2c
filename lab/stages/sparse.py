"""The stage that leaves zeros out of the firmware: nothing of the model changes, only its cost."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tinysim.api import run as run_model
from tinysim.compiler.toolchain import OPTIMIZE_FLAGS
from tinysim.compiler.variants import SPARSE
from tinysim.lab.measure import converted
from tinysim.lab.stages import Context
from tinysim.lab.state import State

#: How the names of kernels end that leave out weights.
_KERNELS = ("_sparse_s8", "_sparse_f32")


@dataclass(frozen=True)
class Settings:
    """How the model is compiled from here on; see ``docs/kernels.md``."""

    sparse: str = "auto"
    optimize: str = "balanced"

    @property
    def has_boards(self) -> bool:
        """Always: what is saved is said of each."""
        return True

    def __post_init__(self) -> None:
        if self.sparse not in SPARSE:
            raise ValueError(f"sparse is {' or '.join(SPARSE)}, not {self.sparse!r}")
        if self.optimize not in OPTIMIZE_FLAGS:
            raise ValueError(f"optimize is {' or '.join(OPTIMIZE_FLAGS)}, not {self.optimize!r}")


def run(settings: Settings, context: Context, before: State) -> State:
    """Record the choice, and say what it saves on each board."""
    path = before.tflite or converted(before.keras, context.folder)
    notes = {}
    for done, board in enumerate(context.boards):
        context.on_progress(done / len(context.boards), board)
        kept, left_out = (
            run_model(path, board, optimize=settings.optimize, sparse=sparse)
            for sparse in ("never", settings.sparse)
        )
        layers = sum(layer.kernel.endswith(_KERNELS) for layer in left_out.layers)
        saved = kept.used_bytes("flash") - left_out.used_bytes("flash")
        slower = left_out.cycles / kept.cycles - 1
        notes[f"sparse on {board}"] = (
            f"{layers} of {len(left_out.layers)} layers, {saved:,} B of flash less, "
            f"{slower:+.1%} cycles"
        )
    choices = {**before.choices, "sparse": settings.sparse, "optimize": settings.optimize}
    return replace(before, choices=choices, notes=notes)
