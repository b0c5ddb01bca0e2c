/**
 * @file
 * @brief Squared magnitude of a spectrum, in portable C.
 */
#ifndef TS_SIGNAL_ENERGY_S16_H
#define TS_SIGNAL_ENERGY_S16_H

#include <stdint.h>

/** Parameters of ts_signal_energy_s16(). */
typedef struct {
    int32_t elements; /**< > 0 */
    int32_t start;    /**< first frequency, [0, end] */
    int32_t end;      /**< one behind the last, [start, elements] */
} ts_signal_energy_s16_params;

/**
 * @brief `output[i] = re[i]^2 + im[i]^2` from start to end, 0 beside.
 *
 * @param params range, a literal at the call so that the compiler specialises
 * @param[in] input int16 `[elements, 2]`
 * @param[out] output uint32 `[elements]`
 */
static inline __attribute__((always_inline)) void
ts_signal_energy_s16(const ts_signal_energy_s16_params *params, const int16_t *input,
                     uint32_t *output)
{
    for (int32_t i = 0; i < params->elements; i++) {
        const int32_t real = input[2 * i];
        const int32_t imaginary = input[2 * i + 1];
        const uint32_t energy = (uint32_t)(real * real) + (uint32_t)(imaginary * imaginary);
        output[i] = i >= params->start && i < params->end ? energy : 0U;
    }
}

#endif
