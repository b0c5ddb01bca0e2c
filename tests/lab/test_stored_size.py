"""What is stored comes back bit by bit, and every bit of it is accounted for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from tinysim.lab.huffman import (
    LONGEST_WORD_BITS,
    BitReader,
    BitWriter,
    Decoder,
    code_lengths,
    code_words,
)
from tinysim.lab.stored_size import decode, encode

#: Every pattern of 32 bits: infinities, negative zero and what is no number as well.
ANY_FLOATS = arrays(np.uint32, array_shapes(max_dims=3, min_side=0, max_side=6)).map(
    lambda patterns: patterns.view(np.float32)
)
COUNTS = st.lists(st.integers(0, 50), min_size=1, max_size=40).filter(any)


@st.composite
def clustered(draw: st.DrawFn) -> NDArray[np.float32]:
    """Weights of few values, most of them zero."""
    values = draw(st.lists(st.floats(-4, 4, width=32), min_size=1, max_size=12))
    size, kept = draw(st.integers(1, 3000)), draw(st.floats(0, 1))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weights = generator.choice(np.array(values, np.float32), size)
    return np.where(generator.random(size) < kept, weights, np.float32(0))


def same(left: NDArray[np.float32], right: NDArray[np.float32]) -> bool:
    return left.shape == right.shape and left.tobytes() == right.tobytes()


@given(st.lists(st.one_of(ANY_FLOATS, clustered()), max_size=4))
def test_weights_come_back_and_every_bit_is_accounted_for(
    tensors: list[NDArray[np.float32]],
) -> None:
    weights = {str(number): values for number, values in enumerate(tensors)}
    stored = encode(weights)
    found = decode(stored.data, {name: values.shape for name, values in weights.items()})
    assert all(same(found[name], values) for name, values in weights.items())
    assert len(stored.data) == -(-stored.bits // 8)
    raw = sum(2 + 32 * values.size for values in tensors)
    assert stored.bits <= raw


@given(COUNTS)
def test_code_is_complete_and_no_longer_than_its_entropy_and_a_bit(counts: list[int]) -> None:
    frequencies = np.array(counts)
    lengths = code_lengths(frequencies)
    assert ((lengths > 0) == (frequencies > 0)).all()
    used = frequencies[frequencies > 0]
    if len(used) > 1:
        assert (0.5 ** lengths[lengths > 0]).sum() == 1
        entropy_bits = -(used * np.log2(used / used.sum())).sum()
        assert entropy_bits - 1e-6 <= (frequencies * lengths).sum() < entropy_bits + used.sum()


@given(COUNTS, st.data())
def test_words_are_read_as_the_symbols_they_were_written_for(
    counts: list[int], data: st.DataObject
) -> None:
    lengths = code_lengths(np.array(counts))
    symbols = data.draw(st.lists(st.sampled_from(np.flatnonzero(lengths).tolist())))
    writer = BitWriter()
    chosen = np.array(symbols, np.int64)
    writer.put(code_words(lengths)[chosen], lengths[chosen])
    reader, code = BitReader(writer.to_bytes()), Decoder.of(lengths)
    assert [reader.symbol(code) for _ in symbols] == symbols


def test_no_word_is_longer_than_decoders_take() -> None:
    fibonacci = [1, 1]
    while len(fibonacci) < 40:
        fibonacci.append(sum(fibonacci[-2:]))
    lengths = code_lengths(np.array(fibonacci))
    assert lengths.max() <= LONGEST_WORD_BITS
    assert (0.5**lengths).sum() == 1


def test_bits_that_are_no_word_are_refused() -> None:
    with pytest.raises(ValueError, match="no word"):
        BitReader(b"\xff").symbol(Decoder.of(np.array([1])))


def test_form_follows_what_the_weights_are_like() -> None:
    generator = np.random.default_rng(0)
    few = generator.choice(np.array([-1, 0.5, 2], np.float32), 4000)
    stored = encode(
        {
            "learned": generator.normal(size=4000).astype(np.float32),
            "clustered": few,
            "pruned": np.where(generator.random(4000) < 0.05, few, np.float32(0)),
            "biases": np.zeros(10, np.float32),
        }
    )
    raw, dense, sparse, zeros = stored.tensors
    assert [tensor.form for tensor in stored.tensors] == ["raw", "dense", "sparse", "dense"]
    assert raw.bits == 2 + 32 * 4000
    assert dense.codebook_bits == 8 + 3 * 32
    assert dense.index_bits < 2 * 4000
    assert sparse.gap_bits > sparse.index_bits > 0
    assert zeros.bits == 2 + 8 + 32
