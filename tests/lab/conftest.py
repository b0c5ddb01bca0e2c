"""What all tests of the lab need: few threads, and Keras's own warnings let through."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Keras 3.15 asks NumPy 2.4 for copies in a way that NumPy warns of.
    mark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(mark)


@pytest.fixture(scope="session", autouse=True)
def few_threads() -> None:
    """One thread an operator, if TensorFlow is used at all: tests run beside each other."""
    if "tensorflow" in sys.modules:
        threading = sys.modules["tensorflow"].config.threading
        threading.set_inter_op_parallelism_threads(1)
        threading.set_intra_op_parallelism_threads(1)
