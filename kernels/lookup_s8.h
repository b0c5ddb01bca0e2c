/**
 * @file
 * @brief Any function from int8 to int8, by a table, in portable C.
 */
#ifndef TS_LOOKUP_S8_H
#define TS_LOOKUP_S8_H

#include <stdint.h>

/** Parameters of ts_lookup_s8(). */
typedef struct {
    int32_t elements; /**< > 0 */
} ts_lookup_s8_params;

/**
 * @brief `output[e] = table[input[e] + 128]`.
 *
 * @param params size, a literal at the call so that the compiler specialises
 * @param[in] input int8 `[elements]`, [-128, 127]
 * @param[in] table int8 `[256]`: the function of -128 to 127
 * @param[out] output int8 `[elements]`; may be the input
 */
static inline __attribute__((always_inline)) void ts_lookup_s8(const ts_lookup_s8_params *params,
                                                               const int8_t *input,
                                                               const int8_t *table, int8_t *output)
{
    for (int32_t e = 0; e < params->elements; e++) {
        output[e] = table[input[e] + 128];
    }
}

#endif
