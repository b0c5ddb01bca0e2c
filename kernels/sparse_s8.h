/**
 * @file
 * @brief int8 weights without their zeros: how they are read back, and multiplied.
 *
 * A matrix of weights `[rows, length]` is stored by row as codes, which say where the non-zeros
 * are, and as their values. compiler/sparse.py writes them; rows are read one after the other, so
 * what a reader needs to know of a row is how many codes it has. A position in a row counts from 0;
 * "skip" is how many positions lie between a non-zero and the one before.
 */
#ifndef TS_SPARSE_S8_H
#define TS_SPARSE_S8_H

#include <stdbool.h>
#include <stdint.h>

/** What the codes of a matrix are. */
enum {
    TS_SPARSE_CRS16 = 0, /**< 16 bits a value: its position */
    TS_SPARSE_CRS8 = 1,  /**< a byte a value: its skip; values may be 0 to come over long gaps */
    TS_SPARSE_RUNS = 2,  /**< four bits a value, low ones first: its skip, or 15: 15 and no value */
    TS_SPARSE_BITMAP = 3 /**< a byte for eight positions: bit i is set if there is a value */
};

/** Outputs that are summed up at a time. */
#define TS_SPARSE_PIXELS 4

/** One copy in an image, however many layers call it; Clang makes no clones to forbid. */
#ifdef __clang__
#define TS_SPARSE_SHARED __attribute__((noinline, unused))
#else
#define TS_SPARSE_SHARED __attribute__((noinline, noclone, unused))
#endif

/** What is left of a matrix that is being read. */
typedef struct {
    const void *codes;    /**< uint16 for TS_SPARSE_CRS16, else uint8 */
    const int8_t *values; /**< behind what has been read */
} ts_sparse_s8;

/** Where the non-zeros of a row go: into a sum of products, or into a list. */
typedef struct {
    const int8_t *input; /**< what they are multiplied by */
    uint32_t sum;        /**< modulo 2^32 */
    uint32_t *list;      /**< `position << 8 | value`, advanced behind the last */
} ts_sparse_sink;

/** Put one non-zero where it goes. */
static inline __attribute__((always_inline)) void ts_sparse_take(ts_sparse_sink *sink, bool is_list,
                                                                 uint32_t position, int8_t value)
{
    if (is_list) {
        *sink->list++ = position << 8 | (uint8_t)value;
    } else {
        sink->sum += (uint32_t)(value * sink->input[position]);
    }
}

/** Read a row of TS_SPARSE_CRS16. */
static inline __attribute__((always_inline)) void
ts_sparse_crs16(ts_sparse_s8 *rest, int32_t count, ts_sparse_sink *sink, bool is_list)
{
    const uint16_t *codes = rest->codes;
    const uint16_t *const end = codes + count;
    const int8_t *values = rest->values;
    while (codes != end) {
        ts_sparse_take(sink, is_list, *codes++, *values++);
    }
    rest->codes = codes;
    rest->values = values;
}

/** Read a row of TS_SPARSE_CRS8. */
static inline __attribute__((always_inline)) void ts_sparse_crs8(ts_sparse_s8 *rest, int32_t count,
                                                                 ts_sparse_sink *sink, bool is_list)
{
    const uint8_t *codes = rest->codes;
    const uint8_t *const end = codes + count;
    const int8_t *values = rest->values;
    uint32_t position = 0;
    while (codes != end) {
        position += *codes++;
        ts_sparse_take(sink, is_list, position++, *values++);
    }
    rest->codes = codes;
    rest->values = values;
}

/** Read a row of TS_SPARSE_RUNS. */
static inline __attribute__((always_inline)) void ts_sparse_runs(ts_sparse_s8 *rest, int32_t count,
                                                                 ts_sparse_sink *sink, bool is_list)
{
    const uint8_t *codes = rest->codes;
    const uint8_t *const end = codes + count;
    const int8_t *values = rest->values;
    uint32_t position = 0;
    while (codes != end) {
        const uint32_t pair = *codes++;
        const uint32_t low = pair & 15;
        const uint32_t high = pair >> 4;
        position += low;
        if (low != 15) {
            ts_sparse_take(sink, is_list, position++, *values++);
        }
        position += high;
        if (high != 15) {
            ts_sparse_take(sink, is_list, position++, *values++);
        }
    }
    rest->codes = codes;
    rest->values = values;
}

