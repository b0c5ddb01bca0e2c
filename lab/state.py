"""What one stage of a recipe hands to the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class State:
    """A model as files, so that a recipe can be taken up again.

    Parameters
    ----------
    keras
        The model as Keras keeps it (``.keras``): what can be trained, pruned and converted. A
        model that is trained with fake quantization is one, too.
    tflite
        The same model for the device, if a stage has converted it; else it runs there as floats.
    masks
        ``.npz``: path of a variable -> which of its elements are kept (bool, the variable's
        shape). Stages that train keep all others at zero. None: nothing is masked.
    notes
        What the stage has to say for the table: name -> text.
    choices
        How the model is compiled, where a stage wants it otherwise than usual: keyword arguments
        of ``tinysim.run``.
    """

    keras: Path | None
    tflite: Path | None = None
    masks: Path | None = None
    notes: dict[str, str] = field(default_factory=dict)
    choices: dict[str, Any] = field(default_factory=dict)
