/**
 * @file
 * @brief Weights without their zeros: how they are read back.
 *
 * A matrix of weights `[rows, length]` is stored by row as codes, which say where the non-zeros
 * are, and as their values. compiler/sparse.py writes them; rows are read one after the other, so
 * what a reader needs to know of a row is how many codes it has. A position in a row counts from 0;
 * "skip" is how many positions lie between a non-zero and the one before.
 *
 * Readers are inlined where they are used: encoding, size of a value and what becomes of it are
 * literals.
 */
#ifndef TS_SPARSE_H
#define TS_SPARSE_H

#include <stdbool.h>
#include <stdint.h>

/** What the codes of a matrix are. */
enum {
    TS_SPARSE_CRS16 = 0, /**< 16 bits a value: its position */
    TS_SPARSE_CRS8 = 1,  /**< a byte a value: its skip; values may be 0 to come over long gaps */
    TS_SPARSE_RUNS = 2,  /**< four bits a value, low ones first: its skip, or 15: 15 and no value */
    TS_SPARSE_BITMAP = 3 /**< a byte for eight positions: bit i is set if there is a value */
};

/** One copy in an image, however many layers call it; Clang makes no clones to forbid. */
#ifdef __clang__
#define TS_SPARSE_SHARED __attribute__((noinline, unused))
#else
#define TS_SPARSE_SHARED __attribute__((noinline, noclone, unused))
#endif

/** What is left of a matrix that is being read. */
typedef struct {
    const void *codes;  /**< uint16 for TS_SPARSE_CRS16, else uint8 */
    const void *values; /**< behind what has been read */
} ts_sparse;

/** What becomes of a non-zero at a position of the row; `sink` is the reader's. */
typedef void ts_sparse_take(void *sink, uint32_t position, const void *value);

/** Read a row of TS_SPARSE_CRS16. */
static inline __attribute__((always_inline)) void ts_sparse_crs16(ts_sparse *rest, int32_t count,
                                                                  int32_t value_bytes,
                                                                  ts_sparse_take *take, void *sink)
{
    const uint16_t *codes = rest->codes;
    const uint16_t *const end = codes + count;
    const uint8_t *values = rest->values;
    for (; codes != end; values += value_bytes) {
        take(sink, *codes++, values);
    }
    rest->codes = codes;
    rest->values = values;
}

/** Read a row of TS_SPARSE_CRS8. */
static inline __attribute__((always_inline)) void ts_sparse_crs8(ts_sparse *rest, int32_t count,
                                                                 int32_t value_bytes,
                                                                 ts_sparse_take *take, void *sink)
{
    const uint8_t *codes = rest->codes;
    const uint8_t *const end = codes + count;
    const uint8_t *values = rest->values;
    for (uint32_t position = 0; codes != end; values += value_bytes) {
        position += *codes++;
        take(sink, position++, values);
    }
    rest->codes = codes;
    rest->values = values;
}

/** Read a row of TS_SPARSE_RUNS. */
static inline __attribute__((always_inline)) void ts_sparse_runs(ts_sparse *rest, int32_t count,
                                                                 int32_t value_bytes,
                                                                 ts_sparse_take *take, void *sink)
{
    const uint8_t *codes = rest->codes;
    const uint8_t *const end = codes + count;
    const uint8_t *values = rest->values;
    uint32_t position = 0;
    while (codes != end) {
        const uint32_t pair = *codes++;
        const uint32_t low = pair & 15;
        const uint32_t high = pair >> 4;
        position += low;
        if (low != 15) {
            take(sink, position++, values);
            values += value_bytes;
        }
        position += high;
        if (high != 15) {
            take(sink, position++, values);
            values += value_bytes;
        }
    }
    rest->codes = codes;
    rest->values = values;
}

/** Read a row of TS_SPARSE_BITMAP. */
static inline __attribute__((always_inline)) void ts_sparse_bitmap(ts_sparse *rest, int32_t count,
                                                                   int32_t value_bytes,
                                                                   ts_sparse_take *take, void *sink)
{
    const uint8_t *codes = rest->codes;
    const uint8_t *const end = codes + count;
    const uint8_t *values = rest->values;
    for (uint32_t first = 0; codes != end; first += 8) {
        uint32_t bits = *codes++;
#ifdef __ARM_FEATURE_CLZ
        for (; bits != 0; bits &= bits - 1, values += value_bytes) {
            take(sink, first + (uint32_t)__builtin_ctz(bits), values);
        }
#else /* counting zeros would take a call */
        for (uint32_t position = first; bits != 0; bits >>= 1) {
            if ((bits & 1) != 0) {
                take(sink, position, values);
                values += value_bytes;
            }
            position++;
        }
#endif
    }
    rest->codes = codes;
    rest->values = values;
}

#endif
