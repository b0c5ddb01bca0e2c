/**
 * @file
 * @brief What the float32 kernels for cores with an FPU share: filters side by side, and outputs.
 *
 * Every output is the sum of the reference: product after product in the order of the filter, each
 * rounded before it is added, the bias last. A fused or chained multiply-add would take longer
 * (three cycles on a Cortex-M4, against two), and a fused one would round otherwise. What an
 * instruction computes is not used by the next one, which would wait for it.
 *
 * No sum is -0, unless a kernel takes the first product for a sum as it is; then adding a bias
 * that is not -0 (see compiler/variants/_vfp.py) gives the reference's bits again. So the positive
 * outputs are those without a sign, as long as all are finite.
 */
#ifndef TS_VFP_H
#define TS_VFP_H

#include <stdint.h>

#include "float.h"

#define TS_VFP_MUL(to, a, b) "vmul.f32 s" #to ", s" #a ", s" #b "\n\t"
#define TS_VFP_ADD(to, a, b) "vadd.f32 s" #to ", s" #a ", s" #b "\n\t"

/** Store four registers at `y` and offsets in bytes, 0 for those below; `x` and `k` are free. */
#define TS_VFP_RELU_4(y, a, b, c, d, to_a, to_b, to_c, to_d)                                       \
    "vmov %[x], s" #a "\n\tvmov %[k], s" #b "\n\t"                                                 \
    "bic.w %[x], %[x], %[x], asr #31\n\tbic.w %[k], %[k], %[k], asr #31\n\t"                        \
    "str.w %[x], [" y ", #" #to_a "]\n\tstr.w %[k], [" y ", #" #to_b "]\n\t"                        \
    "vmov %[x], s" #c "\n\tvmov %[k], s" #d "\n\t"                                                 \
    "bic.w %[x], %[x], %[x], asr #31\n\tbic.w %[k], %[k], %[k], asr #31\n\t"                        \
    "str.w %[x], [" y ", #" #to_c "]\n\tstr.w %[k], [" y ", #" #to_d "]\n\t"

/** What workers know of the outputs that they have written. */
enum {
    TS_VFP_PLAIN = 0, /**< all were finite: they are stored as they are */
    TS_VFP_RELU = 1,  /**< all were finite: they are stored with 0 for those below */
    TS_VFP_ODD = 2    /**< or more: some were not finite; since then they are stored as they are */
};

/** Filters, four output channels side by side. */
typedef struct {
    const float *weights; /**< `[(channels + 3) / 4, count, 4]` */
    const float *bias;    /**< `[channels]`, padded to a multiple of 8; none is -0 */
    int32_t count;        /**< products of an output, > 0 */
    int32_t channels;     /**< > 0 */
    float activation_min; /**< finite */
    float activation_max; /**< >= activation_min, finite */
} ts_vfp_filters;

/** The state that a worker begins with. */
static inline int32_t ts_vfp_begin(float activation_min)
{
    return activation_min == 0.0F ? TS_VFP_RELU : TS_VFP_PLAIN;
}

/**
 * @brief Limit what workers have written to the range of the activation.
 * @param[in,out] values `[count]`
 * @param count of values
 * @param state what the workers have left of ts_vfp_begin()
 * @param low finite
 * @param high >= low, finite
 */
static __attribute__((noinline)) void ts_vfp_finish(float *values, int32_t count, int32_t state,
                                                    float low, float high)
{
    /* Finite values lie between the largest float and the smallest. */
    const float least = state == TS_VFP_RELU ? 0.0F : -0x1.fffffep127F;
    if (state < TS_VFP_ODD && low == least && high == 0x1.fffffep127F) {
        return;
    }
    for (int32_t i = 0; i < count; i++) {
        values[i] = ts_clamp_f32(values[i], low, high);
    }
}

#endif
