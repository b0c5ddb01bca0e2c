/**
 * @file
 * @brief int8 weights without their zeros: how they are multiplied, or listed.
 */
#ifndef TS_SPARSE_S8_H
#define TS_SPARSE_S8_H

#include <stdint.h>

#include "sparse.h"

/** Outputs that are summed up at a time, at most. */
#define TS_SPARSE_LANES_S8 8

/** A sum of products. */
typedef struct {
    const int8_t *input; /**< what non-zeros are multiplied by */
    uint32_t sum;        /**< modulo 2^32 */
} ts_sparse_sum_s8;

/** Add a product. */
static inline __attribute__((always_inline)) void ts_sparse_add_s8(void *sink, uint32_t position,
                                                                   const void *value)
{
    ts_sparse_sum_s8 *const to = sink;
    to->sum += (uint32_t)(*(const int8_t *)value * to->input[position]);
}

/** A list that grows, and where inputs lie: so many of a line are positions, then come others. */
typedef struct {
    uint32_t *next;
    uint32_t per_line; /**< 2^16 / positions of a line, rounded up: exact for all positions */
    uint32_t others;   /**< inputs of a line that are no positions */
} ts_sparse_list_s8;

/** List a non-zero as `offset << 16 | value`. */
static inline __attribute__((always_inline)) void ts_sparse_list_add_s8(void *sink,
                                                                        uint32_t position,
                                                                        const void *value)
{
    ts_sparse_list_s8 *const to = sink;
    const uint32_t line = position * to->per_line >> 16;
    const uint32_t offset = position + line * to->others;
    *to->next++ = offset << 16 | (uint16_t) * (const int8_t *)value;
}

#define TS_SPARSE_READER_S8(name)                                                                  \
    static TS_SPARSE_SHARED uint32_t ts_sparse_##name##_dot(ts_sparse *rest, int32_t count,        \
                                                            const int8_t *input, uint32_t sum)     \
    {                                                                                              \
        ts_sparse_sum_s8 to = {input, sum};                                                        \
        ts_sparse_##name(rest, count, 1, ts_sparse_add_s8, &to);                                   \
        return to.sum;                                                                             \
    }                                                                                              \
    static TS_SPARSE_SHARED void ts_sparse_##name##_list(ts_sparse *rest, int32_t count,           \
                                                         ts_sparse_list_s8 to)                     \
    {                                                                                              \
        ts_sparse_##name(rest, count, 1, ts_sparse_list_add_s8, &to);                              \
        *to.next = 0;                                                                              \
    }

TS_SPARSE_READER_S8(crs16)
TS_SPARSE_READER_S8(crs8)
TS_SPARSE_READER_S8(runs)
TS_SPARSE_READER_S8(bitmap)

/**
 * @brief `sum + sum over the next row of weight[position] * input[position]`, modulo 2^32.
 * @param encoding a literal
 * @param[in,out] rest advanced behind the row
 * @param count codes of the row, >= 0
 * @param[in] input int8 `[length]`
 * @param sum what to add to
 */
static inline __attribute__((always_inline)) uint32_t
ts_sparse_dot(int32_t encoding, ts_sparse *rest, int32_t count, const int8_t *input, uint32_t sum)
{
    return encoding == TS_SPARSE_CRS16  ? ts_sparse_crs16_dot(rest, count, input, sum)
           : encoding == TS_SPARSE_CRS8 ? ts_sparse_crs8_dot(rest, count, input, sum)
           : encoding == TS_SPARSE_RUNS ? ts_sparse_runs_dot(rest, count, input, sum)
                                        : ts_sparse_bitmap_dot(rest, count, input, sum);
}

/**
 * @brief List the next row's values as `offset << 16 | value`, and 0 behind them.
 *
 * No value is listed as 0: if it is itself, it is not the first position's.
 *
 * @param encoding a literal
 * @param[in,out] rest advanced behind the row
 * @param count codes of the row, >= 0
 * @param list has room for the row and one more
 */