/** Read a row of TS_SPARSE_BITMAP. */
static inline __attribute__((always_inline)) void
ts_sparse_bitmap(ts_sparse_s8 *rest, int32_t count, ts_sparse_sink *sink, bool is_list)
{
    const uint8_t *codes = rest->codes;
    const uint8_t *const end = codes + count;
    const int8_t *values = rest->values;
    for (uint32_t first = 0; codes != end; first += 8) {
        uint32_t bits = *codes++;
#ifdef __ARM_FEATURE_CLZ
        for (; bits != 0; bits &= bits - 1) {
            ts_sparse_take(sink, is_list, first + (uint32_t)__builtin_ctz(bits), *values++);
        }
#else /* counting zeros would take a call */
        for (uint32_t position = first; bits != 0; bits >>= 1) {
            if ((bits & 1) != 0) {
                ts_sparse_take(sink, is_list, position, *values++);
            }
            position++;
        }
#endif
    }
    rest->codes = codes;
    rest->values = values;
}

#define TS_SPARSE_READER(name)                                                                     \
    static TS_SPARSE_SHARED uint32_t ts_sparse_##name##_dot(ts_sparse_s8 *rest, int32_t count,     \
                                                            const int8_t *input, uint32_t sum)     \
    {                                                                                              \
        ts_sparse_sink sink = {.input = input, .sum = sum};                                        \
        ts_sparse_##name(rest, count, &sink, false);                                               \
        return sink.sum;                                                                           \
    }                                                                                              \
    static TS_SPARSE_SHARED uint32_t *ts_sparse_##name##_list(ts_sparse_s8 *rest, int32_t count,   \
                                                              uint32_t *list)                      \
    {                                                                                              \
        ts_sparse_sink sink = {.list = list};                                                      \
        ts_sparse_##name(rest, count, &sink, true);                                                \
        return sink.list;                                                                          \
    }

TS_SPARSE_READER(crs16)
TS_SPARSE_READER(crs8)
TS_SPARSE_READER(runs)
TS_SPARSE_READER(bitmap)

/**
 * @brief `sum + sum over the next row of weight[position] * input[position]`, modulo 2^32.
 * @param encoding a literal
 * @param[in,out] rest advanced behind the row
 * @param count codes of the row, >= 0
 * @param[in] input int8 `[length]`
 * @param sum what to add to
 */
static inline __attribute__((always_inline)) uint32_t
ts_sparse_dot(int32_t encoding, ts_sparse_s8 *rest, int32_t count, const int8_t *input,
              uint32_t sum)
{
    return encoding == TS_SPARSE_CRS16  ? ts_sparse_crs16_dot(rest, count, input, sum)
           : encoding == TS_SPARSE_CRS8 ? ts_sparse_crs8_dot(rest, count, input, sum)
           : encoding == TS_SPARSE_RUNS ? ts_sparse_runs_dot(rest, count, input, sum)
                                        : ts_sparse_bitmap_dot(rest, count, input, sum);
}

/**
 * @brief List the next row's values as `position << 8 | value`.
 * @param encoding a literal
 * @param[in,out] rest advanced behind the row
 * @param count codes of the row, >= 0
 * @param[out] list has room for the row
 * @return behind the last
 */
static inline __attribute__((always_inline)) uint32_t *
ts_sparse_list(int32_t encoding, ts_sparse_s8 *rest, int32_t count, uint32_t *list)
{
    return encoding == TS_SPARSE_CRS16  ? ts_sparse_crs16_list(rest, count, list)
           : encoding == TS_SPARSE_CRS8 ? ts_sparse_crs8_list(rest, count, list)
           : encoding == TS_SPARSE_RUNS ? ts_sparse_runs_list(rest, count, list)
                                        : ts_sparse_bitmap_list(rest, count, list);
}

#endif
