"""What watches a training: it says in words how far it is, and ends one that diverges."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import keras

_SHOWN_EVERY_S = 0.25


class TrainingWatcher(keras.callbacks.Callback):  # type: ignore[misc, unused-ignore]
    """Tells how far a training is and how long it will take; ends one that diverges."""

    def __init__(self, epochs: int, steps: int, tell: Callable[[float, str], None]) -> None:
        super().__init__()
        self._epochs, self._steps, self._tell = epochs, steps, tell
        self._epoch, self._started_s, self._told_s = 0, 0.0, 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        """Take the time."""
        self._started_s = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Take note."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Tell, if the last word is a while ago or the epoch is at its end."""
        now_s, loss = time.monotonic(), (logs or {}).get("loss", math.nan)
        if not math.isfinite(loss):
            self.model.stop_training = True
        if now_s - self._told_s < _SHOWN_EVERY_S and batch + 1 < self._steps:
            return
        self._told_s = now_s
        share = (self._epoch + (batch + 1) / self._steps) / self._epochs
        left = duration((now_s - self._started_s) * (1 - share) / share)
        self._tell(
            share, f"epoch {self._epoch + 1} of {self._epochs}, loss {loss:.3g}, {left} left"
        )


def duration(seconds: float) -> str:
    """Return a time as people say it: 8 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
