"""Ten real digits on two emulated boards: the classes that the device predicts, and its cost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Console

import tinysim
from tinysim.report import render

HERE = Path(__file__).parent
MODEL = HERE / "mnist_cnn_int8.tflite"
BOARDS = ("nano33ble", "rpi_pico")


def main() -> None:
    """Classify the digits on each board and print the first run's report."""
    digits = np.load(HERE / "digits.npz")
    console = Console(highlight=False, width=160)
    for board in BOARDS:
        profiles = list(tinysim.run_each(MODEL, board, [[x[np.newaxis]] for x in digits["x"]]))
        console.print(render(profiles[0], "text"), markup=False)
        predicted = [int(profile.outputs[0].argmax()) for profile in profiles]
        console.print(f"digits shown      {' '.join(map(str, digits['y']))}")
        console.print(f"{board:<17} {' '.join(map(str, predicted))}  (predicted on the device)\n")
        assert all(profile.output_check.status == "exact" for profile in profiles)


if __name__ == "__main__":
    main()
