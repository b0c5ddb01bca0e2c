/**
 * @file
 * @brief ADD and SUB of int8 tensors of one shape, for Armv6-M.
 *
 * Of the 65536 pairs of operands the compiler knows what the reference makes, with its three
 * requantizations. Here one plane runs over them, `first * slope1 + second * slope2 + start`, whose
 * whole part is the same for each pair (compiler/variants/add_s8_v6m.py finds it). The slopes'
 * fractions, of seven bits, meet both operands in one multiplication of two halves of a word.
 */
#ifndef TS_ADD_S8_V6M_H
#define TS_ADD_S8_V6M_H

#include <stdint.h>

/** Parameters of ts_add_s8_v6m(); the workers read them in this order. */
typedef struct {
    int32_t count;     /**< 0: elements, > 0 */
    int32_t slope1;    /**< 4: whole part of the first operand's slope */
    int32_t slope2;    /**< 8: of the second's */
    int32_t fractions; /**< 12: of the first in the high half, of the second in the low, [0, 127] */
    int32_t start;     /**< 16 */
    int32_t most;      /**< 20: activation_max - activation_min */
    int32_t least;     /**< 24: activation_min */
    int32_t shift;     /**< 28: bits behind the whole part, [1, 30] */
    int32_t drop;      /**< 32: `1 << drop` is taken off below the middle; 32: nothing is */
    int32_t middle;    /**< 36: amid what gives the output's zero point, negated */
} ts_add_s8_v6m_params;

/* r0 counts up to 0 from where the operands at r1 and r2 and the output at r3 end; r8, r9 slopes,
 * r10 fractions, r11 start, r12 most, lr least; the stack: shift, drop, middle. */
#define TS_ADD_S8_V6M_TEXT(dropped)                                                                \
    ".syntax unified\n"                                                                            \
    "sub sp, #12\n"                                                                                \
    "ldr r4, [r0, #28]\n ldr r5, [r0, #32]\n ldr r6, [r0, #36]\n"                                  \
    "str r4, [sp, #0]\n str r5, [sp, #4]\n str r6, [sp, #8]\n"                                     \
    "ldm r0!, {r4, r5, r6, r7}\n mov r8, r5\n mov r9, r6\n mov r10, r7\n"                          \
    "ldm r0!, {r5, r6, r7}\n mov r11, r5\n mov r12, r6\n mov lr, r7\n"                             \
    "adds r1, r4\n adds r2, r4\n adds r3, r4\n rsbs r0, r4, #0\n"                                  \
    ".balign 4\n"                                                                                  \
    "1: ldrsb r4, [r1, r0]\n ldrsb r5, [r2, r0]\n"                                                 \
    "lsls r6, r5, #16\n adds r6, r4\n mov r7, r10\n muls r6, r7\n asrs r6, r6, #23\n"              \
    "mov r7, r8\n muls r4, r7\n adds r6, r4\n"                                                     \
    "mov r7, r9\n muls r5, r7\n adds r6, r5\n add r6, r11\n" dropped                               \
    "ldr r4, [sp, #0]\n asrs r6, r4\n asrs r4, r6, #31\n bics r6, r4\n"                            \
    "cmp r6, r12\n bhi 3f\n"                                                                       \
    "2: add r6, lr\n strb r6, [r3, r0]\n adds r0, #1\n bne 1b\n"                                   \
    "b 4f\n"                                                                                       \
    "3: mov r6, r12\n b 2b\n"                                                                      \
    "4: add sp, #12\n"

/* Below the middle a little is taken off, for halves that are rounded away from zero. */
#define TS_ADD_S8_V6M_DROP                                                                         \
    "ldr r4, [sp, #8]\n adds r4, r6\n asrs r4, r4, #31\n"                                          \
    "ldr r5, [sp, #4]\n lsls r4, r5\n adds r6, r4\n"

#define TS_ADD_S8_V6M_BODY(text)                                                                   \
    register const ts_add_s8_v6m_params *r0 __asm__("r0") = params;                                \
    register const int8_t *r1 __asm__("r1") = input1;                                              \
    register const int8_t *r2 __asm__("r2") = input2;                                              \
    register int8_t *r3 __asm__("r3") = output;                                                    \
    __asm__ volatile(text                                                                          \
                     : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)                                      \
                     :                                                                             \
                     : "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr", "memory",    \
                       "cc")

/** All elements, where nothing is dropped. */
static __attribute__((noinline)) void ts_add_s8_v6m_plain(const ts_add_s8_v6m_params *params,
                                                          const int8_t *input1,
                                                          const int8_t *input2, int8_t *output)
{
    TS_ADD_S8_V6M_BODY(TS_ADD_S8_V6M_TEXT(""));
}

/** All elements. */
static __attribute__((noinline)) void ts_add_s8_v6m_dropped(const ts_add_s8_v6m_params *params,
                                                            const int8_t *input1,
                                                            const int8_t *input2, int8_t *output)
{
    TS_ADD_S8_V6M_BODY(TS_ADD_S8_V6M_TEXT(TS_ADD_S8_V6M_DROP));
}

/**
 * @brief What ts_add_s8() computes of operands of one shape.
 * @param params numbers, a literal at the call so that the compiler specialises
 * @param[in] input1 int8 `[count]`
 * @param[in] input2 int8 `[count]`
 * @param[out] output int8 `[count]`; may be an operand
 */
static inline __attribute__((always_inline)) void ts_add_s8_v6m(const ts_add_s8_v6m_params *params,
                                                                const int8_t *input1,
                                                                const int8_t *input2,
                                                                int8_t *output)
{
    if (params->drop < 32) {
        ts_add_s8_v6m_dropped(params, input1, input2, output);
    } else {
        ts_add_s8_v6m_plain(params, input1, input2, output);
    }
}

#endif
