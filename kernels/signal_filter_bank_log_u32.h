/**
 * @file
 * @brief Logarithms from a table, in portable C.
 */
#ifndef TS_SIGNAL_FILTER_BANK_LOG_U32_H
#define TS_SIGNAL_FILTER_BANK_LOG_U32_H

#include <stdint.h>

/** Parameters of ts_signal_filter_bank_log_u32(). */
typedef struct {
    int32_t elements;        /**< > 0 */
    int32_t output_scale;    /**< [0, 32767] */
    int32_t correction_bits; /**< left shift of the input, [0, 31] */
} ts_signal_filter_bank_log_u32_params;

/** Natural logarithm of `x` > 1 in Q16.16, interpolated between 128 values a power of two. */
static inline uint32_t ts_signal_log(uint32_t x, const uint16_t *table)
{
    int32_t octave = 1;
    while (octave < 31 && x >> (octave + 1) != 0) {
        octave++;
    }
    const uint32_t above = x - (UINT32_C(1) << octave);
    const int32_t rest = (int32_t)(octave < 16 ? above << (16 - octave) : above >> (octave - 16));
    const int32_t segment = rest >> 9;
    const int32_t bend = ((table[segment + 1] - table[segment]) * (rest - segment * 512)) >> 16;
    const int32_t log2 = octave * 65536 + rest + table[segment] + bend;
    return (uint32_t)(((uint64_t)45426 * (uint32_t)log2 + 32768U) >> 16);
}

/**
 * @brief `output[i] = min(output_scale * ln(input[i] << correction_bits), 32767)`, 0 below 2.
 *
 * @param params scale and shift, a literal at the call so that the compiler specialises
 * @param[in] input uint32 `[elements]`
 * @param[in] table uint16 `[129]`, `log2(1 + i / 128) - i / 128` in Q0.16
 * @param[out] output int16 `[elements]`
 */
static inline __attribute__((always_inline)) void
ts_signal_filter_bank_log_u32(const ts_signal_filter_bank_log_u32_params *params,
                              const uint32_t *input, const uint16_t *table, int16_t *output)
{
    for (int32_t i = 0; i < params->elements; i++) {
        const uint32_t x = input[i] << params->correction_bits;
        const uint32_t natural = x > 1U ? ts_signal_log(x, table) : 0U;
        const uint32_t scaled = ((uint32_t)params->output_scale * natural + 32768U) >> 16;
        output[i] = (int16_t)(scaled < INT16_MAX ? scaled : INT16_MAX);
    }
}

#endif
