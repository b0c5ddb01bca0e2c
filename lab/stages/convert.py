"""The stage that makes a file for the device, computed with in floats."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tinysim.errors import RecipeError
from tinysim.lab.model_files import load_model, written_whole
from tinysim.lab.quantize.convert import INTEGER, SCHEMES, Scheme, convert
from tinysim.lab.stages import Context
from tinysim.lab.state import State

_SCHEMES = tuple(scheme for scheme in SCHEMES if scheme not in INTEGER)


@dataclass(frozen=True)
class Settings:
    """How its weights are stored: ``float32``, ``float16``, ``dynamic`` or ``weight_only``."""

    scheme: Scheme = "float32"

    def __post_init__(self) -> None:
        if self.scheme not in _SCHEMES:
            raise ValueError(f"scheme is {self.scheme!r}, not one of {', '.join(_SCHEMES)}")


def run(settings: Settings, context: Context, before: State) -> State:
    """Convert."""
    if before.keras is None:
        raise RecipeError(
            "there is no Keras model to convert", where="stage convert", fix="train one before"
        )
    path = context.folder / "model.tflite"
    content = convert(load_model(before.keras), settings.scheme)
    with written_whole(path) as part:
        part.write_bytes(content)
    return replace(before, tflite=path, notes={"scheme": settings.scheme})
