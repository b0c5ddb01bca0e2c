/**
 * @file
 * @brief Copies a variable's value, of any type.
 */
#ifndef TS_ASSIGN_VARIABLE_H
#define TS_ASSIGN_VARIABLE_H

#include <stdint.h>

/** Parameters of ts_assign_variable(). */
typedef struct {
    int32_t size_bytes; /**< >= 0 */
} ts_assign_variable_params;

/**
 * @brief `output[i] = input[i]`, byte by byte.
 *
 * @param params size, a literal at the call so that the compiler specialises
 * @param[in] input `[size_bytes]`
 * @param[out] output `[size_bytes]`; may be the input
 */
static inline __attribute__((always_inline)) void
ts_assign_variable(const ts_assign_variable_params *params, const void *input, void *output)
{
    const uint8_t *from = input;
    uint8_t *to = output;
    for (int32_t i = 0; i < params->size_bytes; i++) {
        to[i] = from[i];
    }
}

#endif