static inline __attribute__((always_inline)) void ts_sparse_list(int32_t encoding, ts_sparse *rest,
                                                                 int32_t count,
                                                                 ts_sparse_list_s8 list)
{
    if (encoding == TS_SPARSE_CRS16) {
        ts_sparse_crs16_list(rest, count, list);
    } else if (encoding == TS_SPARSE_CRS8) {
        ts_sparse_crs8_list(rest, count, list);
    } else if (encoding == TS_SPARSE_RUNS) {
        ts_sparse_runs_list(rest, count, list);
    } else {
        ts_sparse_bitmap_list(rest, count, list);
    }
}

#if defined(__ARM_FEATURE_DSP)

/** A non-zero, in R3, for four sums: their inputs are in `x`; R1 is free. */
#define TS_SPARSE_FOUR(x, a, b, c, d)                                                              \
    "uxtb16 r1, " x "\n\tuxtb16 " x ", " x ", ror #8\n\t"                                          \
    "smlabb " a ", r3, r1, " a "\n\tsmlabt " c ", r3, r1, " c "\n\t"                               \
    "smlabb " b ", r3, " x ", " b "\n\tsmlabt " d ", r3, " x ", " d "\n\t"

/** R0 is at a list, R2 at windows, R3 at the sums; there are R1 lanes. 2.9 cycles a product. */
#define TS_SPARSE_SUMS                                                                             \
    "push {r3}\n\t"                                                                                \
    "ldr.w r4, [r3]\n\t"                                                                           \
    "ldr.w r3, [r0], #4\n\t"                                                                       \
    "mov.w r5, r4\n\tmov.w r6, r4\n\tmov.w r7, r4\n\tmov.w r8, r4\n\t"                             \
    "mov.w r9, r4\n\tmov.w r10, r4\n\tmov.w r11, r4\n\t"                                           \
    "cmp.w r3, #0\n\t"                                                                             \
    "beq.w 3f\n\t"                                                                                 \
    "cmp.w r1, #4\n\t"                                                                             \
    "ble.w 2f\n\t"                                                                                 \
    ".balign 4\n"                                                                                  \
    "1:\n\t"                                                                                       \
    "add.w r12, r2, r3, lsr #16\n\t"                                                               \
    "ldr.w lr, [r12]\n\t"                                                                          \
    "ldr.w r12, [r12, #4]\n\t" TS_SPARSE_FOUR("lr", "r4", "r5", "r6", "r7")                        \
    TS_SPARSE_FOUR("r12", "r8", "r9", "r10", "r11")                                                \
    "ldr.w r3, [r0], #4\n\t"                                                                       \
    "cmp.w r3, #0\n\t"                                                                             \
    "bne.w 1b\n\t"                                                                                 \
    "b.w 3f\n\t"                                                                                   \
    ".balign 4\n"                                                                                  \
    "2:\n\t"                                                                                       \
    "add.w r12, r2, r3, lsr #16\n\t"                                                               \
    "ldr.w r12, [r12]\n\t" TS_SPARSE_FOUR("r12", "r4", "r5", "r6", "r7")                           \
    "ldr.w r3, [r0], #4\n\t"                                                                       \
    "cmp.w r3, #0\n\t"                                                                             \
    "bne.w 2b\n"                                                                                   \
    "3:\n\t"                                                                                       \
    "pop {r3}\n\t"                                                                                 \
    "stmia.w r3, {r4-r11}\n\t"

#elif defined(__thumb__)

/** The value in R1 times the input at R2 and an offset. */
#define TS_SPARSE_ONE(offset, add)                                                                 \
    "ldrb r3, [r2, #" #offset "]\n\t"                                                              \
    "muls r3, r1, r3\n\t" add "\n\t"

