/**
 * @file
 * @brief Gain control by the noise in each channel, in portable C.
 */
#ifndef TS_SIGNAL_PCAN_U32_H
#define TS_SIGNAL_PCAN_U32_H

#include <stdint.h>

/** Parameters of ts_signal_pcan_u32(). */
typedef struct {
    int32_t elements;  /**< > 0 */
    int32_t snr_shift; /**< to the right, [0, 63] */
} ts_signal_pcan_u32_params;

/** The gain of a level: one of the first three, or a parabola over ten bits of the level. */
static inline int16_t ts_signal_gain(uint32_t level, const int16_t *table)
{
    if (level <= 2) {
        return table[level];
    }
    int32_t octave = 2;
    while (octave < 32 && level >> octave != 0) {
        octave++;
    }
    const int16_t *parabola = table + 4 * octave - 6;
    const uint32_t shifted = octave < 11 ? level << (11 - octave) : level >> (octave - 11);
    const int32_t part = (int32_t)(shifted & 0x3FFU);
    const int32_t rise = (((parabola[2] * part) >> 5) + parabola[1] * 32) * part;
    return (int16_t)(((rise + (1 << 14)) >> 15) + parabola[0]);
}

/**
 * @brief `output[i] = shrink((input[i] * gain(noise[i])) >> snr_shift)`.
 *
 * `shrink(x)` is `x^2 / 4` below 2 and `x - 1` above; 12 bits of fraction in, 6 out.
 *
 * @param params shift, a literal at the call so that the compiler specialises
 * @param[in] input uint32 `[elements]`
 * @param[in] noise uint32 `[elements]`
 * @param[in] table int16 `[125]` or more: three gains, then a parabola for each power of two
 * @param[out] output uint32 `[elements]`; may be an input
 */
static inline __attribute__((always_inline)) void
ts_signal_pcan_u32(const ts_signal_pcan_u32_params *params, const uint32_t *input,
                   const uint32_t *noise, const int16_t *table, uint32_t *output)
{
    for (int32_t i = 0; i < params->elements; i++) {
        const uint32_t gain = (uint32_t)ts_signal_gain(noise[i], table);
        const uint32_t snr = (uint32_t)(((uint64_t)input[i] * gain) >> params->snr_shift);
        output[i] = snr < UINT32_C(2) << 12 ? (snr * snr) >> 20 : (snr >> 6) - 64U;
    }
}

#endif
