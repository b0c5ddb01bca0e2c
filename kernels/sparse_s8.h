/**
 * @file
 * @brief int8 weights without their zeros: how they are multiplied, or listed.
 */
#ifndef TS_SPARSE_S8_H
#define TS_SPARSE_S8_H

#include <stdint.h>

#include "sparse.h"

/** Outputs that are summed up at a time. */
#define TS_SPARSE_PIXELS 4

/** A sum of products. */
typedef struct {
    const int8_t *input; /**< what non-zeros are multiplied by */
    uint32_t sum;        /**< modulo 2^32 */
} ts_sparse_sum_s8;

/** Add a product. */
static inline __attribute__((always_inline)) void ts_sparse_add_s8(void *sink, uint32_t position,
                                                                   const void *value)
{
    ts_sparse_sum_s8 *const to = sink;
    to->sum += (uint32_t)(*(const int8_t *)value * to->input[position]);
}

/** List a non-zero as `position << 8 | value`; the sink is advanced behind it. */
static inline __attribute__((always_inline)) void ts_sparse_list_s8(void *sink, uint32_t position,
                                                                    const void *value)
{
    uint32_t **const list = sink;
    *(*list)++ = position << 8 | *(const uint8_t *)value;
}

#define TS_SPARSE_READER_S8(name)                                                                  \
    static TS_SPARSE_SHARED uint32_t ts_sparse_##name##_dot(ts_sparse *rest, int32_t count,        \
                                                            const int8_t *input, uint32_t sum)     \
    {                                                                                              \
        ts_sparse_sum_s8 to = {input, sum};                                                        \
        ts_sparse_##name(rest, count, 1, ts_sparse_add_s8, &to);                                   \
        return to.sum;                                                                             \
    }                                                                                              \
    static TS_SPARSE_SHARED uint32_t *ts_sparse_##name##_list(ts_sparse *rest, int32_t count,      \
                                                              uint32_t *list)                      \
    {                                                                                              \
        ts_sparse_##name(rest, count, 1, ts_sparse_list_s8, &list);                                \
        return list;                                                                               \
    }

TS_SPARSE_READER_S8(crs16)
TS_SPARSE_READER_S8(crs8)
TS_SPARSE_READER_S8(runs)
TS_SPARSE_READER_S8(bitmap)

/**
 * @brief `sum + sum over the next row of weight[position] * input[position]`, modulo 2^32.
 * @param encoding a literal
 * @param[in,out] rest advanced behind the row
 * @param count codes of the row, >= 0
 * @param[in] input int8 `[length]`
 * @param sum what to add to
 */
static inline __attribute__((always_inline)) uint32_t
ts_sparse_dot(int32_t encoding, ts_sparse *rest, int32_t count, const int8_t *input, uint32_t sum)
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
ts_sparse_list(int32_t encoding, ts_sparse *rest, int32_t count, uint32_t *list)
{
    return encoding == TS_SPARSE_CRS16  ? ts_sparse_crs16_list(rest, count, list)
           : encoding == TS_SPARSE_CRS8 ? ts_sparse_crs8_list(rest, count, list)
           : encoding == TS_SPARSE_RUNS ? ts_sparse_runs_list(rest, count, list)
                                        : ts_sparse_bitmap_list(rest, count, list);
}

#endif
