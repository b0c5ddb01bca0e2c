/**
 * @file
 * @brief As gather_32.h, from a constant table: constants come behind the computed tensors.
 */
#ifndef TS_GATHER_32_TABLE_H
#define TS_GATHER_32_TABLE_H

#include "gather_32.h"

/** Parameters of ts_gather_32_table(), as those of ts_gather_32(). */
typedef struct {
    int32_t batches; /**< as in ts_gather_32_params */
    int32_t outer;   /**< as in ts_gather_32_params */
    int32_t axis;    /**< as in ts_gather_32_params */
    int32_t picked;  /**< as in ts_gather_32_params */
    int32_t inner;   /**< as in ts_gather_32_params */
} ts_gather_32_table_params;

/** ts_gather_32() with its inputs the other way round. */
static inline __attribute__((always_inline)) void ts_gather_32_table(
    const ts_gather_32_table_params *params, const int32_t *indices, const void *input,
    void *output)
{
    const ts_gather_32_params same = {
        .batches = params->batches,
        .outer = params->outer,
        .axis = params->axis,
        .picked = params->picked,
        .inner = params->inner,
    };
    ts_gather_32(&same, input, indices, output);
}

#endif
