/**
 * @file
 * @brief Rounded square roots of 64-bit numbers, in portable C.
 */
#ifndef TS_SIGNAL_FILTER_BANK_SQUARE_ROOT_U64_H
#define TS_SIGNAL_FILTER_BANK_SQUARE_ROOT_U64_H

#include <stdint.h>

/** Parameters of ts_signal_filter_bank_square_root_u64(). */
typedef struct {
    int32_t elements; /**< > 0 */
} ts_signal_filter_bank_square_root_u64_params;

/**
 * @brief Rounded square root, bit by bit.
 *
 * A root that would round up to 2^16 from below 2^32, or to 2^32, stays one below.
 */
static inline uint32_t ts_signal_root(uint64_t x)
{
    const uint32_t end = x >> 32 == 0 ? UINT16_MAX : UINT32_MAX;
    uint64_t rest = x;
    uint64_t root = 0;
    uint64_t bit = UINT64_C(1) << (x >> 32 == 0 ? 30 : 62);
    for (; bit != 0; bit >>= 2) {
        const uint64_t trial = root + bit;
        root >>= 1;
        if (rest >= trial) {
            rest -= trial;
            root += bit;
        }
    }
    return (uint32_t)root + (rest > root && root != end ? 1U : 0U);
}

/**
 * @brief `output[i] = round(sqrt(input[i])) >> scale`.
 *
 * @param params number of elements, a literal at the call so that the compiler specialises
 * @param[in] input uint64 `[elements]`
 * @param[in] scale int32; outside [0, 31] nothing is left
 * @param[out] output uint32 `[elements]`
 */
static inline __attribute__((always_inline)) void
ts_signal_filter_bank_square_root_u64(const ts_signal_filter_bank_square_root_u64_params *params,
                                      const uint64_t *input, const int32_t *scale, uint32_t *output)
{
    const int32_t shift = *scale;
    for (int32_t i = 0; i < params->elements; i++) {
        output[i] = shift >= 0 && shift < 32 ? ts_signal_root(input[i]) >> shift : 0U;
    }
}

#endif
