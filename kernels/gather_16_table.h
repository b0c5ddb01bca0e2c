/**
 * @file
 * @brief As gather_16.h, from a constant table: constants come behind the computed tensors.
 */
#ifndef TS_GATHER_16_TABLE_H
#define TS_GATHER_16_TABLE_H

#include "gather_16.h"

/** Parameters of ts_gather_16_table(), as those of ts_gather_16(). */
typedef struct {
    int32_t batches; /**< as in ts_gather_16_params */
    int32_t outer;   /**< as in ts_gather_16_params */
    int32_t axis;    /**< as in ts_gather_16_params */
    int32_t picked;  /**< as in ts_gather_16_params */
    int32_t inner;   /**< as in ts_gather_16_params */
} ts_gather_16_table_params;

/** ts_gather_16() with its inputs the other way round. */
static inline __attribute__((always_inline)) void ts_gather_16_table(
    const ts_gather_16_table_params *params, const int32_t *indices, const void *input,
    void *output)
{
    const ts_gather_16_params same = {
        .batches = params->batches,
        .outer = params->outer,
        .axis = params->axis,
        .picked = params->picked,
        .inner = params->inner,
    };
    ts_gather_16(&same, input, indices, output);
}

#endif
