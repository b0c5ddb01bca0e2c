"""Spoken words: which clips train and test, what models see of them, and what is refused."""

from __future__ import annotations

import io
import tarfile
import wave
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, get_type_hints

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: sounds are not tested")

from tinysim.errors import RecipeError
from tinysim.lab import data, zoo
from tinysim.lab.data import clips, speech
from tinysim.lab.data.mfcc import SCALE, features
from tinysim.lab.evaluate import evaluate
from tinysim.lab.train import TrainSettings, train
from tinysim.lab.values import read_value

RATE_HZ = 16_000
NOISE = "_background_noise_/hum.wav"


def tone(hertz: float, seconds: float = 1.0) -> NDArray[np.int16]:
    """A tone with a little noise, the same each time."""
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    noise = np.random.default_rng(round(hertz)).normal(0, 0.02, len(times))
    return (8000 * (np.sin(2 * np.pi * hertz * times) + noise)).astype(np.int16)


def wav(sound: NDArray[np.int16], channels: int = 1, bits: int = 16, rate: int = RATE_HZ) -> bytes:
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(bits // 8)
        file.setframerate(rate)
        file.writeframes(sound.tobytes())
    return content.getvalue()


#: Eight speakers say each word; pitches tell all 24 clips apart.
PITCHES = {"no": 400, "yes": 1200, "up": 2500}
CLIPS = {
    f"{word}/{speaker:08x}_nohash_0.wav": tone(hertz + 20 * speaker)
    for word, hertz in PITCHES.items()
    for speaker in range(8)
}
FILES = {
    "README.md": b"about",
    **{name: wav(sound) for name, sound in CLIPS.items()},
    "no/._0_nohash_0.wav": b"what another system puts beside a file",
    NOISE: wav(tone(90, 8)),
    "_background_noise_/README.md": b"about",
}
LISTS = {
    "testing_list.txt": b"\n".join(f"{word}/{6:08x}_nohash_0.wav".encode() for word in PITCHES),
    "validation_list.txt": f"no/{7:08x}_nohash_0.wav\n".encode(),
}


def folder_of(place: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    return place


def tar_of(place: Path, files: Mapping[str, bytes]) -> Path:
    with tarfile.open(place, "w:gz" if place.suffix == ".gz" else "w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"./{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return place


def zip_of(place: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"speech/{name}", content)
    return place


def is_among(sound: NDArray[np.int16], pictures: NDArray[np.float32]) -> bool:
    distances = np.abs(pictures - features(sound[None])).max(axis=(1, 2, 3))
    return bool(distances.min() < 1e-4)


def test_lists_part_an_archive_and_a_folder_alike(tmp_path: Path) -> None:
    files = {**FILES, **LISTS}
    places = (
        tar_of(tmp_path / "speech.tar.gz", files),
        zip_of(tmp_path / "speech.zip", files),
        folder_of(tmp_path / "speech", files),
    )
    for found in map(data.load, places):
        assert found.name == "speech" and found.classes == ("no", "up", "yes")
        assert found.input_shape == (49, 10, 1) and found.x_train.dtype == np.float32
        assert np.bincount(found.y_train).tolist() == [6, 7, 7]
        assert sorted(found.y_test) == [0, 1, 2]
        for i, word in enumerate(found.classes):
            of_test = found.x_test[found.y_test == i]
            of_train = found.x_train[found.y_train == i]
            assert is_among(CLIPS[f"{word}/{6:08x}_nohash_0.wav"], of_test)
            assert is_among(CLIPS[f"{word}/{0:08x}_nohash_0.wav"], of_train)
        left_out = CLIPS[f"no/{7:08x}_nohash_0.wav"]
        assert not is_among(left_out, found.x_train) and not is_among(left_out, found.x_test)


def test_chosen_words_have_silence_and_unknown_beside_them(tmp_path: Path) -> None:
    place = tar_of(tmp_path / "speech.tar", {**FILES, **LISTS})
    found, same = (data.load(place, words=("yes", "no"), most_per_class=4) for _ in range(2))
    assert found.classes == ("yes", "no", "silence", "unknown")
    assert np.bincount(found.y_train).tolist() == [4, 4, 4, 4]
    assert np.bincount(found.y_test).tolist() == [1, 1, 1, 1]
    assert np.array_equal(found.x_train, same.x_train)
    other = data.load(place, words=("yes", "no"), most_per_class=4, seed=1)
    assert not np.array_equal(found.x_train, other.x_train)
    ups = [sound for name, sound in CLIPS.items() if name.startswith("up/")]
    unknown = found.x_train[found.y_train == 3]
    assert sum(is_among(sound, unknown) for sound in ups) == 4


def test_silence_that_tests_is_of_another_stretch_of_the_noise(tmp_path: Path) -> None:
    noise = np.concatenate([tone(300, 6), tone(3000, 2)])
    place = tar_of(tmp_path / "speech.tar", {**FILES, **LISTS, NOISE: wav(noise)})
    found = data.load(place, words=("yes", "no"), test_share=0.25)
    for x, y, hertz in ((found.x_train, found.y_train, 300), (found.x_test, found.y_test, 3000)):
        silence = x[y == 2]
        assert len(silence) and np.allclose(silence[:, :, 1], features(tone(hertz)[None])[:, :, 1],
                                            atol=0.5)  # fmt: skip


def test_speakers_are_in_one_part_and_stay_there(tmp_path: Path) -> None:
    names = [
        f"{word}/{i:x}_nohash_{take}.wav" for word in "ab" for i in range(500) for take in "01"
    ]
    few, many = (clips.listing_of(folder_of(tmp_path / f"{count}", dict.fromkeys(chosen, b"")))
                 for count, chosen in (("few", names[::7]), ("many", names)))  # fmt: skip

    def speakers(listing: clips.Listing, is_test: bool, seed: int = 0) -> set[str]:
        parts = listing.part(is_test, 0.2, seed)
        return {PurePosixPath(name).name.partition("_")[0] for word in "ab" for name in parts[word]}

    assert not speakers(many, True) & speakers(many, False)
    assert len(speakers(many, True) | speakers(many, False)) == 500
    assert 70 <= len(speakers(many, True)) <= 130
    assert speakers(few, True) <= speakers(many, True)
    assert speakers(many, True, seed=1) != speakers(many, True)


def test_what_is_no_second_long_is_padded_or_cut(tmp_path: Path) -> None:
    files = {
        "long/0_nohash_0.wav": wav(tone(700, 1.5)),
        "short/0_nohash_0.wav": wav(tone(700, 0.5)),
        "testing_list.txt": b"short/0_nohash_0.wav",
    }
    found = data.load(tar_of(tmp_path / "two.tar", files))
    assert is_among(tone(700, 1.5)[:RATE_HZ], found.x_train)
    assert is_among(np.pad(tone(700, 0.5), (0, RATE_HZ // 2)), found.x_test)


def test_features_are_what_their_definition_says() -> None:
    sound = tone(700) + tone(2000) // 2
    windows = np.lib.stride_tricks.sliding_window_view(sound / np.abs(sound).max(), 480)[::320]
    spectra = np.abs(np.fft.rfft(windows * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(480) / 480)),
                                 512))  # fmt: skip

    def mel(hertz: Any) -> Any:
        return 1127 * np.log1p(hertz / 700)

    edges = mel(20.0) + (mel(4000.0) - mel(20.0)) * np.arange(42) / 41
    places = mel(np.arange(1, 257) * RATE_HZ / 512)
    triangles = [np.interp(places, edges[i : i + 3], (0, 1, 0)) for i in range(40)]
    logarithms = np.log(spectra[:, 1:] @ np.array(triangles).T + 1e-6)
    angles = np.pi / 40 * (np.arange(40)[:, None] + 0.5) * np.arange(10)
    expected = logarithms @ np.cos(angles) * np.sqrt(2 / 40) / SCALE
    assert expected.shape == (49, 10)
    assert np.allclose(features(sound[None])[0, ..., 0], expected, atol=2e-3)


def test_features_are_of_the_kind_that_mlperf_publishes(shared: Path) -> None:
    published = np.load(shared / "datasets" / "mlperf_tiny_samples.npz")["kws_x"]
    nothing = features(np.zeros((1, RATE_HZ), np.int16)) * SCALE
    assert nothing.shape[1:] == published.shape[1:]
    assert np.allclose(nothing[..., 0, :].min(), published.min(), atol=1e-3)
    assert 0.5 < np.sqrt(np.mean((published / SCALE) ** 2)) < 1.5


def test_a_small_model_learns_two_tones(tmp_path: Path) -> None:
    files = {
        f"{word}/{speaker:x}_nohash_0.wav": wav(tone(hertz + 4 * speaker))
        for word, hertz in (("low", 400), ("high", 1000))
        for speaker in range(40)
    }
    found = data.load(tar_of(tmp_path / "tones.tar", files), test_share=0.3)
    model = zoo.build("dense", found.input_shape, 2, units=(8,))
    train(model, found, TrainSettings(epochs=8, batch_size=16), seed=0)
    assert np.mean(evaluate(model, found) == found.y_test) > 0.95


def test_real_clips_load(shared: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(shared / "datasets" / "audio_wavs.zip") as archive:
        yes, no, noise = (archive.read(f"tflm_{one}_1000ms.wav") for one in ("yes", "no", "noise"))
    files = {
        **{
            f"{word}/{i}_nohash_0.wav": one
            for word, one in (("yes", yes), ("no", no))
            for i in "01"
        },
        "other/0_nohash_0.wav": no,
        "other/1_nohash_0.wav": yes,
        "_background_noise_/white.wav": noise,
        "testing_list.txt": b"yes/1_nohash_0.wav no/1_nohash_0.wav other/1_nohash_0.wav",
    }
    found = data.load(tar_of(tmp_path / "real.tar.gz", files), words=("yes", "no"))
    assert sorted(found.y_train) == sorted(found.y_test) == [0, 1, 2, 3]
    assert np.isfinite(found.x_train).all() and 0.3 < np.abs(found.x_train).mean() < 3
    pictures = [found.x_train[found.y_train == i][0] for i in range(3)]
    assert min(np.abs(pictures[i] - pictures[i - 1]).max() for i in range(3)) > 1


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "no .wav that can be read .it is cut off"),
        (b"RIFF\4\0\0\0WAVE", "no .wav that can be read"),
        (b"RIFF\x24\0\0\0WAVEskip\0\0\0\x70", "no .wav that can be read .it is cut off"),
        (b"no sound at all, but text", "no .wav that can be read"),
        (wav(tone(500))[:-2], "is cut off"),
        (wav(np.zeros(0, np.int16)), "is cut off"),
        (wav(tone(500), channels=2), "has 2 channels of 16 bits at 16000 Hz; save it with one"),
        (wav(tone(500), rate=8000), "has 1 channels of 16 bits at 8000 Hz"),
        (wav(tone(500), bits=8), "has 1 channels of 8 bits"),
    ],
)
def test_sounds_that_cannot_be_taken_are_refused(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    place = folder_of(tmp_path / "speech", {**FILES, **LISTS, "yes/bad.wav": content})
    with pytest.raises(RecipeError, match=rf"yes/bad\.wav: {problem}"):
        data.load(place)


def test_what_cannot_be_asked_for_is_refused_at_once(tmp_path: Path) -> None:
    place = folder_of(tmp_path / "speech", {"no/1.wav": b"", "yes/1.wav": b""})
    with pytest.raises(RecipeError, match=r"no word 'yess', did you mean.*no _background_noise_"):
        data.load(place, words=("yess",))
    with pytest.raises(RecipeError, match=r"none twice.*no other words, which are unknown"):
        data.load(place, words=("yes", "no", "no"))
    with pytest.raises(RecipeError, match=r"test_share is 1, not .*most_per_class is 0"):
        data.load(place, test_share=1, most_per_class=0)
    with pytest.raises(RecipeError, match="size cannot be chosen"):
        data.load(place, size=32)
    (place / "testing_list.txt").write_text("yes/2.wav")
    with pytest.raises(RecipeError, match=r"of 2 clips 0 are to test; mend testing_list\.txt"):
        data.load(place)
    with pytest.raises(RecipeError, match="clips of 1 words: no"):
        data.load(folder_of(tmp_path / "one", {"no/1.wav": b""}))
    with pytest.raises(RecipeError, match=r"words that cannot be shown: 'a\\x1b\[0m'"):
        data.load(folder_of(tmp_path / "odd", {"no/1.wav": b"", "a\x1b[0m/1.wav": b""}))


def test_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tar_of(tmp_path / "speech.tar", {**FILES, **LISTS})
    with monkeypatch.context() as patch, pytest.raises(RecipeError, match="more than 20 clips"):
        patch.setattr(clips, "MOST_CLIPS", 20)
        data.load(place)
    with monkeypatch.context() as patch, pytest.raises(RecipeError, match="noises take more"):
        patch.setattr(speech, "MOST_NOISE_BYTES", 100_000)
        data.load(place, words=("yes", "no"))
    monkeypatch.setattr(speech, "_MOST_FILE_BYTES", 10_000)
    for each in (place, folder_of(tmp_path / "speech", {**FILES, **LISTS})):
        with pytest.raises(RecipeError, match="has 32044 bytes, more than 10000"):
            data.load(each)


#: Short clips, so that most of an archive is what it says of itself.
SHORT = {
    **LISTS,
    **{name: wav(sound[:20]) for name, sound in CLIPS.items() if name[-14:-13] in "0567"},
    NOISE: wav(tone(90, 0.01)),
}
MAKERS = {"speech.tar": tar_of, "speech.tar.gz": tar_of, "speech.zip": zip_of}


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    name=st.sampled_from(sorted(MAKERS)),
    of_header=st.lists(st.tuples(st.integers(0, 43), st.integers(0, 255)), max_size=3),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4),
    kept=st.one_of(st.just(1.0), st.floats(0, 1)),
    words=st.sampled_from([None, ("yes", "no")]),
)
def test_damaged_archives_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    of_header: list[tuple[int, int]],
    changes: list[tuple[float, int]],
    kept: float,
    words: tuple[str, ...] | None,
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    changed = NOISE if words else f"yes/{0:08x}_nohash_0.wav"
    damaged = bytearray(SHORT[changed])
    for at, value in of_header:
        damaged[at] = value
    place = MAKERS[name](folder / name, {**SHORT, changed: bytes(damaged)})
    content = bytearray(place.read_bytes())
    for share, value in changes:
        content[int(share * len(content))] = value
    place.write_bytes(content[: round(kept * len(content))])
    try:
        found = speech.read(place, words=words)
    except RecipeError:
        pass
    else:
        assert np.isfinite(found.x_train).all() and found.x_train.shape[1:] == (49, 10, 1)
        assert found.y_train.min() >= 0 and found.y_train.max() < len(found.classes)
    speech.is_here(place)
    assert [one.name for one in folder.iterdir()] == [name], "nothing is unpacked"


def test_recipes_name_words_in_a_list() -> None:
    hint = get_type_hints(data.load)["words"]
    assert read_value(hint, ["yes", "no"], Path()) == ("yes", "no")
