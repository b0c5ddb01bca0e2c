"""Where things are, and what a test needs to run at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"
DEMO = ROOT / "examples" / "mnist"
DEMO_MODEL = DEMO / "mnist_cnn_int8.tflite"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of models and data that is shared between checkouts."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not here: its models and data are not tested")
    return SHARED


@pytest.fixture(scope="session", autouse=True)
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder of the tests' own: what the user has kept is neither used nor touched."""
    place = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(place))
        yield place
