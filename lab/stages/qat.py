"""The stage that trains with fake quantization, and makes the int8 file of it."""

from __future__ import annotations

from dataclasses import dataclass

from tinysim.errors import RecipeError
from tinysim.lab.model_files import load_masks, load_model, save_masks, save_model, written_whole
from tinysim.lab.quantize.convert import Scheme, calibration_samples, convert
from tinysim.lab.stages import Context
from tinysim.lab.state import State
from tinysim.lab.train import TrainSettings, train

_RANGES = ("observed", "learned")


@dataclass(frozen=True)
class Settings(TrainSettings):
    """How to train; a little, as the model has learned already.

    Parameters
    ----------
    ranges
        Of activations: ``observed`` in the batches, or ``learned`` as weights are.
    per_channel
        A scale for each channel of the weights, or one a layer.
    calibration
        Number of samples of the training part that ranges begin with; the seed chooses them.
    """

    epochs: int = 3
    learning_rate: float = 2e-4
    ranges: str = "observed"
    per_channel: bool = True
    calibration: int = 200

    def __post_init__(self) -> None:
        super().__post_init__()
        wrong = []
        if self.ranges not in _RANGES:
            wrong.append(f"ranges is {self.ranges!r}, not {' or '.join(_RANGES)}")
        if self.calibration < 1:
            wrong.append(f"calibration is {self.calibration}, not 1 or more")
        if wrong:
            raise ValueError("; ".join(wrong))


def run(settings: Settings, context: Context, before: State) -> State:
    """Train and convert."""
    from tinysim.lab.quantize.qat import (
        fake_quantized,
        is_fake_quantized,
        is_per_channel,
        masks_of,
    )

    if before.keras is None:
        raise RecipeError("there is no Keras model to train", where="stage qat", fix="train before")
    model = load_model(before.keras)
    if not is_fake_quantized(model):
        model = fake_quantized(
            model,
            calibration_samples(context.dataset.x_train, settings.calibration, context.seed),
            learned=settings.ranges == "learned",
            per_channel=settings.per_channel,
        )
    masks = masks_of(load_masks(before.masks), model) if before.masks else None
    history = train(
        model,
        context.dataset,
        settings,
        seed=context.seed,
        masks=masks,
        on_progress=context.on_progress,
    )
    scheme: Scheme = "int8" if is_per_channel(model) else "int8_per_tensor"
    content, path = convert(model, scheme), context.folder / "model.tflite"
    with written_whole(path) as part:
        part.write_bytes(content)
    return State(
        keras=save_model(model, context.folder / "model.keras"),
        tflite=path,
        masks=None if masks is None else save_masks(masks, context.folder / "masks.npz"),
        notes={
            "scheme": scheme,
            "ranges": settings.ranges,
            "epochs": str(len(history.loss)),
            "training loss": f"{history.loss[-1]:.4f}",
        },
    )
