/**
 * @file
 * @brief Energies added up in overlapping bands, in portable C.
 */
#ifndef TS_SIGNAL_FILTER_BANK_U32_H
#define TS_SIGNAL_FILTER_BANK_U32_H

#include <stdint.h>

/** Parameters of ts_signal_filter_bank_u32(). */
typedef struct {
    int32_t channels; /**< C, > 0 */
} ts_signal_filter_bank_u32_params;

/**
 * @brief A frequency counts `weights` in its band and `unweights` in the next; modulo 2^64.
 *
 * @param params number of bands, a literal at the call so that the compiler specialises
 * @param[in] input uint32, energies
 * @param[in] weights int16
 * @param[in] unweights int16
 * @param[in] starts int16 `[C + 1]`, first frequency of a band
 * @param[in] weight_starts int16 `[C + 1]`, its weight
 * @param[in] widths int16 `[C + 1]`; all bands lie inside input and weights
 * @param[out] output uint64 `[C]`, without the first band
 */
static inline __attribute__((always_inline)) void
ts_signal_filter_bank_u32(const ts_signal_filter_bank_u32_params *params, const uint32_t *input,
                          const int16_t *weights, const int16_t *unweights, const int16_t *starts,
                          const int16_t *weight_starts, const int16_t *widths, uint64_t *output)
{
    uint64_t carried = 0;
    for (int32_t c = 0; c <= params->channels; c++) {
        uint64_t sum = carried;
        carried = 0;
        for (int32_t i = 0; i < widths[c]; i++) {
            const uint64_t energy = input[starts[c] + i];
            sum += (uint64_t)(int64_t)weights[weight_starts[c] + i] * energy;
            carried += (uint64_t)(int64_t)unweights[weight_starts[c] + i] * energy;
        }
        if (c > 0) {
            output[c - 1] = sum;
        }
    }
}

#endif
