/**
 * @file
 * @brief LSTM on float32, in portable C.
 */
#ifndef TS_LSTM_F32_H
#define TS_LSTM_F32_H

#include <stdint.h>

#include "math_f32.h"

/** Parameters of ts_lstm_f32(). */
typedef struct {
    int32_t batches;      /**< B, > 0 */
    int32_t steps;        /**< T, > 0 */
    int32_t features;     /**< I, > 0 */
    int32_t units;        /**< U, > 0 */
    int32_t batch_stride; /**< rows from one batch to the next */
    int32_t step_stride;  /**< rows from one step to the next */
    float cell_clip;      /**< largest magnitude of the cell, > 0; infinity for none */
} ts_lstm_f32_params;

/** Sigmoid; ends where the reference lets it end. */
static inline float ts_lstm_sigmoid_f32(float x)
{
    if (x > 16.619047F) {
        return 1.0F;
    }
    return x < -9.0F ? ts_exp_f32(x) : 1.0F / (1.0F + ts_exp_f32(-x));
}

/** Hyperbolic tangent: its series near 0, where the exponential would cancel. */
static inline float ts_lstm_tanh_f32(float x)
{
    const double d = (double)x;
    const double square = d * d;
    if (square < 0.09) {
        const double tail = 62.0 / 2835 - square * 1382.0 / 155925;
        const double series = 1.0 / 3 - square * (2.0 / 15 - square * (17.0 / 315 - square * tail));
        return (float)(d - d * square * series);
    }
    const double magnitude =
        1.0 - 2.0 / ((double)ts_exp_f32(x < 0.0F ? -2.0F * x : 2.0F * x) + 1.0);
    return (float)(x < 0.0F ? -magnitude : magnitude);
}

/** `sum weights[i] * x[i]`. */
static inline float ts_lstm_dot_f32(const float *x, const float *weights, int32_t count)
{
    float sum = 0.0F;
    for (int32_t i = 0; i < count; i++) {
        sum += x[i] * weights[i];
    }
    return sum;
}

/**
 * @brief `h = o * tanh(c)`, `c = f * c + i * g`, step after step.
 *
 * Gates stand in the order input, forget, cell, output. The new hidden state is written to the
 * output first: all gates of a step read the old one.
 *
 * @param params sizes and limit, a literal at the call so that the compiler specialises
 * @param[in] input float, B times T rows of I
 * @param[in] by_input float `[4, U, I]`
 * @param[in] by_hidden float `[4, U, U]`
 * @param[in] bias float `[4, U]`
 * @param[out] output float, B times T rows of U
 * @param[in,out] hidden float `[B, U]`
 * @param[in,out] cell float `[B, U]`
 */
static inline __attribute__((always_inline)) void
ts_lstm_f32(const ts_lstm_f32_params *params, const float *input, const float *by_input,
            const float *by_hidden, const float *bias, float *output, float *hidden, float *cell)
{
    const int32_t units = params->units;
    for (int32_t t = 0; t < params->steps; t++) {
        for (int32_t b = 0; b < params->batches; b++) {
            const int32_t row = b * params->batch_stride + t * params->step_stride;
            const float *x = input + row * params->features;
            float *h = hidden + b * units;
            float *out = output + row * units;
            for (int32_t u = 0; u < units; u++) {
                float gates[4];
                for (int32_t g = 0; g < 4; g++) {
                    const int32_t place = g * units + u;
                    const float sum =
                        (ts_lstm_dot_f32(x, by_input + place * params->features, params->features) +
                         bias[place]) +
                        ts_lstm_dot_f32(h, by_hidden + place * units, units);
                    gates[g] = g == 2 ? ts_lstm_tanh_f32(sum) : ts_lstm_sigmoid_f32(sum);
                }
                float *c = cell + b * units + u;
                const float sum = gates[1] * *c + gates[0] * gates[2];
                *c = sum < -params->cell_clip  ? -params->cell_clip
                     : sum > params->cell_clip ? params->cell_clip
                                               : sum;
                out[u] = ts_lstm_tanh_f32(*c) * gates[3];
            }
            for (int32_t u = 0; u < units; u++) {
                h[u] = out[u];
            }
        }
    }
}

#endif
