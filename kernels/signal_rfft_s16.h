/**
 * @file
 * @brief Fourier transform of real samples in 16-bit fixed point, in portable C.
 */
#ifndef TS_SIGNAL_RFFT_S16_H
#define TS_SIGNAL_RFFT_S16_H

#include <stdint.h>

/** Parameters of ts_signal_rfft_s16(). */
typedef struct {
    int32_t rows;        /**< N, > 0 */
    int32_t in_length;   /**< I, [1, 2 * half_length] */
    int32_t half_length; /**< H, a power of two, [2, 16384] */
} ts_signal_rfft_s16_params;

/** A complex number in Q0.15. */
typedef struct {
    int16_t re; /**< real part */
    int16_t im; /**< imaginary part */
} ts_complex_s16;

/** A complex number of the low 16 bits of two. */
static inline ts_complex_s16 ts_signal_complex(int32_t re, int32_t im)
{
    return (ts_complex_s16){(int16_t)re, (int16_t)im};
}

/** Drop 15 bits, rounded; the sum of two products of -32768 wraps. */
static inline int32_t ts_signal_rounded(uint32_t x) { return (int32_t)(x + (1U << 14)) >> 15; }

/** `a` times a number in Q0.15. */
static inline ts_complex_s16 ts_signal_scaled(ts_complex_s16 a, int32_t factor)
{
    return ts_signal_complex(ts_signal_rounded((uint32_t)(a.re * factor)),
                             ts_signal_rounded((uint32_t)(a.im * factor)));
}

/** `a` times a complex number. */
static inline ts_complex_s16 ts_signal_turned(ts_complex_s16 a, ts_complex_s16 turn)
{
    const uint32_t re = (uint32_t)(a.re * turn.re) - (uint32_t)(a.im * turn.im);
    const uint32_t im = (uint32_t)(a.re * turn.im) + (uint32_t)(a.im * turn.re);
    return ts_signal_complex(ts_signal_rounded(re), ts_signal_rounded(im));
}

/** Two neighbours become their sum and difference, halved. */
static inline void ts_signal_radix_2(ts_complex_s16 *x, ts_complex_s16 turn)
{
    const ts_complex_s16 a = ts_signal_scaled(x[0], 32767 / 2);
    const ts_complex_s16 b = ts_signal_turned(ts_signal_scaled(x[1], 32767 / 2), turn);
    x[0] = ts_signal_complex(a.re + b.re, a.im + b.im);
    x[1] = ts_signal_complex(a.re - b.re, a.im - b.im);
}

/** Four numbers `size` apart become their transform, divided by four. */
static inline void ts_signal_radix_4(ts_complex_s16 *x, int32_t size, const ts_complex_s16 *turns,
                                     int32_t step)
{
    const ts_complex_s16 a = ts_signal_scaled(x[0], 32767 / 4);
    const ts_complex_s16 b = ts_signal_turned(ts_signal_scaled(x[size], 32767 / 4), turns[step]);
    const ts_complex_s16 c =
        ts_signal_turned(ts_signal_scaled(x[2 * size], 32767 / 4), turns[2 * step]);
    const ts_complex_s16 d =
        ts_signal_turned(ts_signal_scaled(x[3 * size], 32767 / 4), turns[3 * step]);
    const ts_complex_s16 even = ts_signal_complex(a.re + c.re, a.im + c.im);
    const ts_complex_s16 odd = ts_signal_complex(b.re + d.re, b.im + d.im);
    const ts_complex_s16 left = ts_signal_complex(a.re - c.re, a.im - c.im);
    const ts_complex_s16 right = ts_signal_complex(b.re - d.re, b.im - d.im);
    x[0] = ts_signal_complex(even.re + odd.re, even.im + odd.im);
    x[size] = ts_signal_complex(left.re + right.im, left.im - right.re);
    x[2 * size] = ts_signal_complex(even.re - odd.re, even.im - odd.im);
    x[3 * size] = ts_signal_complex(left.re - right.im, left.im + right.re);
}

/**
 * @brief The first half of the transform, divided by its length.
 *
 * Two samples make a complex number. Stages of radix 4, the first of radix 2 if they must, divide
 * by their radix and round; at the end the spectrum of the pairs is taken apart.
 *
 * @param params lengths, a literal at the call so that the compiler specialises
 * @param[in] input int16 `[N, I]`, followed by zeros
 * @param[in] order uint16 `[H]`, which pair stands where before the first stage
 * @param[in] turns int16 `[H, 2]`, cosine and sine in Q0.15
 * @param[in] ends int16 `[H / 2, 2]`, those of the end
 * @param[out] output int16 `[N, H + 1, 2]`
 * @param[out] scratch `[4 * H]` bytes
 */
static inline __attribute__((always_inline)) void
ts_signal_rfft_s16(const ts_signal_rfft_s16_params *params, const int16_t *input,
                   const uint16_t *order, const int16_t *turns, const int16_t *ends,
                   int16_t *output, uint8_t *scratch)
{
    const int32_t half = params->half_length;
    ts_complex_s16 *x = (ts_complex_s16 *)(void *)scratch;
    const ts_complex_s16 *turn = (const ts_complex_s16 *)(const void *)turns;
    const ts_complex_s16 *end = (const ts_complex_s16 *)(const void *)ends;
    for (int32_t n = 0; n < params->rows; n++) {
        ts_complex_s16 *out = (ts_complex_s16 *)(void *)output + n * (half + 1);
        for (int32_t i = 0; i < half; i++) {
            const int32_t place = 2 * order[i];
            x[i].re = place < params->in_length ? input[place] : 0;
            x[i].im = place + 1 < params->in_length ? input[place + 1] : 0;
        }
        input += params->in_length;
        int32_t size = 1;
        for (int32_t rest = half; rest > 1; rest >>= 2) {
            if (rest == 2) {
                size = 2;
            }
        }
        if (size == 2) {
            for (int32_t i = 0; i < half; i += 2) {
                ts_signal_radix_2(x + i, turn[0]);
            }
        }
        for (; size < half; size *= 4) {
            const int32_t step = half / (4 * size);
            for (int32_t first = 0; first < half; first += 4 * size) {
                for (int32_t i = 0; i < size; i++) {
                    ts_signal_radix_4(x + first + i, size, turn, step * i);
                }
            }
        }
        const ts_complex_s16 constant = ts_signal_scaled(x[0], 32767 / 2);
        out[0] = ts_signal_complex(constant.re + constant.im, 0);
        out[half] = ts_signal_complex(constant.re - constant.im, 0);
        for (int32_t i = 1; i <= half / 2; i++) {
            const ts_complex_s16 a = ts_signal_scaled(x[i], 32767 / 2);
            const ts_complex_s16 conjugate = ts_signal_complex(x[half - i].re, -x[half - i].im);
            const ts_complex_s16 b = ts_signal_scaled(conjugate, 32767 / 2);
            const ts_complex_s16 sum = ts_signal_complex(a.re + b.re, a.im + b.im);
            const ts_complex_s16 difference = ts_signal_complex(a.re - b.re, a.im - b.im);
            const ts_complex_s16 turned = ts_signal_turned(difference, end[i - 1]);
            out[i] = ts_signal_complex((sum.re + turned.re) >> 1, (sum.im + turned.im) >> 1);
            out[half - i] = ts_signal_complex((sum.re - turned.re) >> 1, (turned.im - sum.im) >> 1);
        }
    }
}

#endif
