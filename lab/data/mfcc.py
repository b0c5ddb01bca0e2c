"""A second of sound as the picture that keyword spotting looks at: 49 windows by 10 coefficients.

As MLPerf Tiny's keyword spotting computes it (mlcommons/tiny, benchmark/training/keyword_spotting,
get_dataset.py): each clip over its loudest sample; 30 ms windows every 20 ms, magnitudes of 40 mel
bands, their logarithms, and the first coefficients of a cosine transform.

These are then divided by ``SCALE``, the same number for all, so that a device can leave the
division to the scale of its quantized input.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
SHAPE = (49, 10, 1)
#: Of MLPerf Tiny's ten published samples the root mean square is 6.6: over 8 it is about 1.
SCALE = 8.0

_WINDOW, _STEP = RATE_HZ * 30 // 1000, RATE_HZ * 20 // 1000
_BANDS, _LOWEST_HZ, _HIGHEST_HZ = 40, 20.0, 4000.0
#: Added to magnitudes: nothing at all has a logarithm, too.
_LEAST = 1e-6


def features(clips: NDArray[np.int16]) -> NDArray[np.float32]:
    """Return pictures of clips: int16 (clips, 16000) -> float32 (clips, 49, 10, 1)."""
    import tensorflow as tf

    sound = clips.astype(np.float32)
    sound /= np.maximum(np.abs(sound).max(axis=1, keepdims=True), 1)
    spectra = tf.abs(tf.signal.stft(sound, _WINDOW, _STEP))
    to_bands = tf.signal.linear_to_mel_weight_matrix(
        _BANDS, spectra.shape[-1], RATE_HZ, _LOWEST_HZ, _HIGHEST_HZ
    )
    bands = tf.math.log(tf.tensordot(spectra, to_bands, 1) + _LEAST)
    coefficients = tf.signal.mfccs_from_log_mel_spectrograms(bands)[..., : SHAPE[1]]
    found: NDArray[np.float32] = coefficients.numpy().reshape(-1, *SHAPE) / np.float32(SCALE)
    return found