/** A non-zero, in R1, for the first four sums. */
#define TS_SPARSE_FOUR                                                                             \
    "lsrs r2, r1, #16\n\t"                                                                         \
    "add r2, lr\n\t"                                                                               \
    "sxth r1, r1\n\t" TS_SPARSE_ONE(0, "adds r4, r4, r3") TS_SPARSE_ONE(1, "adds r5, r5, r3")      \
        TS_SPARSE_ONE(2, "adds r6, r6, r3") TS_SPARSE_ONE(3, "adds r7, r7, r3")

/** As above, for a core that has no more than Armv6-M: 5 cycles a product. */
#define TS_SPARSE_SUMS                                                                             \
    ".syntax unified\n\t"                                                                          \
    "push {r3}\n\t"                                                                                \
    "ldr r4, [r3]\n\t"                                                                             \
    "mov lr, r2\n\t"                                                                               \
    "movs r5, r4\n\tmovs r6, r4\n\tmovs r7, r4\n\t"                                                \
    "mov r8, r4\n\tmov r9, r4\n\tmov r10, r4\n\tmov r11, r4\n\t"                                   \
    "cmp r1, #4\n\t"                                                                               \
    "ldmia r0!, {r1}\n\t"                                                                          \
    "ble 4f\n\t"                                                                                   \
    "b 2f\n"                                                                                       \
    "1:\n\t" TS_SPARSE_FOUR TS_SPARSE_ONE(4, "add r8, r3") TS_SPARSE_ONE(5, "add r9, r3")          \
    TS_SPARSE_ONE(6, "add r10, r3") TS_SPARSE_ONE(7, "add r11, r3")                                \
    "ldmia r0!, {r1}\n"                                                                            \
    "2:\n\t"                                                                                       \
    "cmp r1, #0\n\t"                                                                               \
    "bne 1b\n\t"                                                                                   \
    "b 5f\n"                                                                                       \
    "3:\n\t" TS_SPARSE_FOUR                                                                        \
    "ldmia r0!, {r1}\n"                                                                            \
    "4:\n\t"                                                                                       \
    "cmp r1, #0\n\t"                                                                               \
    "bne 3b\n"                                                                                     \
    "5:\n\t"                                                                                       \
    "pop {r3}\n\t"                                                                                 \
    "stmia r3!, {r4-r7}\n\t"                                                                       \
    "mov r4, r8\n\tmov r5, r9\n\tmov r6, r10\n\tmov r7, r11\n\t"                                   \
    "stmia r3!, {r4-r7}\n\t"

#endif

/**
 * @brief Sum what each of several windows has of `weight * input`, modulo 2^32.
 * @param[in] list see ts_sparse_list()
 * @param[in] windows inputs: those of windows side by side lie side by side; there are
 *            TS_SPARSE_LANES_S8, whatever is in them
 * @param lanes windows that are wanted, [1, TS_SPARSE_LANES_S8]
 * @param[in,out] sums uint32 `[TS_SPARSE_LANES_S8]`: the first holds what all begin with
 */
static TS_SPARSE_SHARED void ts_sparse_sums_s8(const uint32_t *list, const uint8_t *windows,
                                               int32_t lanes, uint32_t *sums)
{
#ifdef TS_SPARSE_SUMS
    register const uint32_t *next __asm__("r0") = list;
    register int32_t count __asm__("r1") = lanes;
    register const uint8_t *inputs __asm__("r2") = windows;
    register uint32_t *to __asm__("r3") = sums;
    __asm__ volatile(TS_SPARSE_SUMS
                     : "+r"(next), "+r"(count), "+r"(inputs), "+r"(to)
                     :
                     : "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr", "memory",
                       "cc");
#else
    const uint32_t start = sums[0];
    for (int32_t i = 0; i < lanes; i++) {
        sums[i] = start;
        for (const uint32_t *entry = list; *entry != 0; entry++) {
            sums[i] += (uint32_t)((int16_t)*entry * windows[(*entry >> 16) + (uint32_t)i]);
        }
    }
#endif
}

#endif
