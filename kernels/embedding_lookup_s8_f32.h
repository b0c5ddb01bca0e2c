/**
 * @file
 * @brief EMBEDDING_LOOKUP in a table of int8 for float32, in portable C.
 */
#ifndef TS_EMBEDDING_LOOKUP_S8_F32_H
#define TS_EMBEDDING_LOOKUP_S8_F32_H

#include <stdint.h>

/** Parameters of ts_embedding_lookup_s8_f32(). */
typedef struct {
    int32_t picked; /**< numbers of rows, > 0 */
    int32_t rows;   /**< of the table, > 0 */
    int32_t inner;  /**< elements of a row, > 0 */
    float scale;    /**< of the table, > 0 */
} ts_embedding_lookup_s8_f32_params;

/**
 * @brief `output[p, :] = scale * table[numbers[p], :]`; a number outside takes the nearest row.
 *
 * @param params sizes and scale, a literal at the call so that the compiler specialises
 * @param[in] numbers int32 `[picked]`
 * @param[in] table int8 `[rows, inner]`
 * @param[out] output float `[picked, inner]`
 */
static inline __attribute__((always_inline)) void
ts_embedding_lookup_s8_f32(const ts_embedding_lookup_s8_f32_params *params, const int32_t *numbers,
                           const int8_t *table, float *output)
{
    for (int32_t p = 0; p < params->picked; p++) {
        const int32_t last = params->rows - 1;
        const int32_t number = numbers[p] < 0 ? 0 : numbers[p] > last ? last : numbers[p];
        const int8_t *const row = table + number * params->inner;
        for (int32_t e = 0; e < params->inner; e++) {
            *output++ = params->scale * (float)row[e];
        }
    }
}

#endif
