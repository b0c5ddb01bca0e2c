/**
 * @file
 * @brief LOGICAL_NOT, in portable C.
 */
#ifndef TS_LOGICAL_NOT_BOOL_H
#define TS_LOGICAL_NOT_BOOL_H

#include <stdbool.h>
#include <stdint.h>

/** Parameters of ts_logical_not_bool(). */
typedef struct {
    int32_t elements; /**< > 0 */
} ts_logical_not_bool_params;

/**
 * @brief `output[e] = !input[e]`.
 *
 * @param params size, a literal at the call so that the compiler specialises
 * @param[in] input bool `[elements]`
 * @param[out] output bool `[elements]`; may be the input
 */
static inline __attribute__((always_inline)) void
ts_logical_not_bool(const ts_logical_not_bool_params *params, const bool *input, bool *output)
{
    for (int32_t e = 0; e < params->elements; e++) {
        output[e] = !input[e];
    }
}

#endif
