"""The stage that quantizes what is trained: integers, their ranges from some samples."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tinysim.errors import RecipeError
from tinysim.lab.model_files import load_model, written_whole
from tinysim.lab.quantize.convert import INTEGER, Scheme, calibration_samples, convert
from tinysim.lab.stages import Context
from tinysim.lab.state import State


@dataclass(frozen=True)
class Settings:
    """How it is quantized.

    Parameters
    ----------
    scheme
        ``int8``, ``int8_per_tensor``, ``int16x8`` or ``uint8``.
    calibration
        Number of samples of the training part that ranges are from; the seed chooses them.
    """

    scheme: Scheme = "int8"
    calibration: int = 200

    def __post_init__(self) -> None:
        wrong = []
        if self.scheme not in INTEGER:
            wrong.append(f"scheme is {self.scheme!r}, not one of {', '.join(INTEGER)}")
        if self.calibration < 1:
            wrong.append(f"calibration is {self.calibration}, not 1 or more")
        if wrong:
            raise ValueError("; ".join(wrong))


def run(settings: Settings, context: Context, before: State) -> State:
    """Quantize."""
    if before.keras is None:
        raise RecipeError(
            "there is no Keras model to quantize", where="stage quantize", fix="train one before"
        )
    samples = calibration_samples(context.dataset.x_train, settings.calibration, context.seed)
    path = context.folder / "model.tflite"
    content = convert(load_model(before.keras), settings.scheme, samples)
    with written_whole(path) as part:
        part.write_bytes(content)
    notes = {"scheme": settings.scheme, "calibration samples": str(len(samples))}
    return replace(before, tflite=path, notes=notes)
