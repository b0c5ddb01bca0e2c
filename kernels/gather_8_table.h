/**
 * @file
 * @brief As gather_8.h, from a constant table: constants come behind the computed tensors.
 */
#ifndef TS_GATHER_8_TABLE_H
#define TS_GATHER_8_TABLE_H

#include "gather_8.h"

/** Parameters of ts_gather_8_table(), as those of ts_gather_8(). */
typedef struct {
    int32_t batches; /**< as in ts_gather_8_params */
    int32_t outer;   /**< as in ts_gather_8_params */
    int32_t axis;    /**< as in ts_gather_8_params */
    int32_t picked;  /**< as in ts_gather_8_params */
    int32_t inner;   /**< as in ts_gather_8_params */
} ts_gather_8_table_params;

/** ts_gather_8() with its inputs the other way round. */
static inline __attribute__((always_inline)) void ts_gather_8_table(
    const ts_gather_8_table_params *params, const int32_t *indices, const void *input,
    void *output)
{
    const ts_gather_8_params same = {
        .batches = params->batches,
        .outer = params->outer,
        .axis = params->axis,
        .picked = params->picked,
        .inner = params->inner,
    };
    ts_gather_8(&same, input, indices, output);
}

#endif
