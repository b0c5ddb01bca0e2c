"""Stages, a family and samples that take no time: what recipes can be tested with."""

from __future__ import annotations

import contextlib
import importlib
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tinysim.lab import data, stages, zoo

MODULES = {
    "stages/grow.py": """
        from __future__ import annotations

        import time
        from dataclasses import dataclass
        from pathlib import Path
        from typing import Literal

        import numpy as np

        from tinysim.lab.state import State


        @dataclass(frozen=True)
        class Settings:
            epochs: int = 1
            rate: float = 0.1
            how: Literal["quick", "slow"] = "quick"
            shares: tuple[float, ...] = ()
            file: Path | None = None

            def __post_init__(self):
                if self.epochs < 1:
                    raise ValueError(f"{self.epochs} epochs: at least one")


        def run(settings, context, before):
            import keras

            model = keras.models.load_model(before.keras)
            for epoch in range(settings.epochs):
                context.on_progress(epoch / settings.epochs, f"epoch {epoch + 1}")
                for variable in model.trainable_variables:
                    noise = np.random.normal(scale=settings.rate, size=variable.shape)
                    variable.assign_add(noise)
                model.save(context.folder / "model.keras")
                (context.folder / f"epoch{epoch}.txt").write_text(str(context.seed))
                time.sleep(0.05 if settings.how == "slow" else 0)
            return State(context.folder / "model.keras", notes={"epochs": str(settings.epochs)})
    """,
    "stages/freeze.py": """
        from __future__ import annotations

        from dataclasses import dataclass

        from tinysim.lab.state import State


        @dataclass(frozen=True)
        class Settings:
            scheme: str


        def run(settings, context, before):
            import keras

            from tinysim.lab.data import scaled
            from tinysim.lab.quantize.convert import convert

            model = keras.models.load_model(before.keras)
            content = convert(model, settings.scheme, scaled(context.dataset.x_train[:8]))
            (context.folder / "model.tflite").write_bytes(content)
            return State(before.keras, context.folder / "model.tflite")
    """,
    "stages/tight.py": """
        from __future__ import annotations

        from dataclasses import dataclass, replace


        @dataclass(frozen=True)
        class Settings:
            optimize: str = "size"


        def run(settings, context, before):
            return replace(before, choices={"optimize": settings.optimize})
    """,
    "zoo/tiny.py": """
        def build(input_shape, class_count, *, width=4):
            import keras

            image = keras.Input(input_shape)
            x = keras.layers.Conv2D(width, 3, strides=2, activation="relu")(image)
            x = keras.layers.GlobalAveragePooling2D()(x)
            x = keras.layers.Dense(class_count, name="logits")(x)
            return keras.Model(image, keras.layers.Softmax(name="probabilities")(x))
    """,
}


def dataset() -> data.Dataset:
    """Return noise with classes."""
    random = np.random.default_rng(1)
    x = random.integers(0, 256, (40, 8, 8, 1), dtype=np.uint8)
    y = random.integers(0, 3, 40)
    return data.Dataset("noise", x[:20], y[:20], x[20:], y[20:], ("a", "b", "c"), "random numbers")


def load(name: str, size: int = 8) -> data.Dataset:
    """Take the place of the lab's own ``load``."""
    assert name == "noise"
    return dataset()


@contextlib.contextmanager
def installed(folder: Path) -> Iterator[None]:
    """Have only the stages, the family and the samples above."""
    for name, text in MODULES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    importlib.invalidate_caches()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "__path__", [str(folder / "stages")])
        patch.setattr(zoo, "__path__", [str(folder / "zoo"), *zoo.__path__])
        patch.setattr(data, "load", load, raising=False)
        patch.setattr(data, "NAMES", ("noise",), raising=False)
        yield
    for name in MODULES:
        part, _, module = name.removesuffix(".py").partition("/")
        sys.modules.pop(f"tinysim.lab.{part}.{module}", None)


def recipe_text() -> str:
    """Return a recipe of the fakes."""
    return """\
boards = ["nano33ble"]
repeats = 2

[data]
name = "noise"

[model]
family = "tiny"
width = 2

[[stage]]
kind = "grow"
epochs = 3

[[stage]]
kind = "freeze"
name = "int8"
scheme = "int8"

[[stage]]
kind = "grow"
name = "more"
after = "grow"

[small]
repeats = 1
data = { test = 5 }
stage.grow = { epochs = 1 }
"""
