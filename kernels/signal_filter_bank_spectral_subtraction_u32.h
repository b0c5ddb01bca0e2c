/**
 * @file
 * @brief Subtracts what is always there, in portable C.
 */
#ifndef TS_SIGNAL_FILTER_BANK_SPECTRAL_SUBTRACTION_U32_H
#define TS_SIGNAL_FILTER_BANK_SPECTRAL_SUBTRACTION_U32_H

#include <stdint.h>

/** Parameters of ts_signal_filter_bank_spectral_subtraction_u32(). */
typedef struct {
    int32_t channels;                      /**< > 0 */
    int32_t smoothing;                     /**< of even channels, [0, 65535] */
    int32_t one_minus_smoothing;           /**< of even channels, [0, 65535] */
    int32_t alternate_smoothing;           /**< of odd channels, [0, 65535] */
    int32_t alternate_one_minus_smoothing; /**< of odd channels, [0, 65535] */
    int32_t min_signal_remaining;          /**< what is left at least, [0, 65535] */
    int32_t smoothing_bits;                /**< fraction of the noise, [0, 31] */
    int32_t spectral_subtraction_bits;     /**< fraction of the numbers above, [0, 63] */
    int32_t clamping;                      /**< whether the noise may not exceed the signal */
} ts_signal_filter_bank_spectral_subtraction_u32_params;

/**
 * @brief Mixes the signal into the estimate of the noise and takes that from the signal.
 *
 * @param params numbers, a literal at the call so that the compiler specialises
 * @param[in] input uint32 `[channels]`
 * @param[out] output uint32 `[channels]`
 * @param[out] noise uint32 `[channels]`, the estimate
 * @param[in,out] state uint32 `[channels]`, the estimate
 */
static inline __attribute__((always_inline)) void ts_signal_filter_bank_spectral_subtraction_u32(
    const ts_signal_filter_bank_spectral_subtraction_u32_params *params, const uint32_t *input,
    uint32_t *output, uint32_t *noise, uint32_t *state)
{
    for (int32_t c = 0; c < params->channels; c++) {
        const int32_t is_odd = c & 1;
        const uint64_t taken = (uint64_t)(is_odd ? params->alternate_smoothing : params->smoothing);
        const uint64_t kept = (uint64_t)(is_odd ? params->alternate_one_minus_smoothing
                                                : params->one_minus_smoothing);
        const uint32_t raised = input[c] << params->smoothing_bits;
        const uint64_t mixed = raised * taken + state[c] * kept;
        const uint32_t estimate = (uint32_t)(mixed >> params->spectral_subtraction_bits);
        const uint32_t removed = estimate > raised ? raised : estimate;
        const uint64_t remaining = input[c] * (uint64_t)params->min_signal_remaining;
        const uint32_t least = (uint32_t)(remaining >> params->spectral_subtraction_bits);
        const uint32_t left = (raised - removed) >> params->smoothing_bits;
        state[c] = params->clamping != 0 ? removed : estimate;
        noise[c] = state[c];
        output[c] = left > least ? left : least;
    }
}

#endif
