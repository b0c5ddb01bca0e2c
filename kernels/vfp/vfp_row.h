/**
 * @file
 * @brief One row of numbers times filters, eight output channels at a time, on an FPU.
 */
#ifndef TS_VFP_ROW_H
#define TS_VFP_ROW_H

#include <stdint.h>

#include "vfp.h"

/** One product more for eight channels, with the number in register `x`. */
#define TS_VFP_ROW_STEP(x)                                                                         \
    "vldmia %[w]!, {s8-s11}\n\tvldmia %[v]!, {s12-s15}\n\t"                                        \
    TS_VFP_MUL(20, x, 8) TS_VFP_MUL(21, x, 9) TS_VFP_MUL(22, x, 10) TS_VFP_ADD(0, 0, 20)           \
    TS_VFP_MUL(20, x, 11) TS_VFP_ADD(1, 1, 21) TS_VFP_MUL(21, x, 12) TS_VFP_ADD(2, 2, 22)          \
    TS_VFP_MUL(22, x, 13) TS_VFP_ADD(3, 3, 20) TS_VFP_MUL(20, x, 14) TS_VFP_ADD(4, 4, 21)          \
    TS_VFP_MUL(21, x, 15) TS_VFP_ADD(5, 5, 22) TS_VFP_ADD(6, 6, 20) TS_VFP_ADD(7, 7, 21)

/**
 * @brief `output[o] = bias[o] + sum x[k] * weights[o / 4, k, o % 4]`, eight channels a turn.
 *
 * @param[in] x `[count]`
 * @param[in] weights `[2 * turns, count, 4]`
 * @param[in] bias `[8 * turns]`
 * @param count > 0
 * @param turns > 0
 * @param second_bytes from the first to the second four channels' weights: 16 * count, or 0 if
 * there are four channels only, which are then computed twice
 * @param state see ts_vfp_begin()
 * @param[out] output `[8 * turns]`
 * @return the state behind all of them
 */
static __attribute__((noinline)) int32_t ts_vfp_row(const float *x, const float *weights,
                                                    const float *bias, int32_t count, int32_t turns,
                                                    int32_t second_bytes, int32_t state,
                                                    float *output)
{
    const float *next;
    const float *second;
    int32_t left;
    __asm__ volatile(
        ".balign 4\n"
        "1:\n\t"
        "add.w %[v], %[w], %[second]\n\t"
        "movs.w %[k], #0\n\t"
        "mov.w %[x], %[row]\n\t"
        "vmov s0, %[k]\n\t"
        "vmov s1, %[k]\n\t"
        "vmov s2, %[k]\n\t"
        "vmov s3, %[k]\n\t"
        "vmov s4, %[k]\n\t"
        "vmov s5, %[k]\n\t"
        "vmov s6, %[k]\n\t"
        "vmov s7, %[k]\n\t"
        "lsrs.w %[k], %[count], #2\n\t"
        "beq.w 3f\n"
        "2:\n\t"
        "vldmia %[x]!, {s16-s19}\n\t"
        TS_VFP_ROW_STEP(16) TS_VFP_ROW_STEP(17) TS_VFP_ROW_STEP(18) TS_VFP_ROW_STEP(19)
        "subs.w %[k], %[k], #1\n\t"
        "bne.w 2b\n"
        "3:\n\t"
        "ands.w %[k], %[count], #3\n\t"
        "beq.w 5f\n"
        "4:\n\t"
        "vldmia %[x]!, {s16}\n\t"
        TS_VFP_ROW_STEP(16)
        "subs.w %[k], %[k], #1\n\t"
        "bne.w 4b\n"
        "5:\n\t"
        "vldmia %[bias]!, {s8-s15}\n\t"
        TS_VFP_ADD(0, 0, 8) TS_VFP_ADD(1, 1, 9) TS_VFP_ADD(2, 2, 10) TS_VFP_ADD(3, 3, 11)
        TS_VFP_ADD(4, 4, 12) TS_VFP_ADD(5, 5, 13) TS_VFP_ADD(6, 6, 14) TS_VFP_ADD(7, 7, 15)
        /* The sum of numbers that are not finite is none either; less itself it is NaN. */
        TS_VFP_ADD(8, 0, 4) TS_VFP_ADD(9, 1, 5) TS_VFP_ADD(10, 2, 6) TS_VFP_ADD(11, 3, 7)
        TS_VFP_ADD(8, 8, 9) TS_VFP_ADD(10, 10, 11)
        "mov.w %[w], %[v]\n\t"
        TS_VFP_ADD(8, 8, 10)
        "vsub.f32 s8, s8, s8\n\t"
        "vcmp.f32 s8, s8\n\t"
        "vmrs %[k], fpscr\n\t"
        "and.w %[k], %[k], #0x10000000\n\t"
        "orr.w %[state], %[state], %[k], lsr #27\n\t"
        "cmp.w %[state], #1\n\t"
        "bne.w 6f\n\t"
        TS_VFP_RELU_4("%[y]", 0, 1, 2, 3, 0, 4, 8, 12)
        TS_VFP_RELU_4("%[y]", 4, 5, 6, 7, 16, 20, 24, 28)
        "add.w %[y], %[y], #32\n\t"
        "b.w 7f\n"
        "6:\n\t"
        "vstmia %[y]!, {s0-s7}\n"
        "7:\n\t"
        "subs.w %[turns], %[turns], #1\n\t"
        "bne.w 1b\n\t"
        : [w] "+r"(weights), [bias] "+r"(bias), [turns] "+r"(turns), [state] "+r"(state),
          [y] "+r"(output), [x] "=&r"(next), [v] "=&r"(second), [k] "=&r"(left)
        : [row] "r"(x), [count] "r"(count), [second] "r"(second_bytes)
        : "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13",
          "s14", "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "cc", "memory");
    return state;
}

/** All output channels of one row `x [count]`: `output [channels]`. */
static __attribute__((noinline)) void ts_vfp_row_of_all(const ts_vfp_filters *filters,
                                                        const float *x, float *output)
{
    const int32_t count = filters->count;
    const int32_t turns = filters->channels / 8;
    const int32_t rest = filters->channels % 8;
    int32_t state = ts_vfp_begin(filters->activation_min);
    if (turns > 0) {
        state = ts_vfp_row(x, filters->weights, filters->bias, count, turns, 16 * count, state,
                           output);
    }
    if (rest > 0) {
        float last[8];
        state = ts_vfp_row(x, filters->weights + 8 * turns * count, filters->bias + 8 * turns,
                           count, 1, rest > 4 ? 16 * count : 0, state, last);
        for (int32_t o = 0; o < rest; o++) {
            output[8 * turns + o] = last[o];
        }
    }
    ts_vfp_finish(output, filters->channels, state, filters->activation_min,
                  filters->activation_max);
}

#endif
