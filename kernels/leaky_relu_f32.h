/**
 * @file
 * @brief LEAKY_RELU on float32, in portable C.
 */
#ifndef TS_LEAKY_RELU_F32_H
#define TS_LEAKY_RELU_F32_H

#include <stdint.h>

/** Parameters of ts_leaky_relu_f32(). */
typedef struct {
    int32_t elements; /**< > 0 */
    float alpha;      /**< slope of what is not positive */
} ts_leaky_relu_f32_params;

/**
 * @brief `output[e] = input[e] > 0 ? input[e] : alpha * input[e]`.
 *
 * @param params size and slope, a literal at the call so that the compiler specialises
 * @param[in] input float `[elements]`, any
 * @param[out] output float `[elements]`; may be the input
 */
static inline __attribute__((always_inline)) void
ts_leaky_relu_f32(const ts_leaky_relu_f32_params *params, const float *input, float *output)
{
    for (int32_t e = 0; e < params->elements; e++) {
        output[e] = input[e] > 0.0F ? input[e] : input[e] * params->alpha;
    }
}

#endif
