/**
 * @file
 * @brief LSTM on int16 with weights of int8, in portable C.
 */
#ifndef TS_LSTM_S16_H
#define TS_LSTM_S16_H

#include <stdint.h>

#include "lstm_gates.h"
#include "quant.h"

/** Parameters of ts_lstm_s16(). */
typedef struct {
    int32_t batches;           /**< B, > 0 */
    int32_t steps;             /**< T, > 0 */
    int32_t features;          /**< I, > 0 */
    int32_t units;             /**< U, > 0 */
    int32_t batch_stride;      /**< rows from one batch to the next */
    int32_t step_stride;       /**< rows from one step to the next */
    int32_t kept_multiplier;   /**< of the cell times the forget gate: Q0.31, [2^30, 2^31) */
    int32_t kept_shift;        /**< left if > 0, [-31, 30] */
    int32_t taken_multiplier;  /**< of the input gate times the cell gate: Q0.31, or 0 */
    int32_t taken_shift;       /**< left if > 0, [-31, 30] */
    int32_t hidden_multiplier; /**< of tanh of the cell times the output gate: Q0.31, or 0 */
    int32_t hidden_shift;      /**< left if > 0, [-31, 30] */
    int32_t cell_clip;         /**< largest magnitude of the cell, [0, 32768] */
    int32_t tanh_multiplier;   /**< what makes the cell tanh's argument, [3, 3 * 2^14] */
    int32_t tanh_shift;        /**< to the right, rounded, [0, 18] */
} ts_lstm_s16_params;

/**
 * @brief `h = o * tanh(c)`, `c = f * c + i * g`, step after step.
 *
 * Gates stand in the order input, forget, cell, output. The new hidden state is written to the
 * output first: all gates of a step read the old one.
 *
 * @param params sizes and quantization, a literal at the call so that the compiler specialises
 * @param[in] input int16, B times T rows of I
 * @param[in] by_input int8 `[4, U, I]`
 * @param[in] by_hidden int16 `[4, U, U]`
 * @param[in] bias int64 `[4, U]`
 * @param[in] scaling requantization of both products `[4, 2]`, Q0.15
 * @param[in] table uint16 `[256]`, sigmoid(i / 24) in Q0.16
 * @param[out] output int16, B times T rows of U
 * @param[in,out] hidden int16 `[B, U]`
 * @param[in,out] cell int16 `[B, U]`
 */
static inline __attribute__((always_inline)) void
ts_lstm_s16(const ts_lstm_s16_params *params, const int16_t *input, const int8_t *by_input,
           const int8_t *by_hidden, const int64_t *bias, const ts_channel *scaling,
           const uint16_t *table, int16_t *output, int16_t *hidden, int16_t *cell)
{
    const int32_t units = params->units;
    const int32_t half = params->tanh_shift > 0 ? 1 << (params->tanh_shift - 1) : 0;
    for (int32_t t = 0; t < params->steps; t++) {
        for (int32_t b = 0; b < params->batches; b++) {
            const int32_t row = b * params->batch_stride + t * params->step_stride;
            const int16_t *x = input + row * params->features;
            int16_t *h = hidden + b * units;
            int16_t *out = output + row * units;
            for (int32_t u = 0; u < units; u++) {
                int32_t gates[4];
                for (int32_t g = 0; g < 4; g++) {
                    const int32_t place = g * units + u;
                    const ts_channel *scale = scaling + 2 * g;
                    const uint64_t first =
                        ts_dot_s16((uint64_t)bias[place], x, by_input + place * params->features,
                                   params->features);
                    const uint64_t second = ts_dot_s16(0, h, by_hidden + place * units, units);
                    const int32_t from_input = ts_requantize_wide(
                        (int64_t)first, scale[0].multiplier, scale[0].shift);
                    const int32_t from_hidden = ts_requantize_wide(
                        (int64_t)second, scale[1].multiplier, scale[1].shift);
                    const int32_t sum =
                        ts_lstm_saturated(from_input) + ts_lstm_saturated(from_hidden);
                    gates[g] = g == 2 ? ts_lstm_tanh(table, ts_lstm_saturated(sum) * 3)
                                      : ts_lstm_sigmoid(table, ts_lstm_saturated(sum));
                }
                int16_t *c = cell + b * units + u;
                const int32_t kept =
                    ts_requantize(gates[1] * *c, params->kept_multiplier, params->kept_shift);
                const int32_t taken = ts_requantize(gates[0] * gates[2], params->taken_multiplier,
                                                    params->taken_shift);
                const int32_t sum =
                    ts_lstm_saturated(ts_lstm_saturated(kept) + ts_lstm_saturated(taken));
                *c = (int16_t)(sum < -params->cell_clip  ? -params->cell_clip
                               : sum > params->cell_clip ? params->cell_clip
                                                         : sum);
                const int32_t squashed = ts_lstm_tanh(
                    table, (*c * params->tanh_multiplier + half) >> params->tanh_shift);
                const int32_t shown = ts_requantize(squashed * gates[3], params->hidden_multiplier,
                                                    params->hidden_shift);
                out[u] = (int16_t)ts_lstm_saturated(shown);
            }
            for (int32_t u = 0; u < units; u++) {
                h[u] = out[u];
            }
        }
    }
}

#endif
