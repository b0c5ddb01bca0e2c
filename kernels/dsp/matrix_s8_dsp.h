/**
 * @file
 * @brief A matrix of weights times two columns of int8: the hot loop of convolutions, in assembly.
 *
 * Columns hold 16-bit numbers, interleaved: of every four elements of both, four words are stored:
 * `[x0, x2]` of the first, `[x0, x2]` of the second, `[x1, x3]` of the first, of the second. So one
 * pointer reaches all that a step needs, and no element is widened once for each output channel.
 *
 * Weights come as one stream of words, in the order in which they are used; a group of four output
 * channels A, B, C, D is
 * - the biases of B and D, which sums begin with;
 * - for every two pairs of elements, `[k, k + 2]`, a word for A and B and one for C and D: in each
 *   half `256 * weight(A) + weight(B)`, a signed 16-bit number;
 * - bias, multiplier and power of A (see ts_requantize_short()), multiplier and power of B; and so
 *   for C and D;
 * - unless all shapes are whole (see below) a word: how far the output moves on behind the group.
 *
 * A half times an activation adds to both sums at once, `256 * A + B`; the low bytes, sign-extended,
 * give B alone, and the difference is `256 * A`. So only one instruction in seven widens weights,
 * where packed bytes want two in eight. It is exact while `256 * A`, without the bias, fits 32 bits:
 * known at compile time.
 *
 * All registers but the stack pointer are in use, which no compiler manages without spilling.
 */
#ifndef TS_MATRIX_S8_DSP_H
#define TS_MATRIX_S8_DSP_H

#include <stdint.h>

/** A worker of its own section of code, there only if it is called. */
#define TS_WORKER static __attribute__((naked, noinline, unused))

/* Assembly finds its arguments by their place. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"

/*
 * Two elements, four channels, two columns: 16 products. Loads that stand together are cheaper.
 * load: the mnemonic for the columns; x0, x1, w: where they lie, from r0, r0 and r1 on; next_...:
 * where those of the step that follows do.
 */
#define TS_MATRIX_STEP(load, x0, x1, w, next_x0, next_x1, next_w) \
    load " r2, [r0, #" x0 "]\n"      \
    load " r3, [r0, #" x1 "]\n"      \
    "ldr r4, [r1, #" w "]\n"         \
    "ldr r5, [r1, #" w " + 4]\n"     \
    "smlad r6, r4, r2, r6\n"         \
    "smlad r7, r4, r3, r7\n"         \
    "sxtb16 r4, r4\n"                \
    "smlad r10, r5, r2, r10\n"       \
    "smlad r11, r5, r3, r11\n"       \
    "sxtb16 r5, r5\n"                \
    "smlad r8, r4, r2, r8\n"         \
    "smlad r9, r4, r3, r9\n"         \
    "smlad r12, r5, r2, r12\n"       \
    "smlad lr, r5, r3, lr\n"

/*
 * The same for a core that starts two instructions in a cycle: with every product goes a load or a
 * widening, of the step that follows as soon as a register is free. One step is read beyond the end.
 */
#define TS_MATRIX_PAIRED_STEP(load, x0, x1, w, next_x0, next_x1, next_w) \
    "smlad r6, r4, r2, r6\n"         \
    "ldr r5, [r1, #" w " + 4]\n"     \
    "smlad r7, r4, r3, r7\n"         \
    "sxtb16 r4, r4\n"                \
    "smlad r10, r5, r2, r10\n"       \
    "smlad r11, r5, r3, r11\n"       \
    "sxtb16 r5, r5\n"                \
    "smlad r8, r4, r2, r8\n"         \
    "smlad r12, r5, r2, r12\n"       \
    load " r2, [r0, #" next_x0 "]\n" \
    "smlad r9, r4, r3, r9\n"         \
    "ldr r4, [r1, #" next_w "]\n"    \
    "smlad lr, r5, r3, lr\n"         \
    load " r3, [r0, #" next_x1 "]\n"

/* What a step wants loaded before the first. */
#define TS_MATRIX_FIRST(x1) ""
#define TS_MATRIX_PAIRED_FIRST(x1) \
    "ldr r2, [r0]\n"               \
    "ldr r4, [r1]\n"               \
    "ldr r3, [r0, #" x1 "]\n"

/* Four elements of interleaved columns, and sixteen. */
#define TS_MATRIX_4(step)                           \
    step("ldr", "0", "4", "0", "8", "12", "8")      \
    step("ldr", "8", "12", "8", "16", "20", "16")
#define TS_MATRIX_16(step)                          \
    TS_MATRIX_4(step)                               \
    step("ldr", "16", "20", "16", "24", "28", "24") \
    step("ldr", "24", "28", "24", "32", "36", "32") \
    step("ldr", "32", "36", "32", "40", "44", "40") \
    step("ldr", "40", "44", "40", "48", "52", "48") \
    step("ldr", "48", "52", "48", "56", "60", "56") \
    step("ldr", "56", "60", "56", "64", "68", "64")

/* The same with a word for each channel: for weights that do not fit two to a half. */
#define TS_MATRIX_WIDE_STEP(x_at, w_at) \
    "ldr r2, [r0, #" x_at "]\n"         \
    "ldr r3, [r0, #" x_at " + 4]\n"     \
    "ldr r4, [r1, #" w_at "]\n"         \
    "ldr r5, [r1, #" w_at " + 4]\n"     \
    "smlad r6, r4, r2, r6\n"            \
    "smlad r7, r4, r3, r7\n"            \
    "smlad r8, r5, r2, r8\n"            \
    "smlad r9, r5, r3, r9\n"            \
    "ldr r4, [r1, #" w_at " + 8]\n"     \
    "ldr r5, [r1, #" w_at " + 12]\n"    \
    "smlad r10, r4, r2, r10\n"          \
    "smlad r11, r4, r3, r11\n"          \
    "smlad r12, r5, r2, r12\n"          \
    "smlad lr, r5, r3, lr\n"

/* The arguments on the stack, behind what TS_MATRIX_BEGIN has pushed. */
#define TS_MATRIX_END_16 "[sp, #48]"
#define TS_MATRIX_END "[sp, #52]"
#define TS_MATRIX_STREAM_END "[sp, #56]"
#define TS_MATRIX_OFFSET "[sp, #60]"

#define TS_MATRIX_BEGIN                  \
    ".syntax unified\n"                  \
    "push {r0, r2-r11, lr}\n"            \
    ".balign 4\n"                        \
    "1:\n"                               \
    "ldmia r1!, {r8, r12}\n"             \
    "mov r6, r8\n"                       \
    "mov r7, r8\n"                       \
    "mov r9, r8\n"                       \
    "mov r10, r12\n"                     \
    "mov r11, r12\n"                     \
    "mov lr, r12\n"

/* Sixteen elements at a time up to the first end. */
#define TS_MATRIX_BY_16(first, step)        \
    first                                   \
    ".balign 4\n"                           \
    "2:\n"                                  \
    TS_MATRIX_16(step)                      \
    "ldr r5, " TS_MATRIX_END_16 "\n"        \
    "adds r0, #64\n"                        \
    "adds r1, #64\n"                        \
    "cmp r0, r5\n"                          \
    "bne.w 2b\n"

/* The same, and then four elements at a time up to the second end. */
#define TS_MATRIX_BY_16_AND_4(first, step)  \
    first                                   \
    "ldr r5, " TS_MATRIX_END_16 "\n"        \
    "cmp r0, r5\n"                          \
    "beq.w 5f\n"                            \
    TS_MATRIX_BY_16("", step)               \
    "5:\n"                                  \
    "ldr r5, " TS_MATRIX_END "\n"           \
    "cmp r0, r5\n"                          \
    "beq.w 4f\n"                            \
    ".balign 4\n"                           \
    "3:\n"                                  \
    TS_MATRIX_4(step)                       \
    "ldr r5, " TS_MATRIX_END "\n"           \
    "adds r0, #16\n"                        \
    "adds r1, #16\n"                        \
    "cmp r0, r5\n"                          \
    "bne 3b\n"                              \
    "4:\n"

#define TS_MATRIX_WIDE_BY_4               \
    "ldr r6, [r1], #4\n"                  \
    "mov r7, r6\n"                        \
    "ldr r10, [r1], #4\n"                 \
    "mov r11, r10\n"                      \
    ".balign 4\n"                         \
    "3:\n"                                \
    TS_MATRIX_WIDE_STEP("0", "0")         \
    TS_MATRIX_WIDE_STEP("8", "16")        \
    "ldr r2, " TS_MATRIX_END "\n"         \
    "adds r0, #16\n"                      \
    "adds r1, #32\n"                      \
    "cmp r0, r2\n"                        \
    "bne 3b\n"

/* Two channels that a sum holds, apart; the bias of the first, in r2, comes on now. */
#define TS_MATRIX_SPLIT(a0, a1, b0, b1)   \
    "sub " a0 ", " a0 ", " b0 "\n"        \
    "sub " a1 ", " a1 ", " b1 "\n"        \
    "add " a0 ", r2, " a0 ", asr #8\n"    \
    "add " a1 ", r2, " a1 ", asr #8\n"

/* Two channels of both columns: sums that hold both in, outputs out. */
#define TS_MATRIX_SCALE(a0, a1, b0, b1, sign) \
    "ldmia r1!, {r2-r5}\n"                    \
    TS_MATRIX_SPLIT(a0, a1, b0, b1)           \
    "smmlar " a0 ", " a0 ", r3, " a0 "\n"     \
    "smmlar " a1 ", " a1 ", r3, " a1 "\n"     \
    "ldr r2, [r1], #4\n"                      \
    "smmlar " b0 ", " b0 ", r5, " b0 "\n"     \
    "smmlar " b1 ", " b1 ", r5, " b1 "\n"     \
    sign(a0) sign(a1) sign(b0) sign(b1)       \
    "smmlar " a0 ", " a0 ", r4, r0\n"         \
    "smmlar " a1 ", " a1 ", r4, r0\n"         \
    "smmlar " b0 ", " b0 ", r2, r0\n"         \
    "smmlar " b1 ", " b1 ", r2, r0\n"         \
    "ssat " a0 ", #8, " a0 "\n"               \
    "ssat " a1 ", #8, " a1 "\n"               \
    "ssat " b0 ", #8, " b0 "\n"               \
    "ssat " b1 ", #8, " b1 "\n"

/* Rounding negative numbers away from zero; not needed where they are clamped anyway. */
#define TS_MATRIX_SIGN(x) "add " x ", " x ", " x ", asr #31\n"
#define TS_MATRIX_NO_SIGN(x) ""

#define TS_MATRIX_SCALE_ALL(sign)                     \
    "ldr r0, " TS_MATRIX_OFFSET "\n"                  \
    TS_MATRIX_SCALE("r6", "r7", "r8", "r9", sign)     \
    TS_MATRIX_SCALE("r10", "r11", "r12", "lr", sign)  \
    "ldrd r2, r3, [sp, #4]\n"

#define TS_MATRIX_STORE_4      \
    "strb r6, [r2], #4\n"      \
    "strb r7, [r3], #4\n"      \
    "strb r8, [r2, #-3]\n"     \
    "strb r9, [r3, #-3]\n"     \
    "strb r10, [r2, #-2]\n"    \
    "strb r11, [r3, #-2]\n"    \
    "strb r12, [r2, #-1]\n"    \
    "strb lr, [r3, #-1]\n"

#define TS_MATRIX_STORE_ANY  \
    "ldr r4, [r1], #4\n"     \
    "strb r6, [r2]\n"        \
    "strb r7, [r3]\n"        \
    "strb r8, [r2, #1]\n"    \
    "strb r9, [r3, #1]\n"    \
    "strb r10, [r2, #2]\n"   \
    "strb r11, [r3, #2]\n"   \
    "strb r12, [r2, #3]\n"   \
    "strb lr, [r3, #3]\n"    \
    "add r2, r4\n"           \
    "add r3, r4\n"

#define TS_MATRIX_CLAMP(x)    \
    "cmp " x ", r4\n"         \
    "it lt\n"                 \
    "movlt " x ", r4\n"       \
    "cmp " x ", r5\n"         \
    "it gt\n"                 \
    "movgt " x ", r5\n"

/* Limits other than those of a byte, behind the offset on the stack. */
#define TS_MATRIX_CLAMP_ALL                    \
    "ldr r4, [sp, #64]\n"                      \
    "ldr r5, [sp, #68]\n"                      \
    TS_MATRIX_CLAMP("r6") TS_MATRIX_CLAMP("r7") \
    TS_MATRIX_CLAMP("r8") TS_MATRIX_CLAMP("r9") \
    TS_MATRIX_CLAMP("r10") TS_MATRIX_CLAMP("r11") \
    TS_MATRIX_CLAMP("r12") TS_MATRIX_CLAMP("lr")

/* Sums as they are, four words a group and column, to be scaled by the caller. */
#define TS_MATRIX_STORE_SUMS         \
    "ldrd r2, r3, [sp, #4]\n"        \
    "stmia r2!, {r6, r8, r10, r12}\n" \
    "str r7, [r3], #16\n"            \
    "str r9, [r3, #-12]\n"           \
    "str r11, [r3, #-8]\n"           \
    "str lr, [r3, #-4]\n"

#define TS_MATRIX_RETURN              \
    "strd r2, r3, [sp, #4]\n"         \
    "ldr r0, [sp]\n"                  \
    "ldr r2, " TS_MATRIX_STREAM_END "\n" \
    "cmp r1, r2\n"                    \
    "bne.w 1b\n"                      \
    "add sp, #12\n"                   \
    "pop {r4-r11, pc}\n"

/*
 * The workers.
 *
 * `whole` ones want multiples of 16 elements and of 4 channels; `any` ones multiples of 4 elements
 * (padded with weights of 0) and 4 channels or more: a last group that is not full computes channels
 * of the one before again. `relu` ones may clamp what is below the zero point. `sums` ones store
 * sums of 32 bits, whose streams have neither multipliers nor moves, and whose last group may be
 * padded; for `wide` ones a word `[k, k + 2]` of weights belongs to one channel, and all four biases
 * come first (of B, D, A, C). `paired` ones are for cores that start two instructions in a cycle;
 * they read, and do not use, 8 bytes behind the end of `columns`.
 *
 * columns: 4-byte aligned; stream: see above; output0, output1: the two pixels, which may be the
 * same; end_16, end: where the elements end in `columns`; stream_end: where the stream does;
 * offset: the output's zero point.
 */
#define TS_MATRIX_WORKER(name, type, loops, rest)                                             \
    TS_WORKER void name(const uint32_t *columns, const int32_t *stream, type *output0,        \
                        type *output1, const uint32_t *end_16, const uint32_t *end,           \
                        const int32_t *stream_end, int32_t offset, int32_t least, int32_t most) \
    {                                                                                         \
        __asm__ volatile(TS_MATRIX_BEGIN loops rest TS_MATRIX_RETURN);                        \
    }

#define TS_MATRIX_SCALE_SUMS                                  \
    "ldr r2, [r1], #4\n"                                      \
    TS_MATRIX_SPLIT("r6", "r7", "r8", "r9")                   \
    "ldr r2, [r1], #4\n"                                      \
    TS_MATRIX_SPLIT("r10", "r11", "r12", "lr")                \
    TS_MATRIX_STORE_SUMS

/* All workers for a kind of core: how a step is done, and what must be loaded before the first. */
#define TS_MATRIX_WORKERS(core, first, step)                                                   \
    TS_MATRIX_WORKER(ts_matrix_whole##core, int8_t, TS_MATRIX_BY_16(first, step),              \
                     TS_MATRIX_SCALE_ALL(TS_MATRIX_SIGN) TS_MATRIX_STORE_4)                    \
    TS_MATRIX_WORKER(ts_matrix_whole_relu##core, int8_t, TS_MATRIX_BY_16(first, step),         \
                     TS_MATRIX_SCALE_ALL(TS_MATRIX_NO_SIGN) TS_MATRIX_STORE_4)                 \
    TS_MATRIX_WORKER(ts_matrix_any##core, int8_t, TS_MATRIX_BY_16_AND_4(first, step),          \
                     TS_MATRIX_SCALE_ALL(TS_MATRIX_SIGN) TS_MATRIX_STORE_ANY)                  \
    TS_MATRIX_WORKER(ts_matrix_any_relu##core, int8_t, TS_MATRIX_BY_16_AND_4(first, step),     \
                     TS_MATRIX_SCALE_ALL(TS_MATRIX_NO_SIGN) TS_MATRIX_STORE_ANY)               \
    TS_MATRIX_WORKER(ts_matrix_clamp##core, int8_t, TS_MATRIX_BY_16_AND_4(first, step),        \
                     TS_MATRIX_SCALE_ALL(TS_MATRIX_SIGN) TS_MATRIX_CLAMP_ALL TS_MATRIX_STORE_ANY) \
    TS_MATRIX_WORKER(ts_matrix_sums##core, int32_t, TS_MATRIX_BY_16_AND_4(first, step),        \
                     TS_MATRIX_SCALE_SUMS)

TS_MATRIX_WORKERS(, TS_MATRIX_FIRST("4"), TS_MATRIX_STEP)
TS_MATRIX_WORKERS(_paired, TS_MATRIX_PAIRED_FIRST("4"), TS_MATRIX_PAIRED_STEP)
TS_MATRIX_WORKER(ts_matrix_wide_sums, int32_t, TS_MATRIX_WIDE_BY_4, TS_MATRIX_STORE_SUMS)

/**
 * Widen two windows of `rows` runs of `words` words each into columns: 16 bytes a word. A run begins
 * `stride` bytes behind the end of the one before; none needs to be aligned. rows, words > 0.
 */
TS_WORKER void ts_widen_pair(const int8_t *run0, const int8_t *run1, uint32_t *columns,
                             int32_t words, int32_t rows, int32_t stride)
{
    __asm__ volatile(".syntax unified\n"
                     "push {r3-r11, lr}\n"
                     "1:\n"
                     "subs r3, #2\n"
                     "blt 3f\n"
                     ".balign 4\n"
                     "2:\n"
                     "ldr r4, [r0], #4\n"
                     "ldr r5, [r0], #4\n"
                     "ldr r6, [r1], #4\n"
                     "ldr r7, [r1], #4\n"
                     "sxtb16 r8, r4\n"
                     "sxtb16 r9, r6\n"
                     "sxtb16 r10, r4, ror #8\n"
                     "sxtb16 r11, r6, ror #8\n"
                     "sxtb16 r12, r5\n"
                     "sxtb16 lr, r7\n"
                     "sxtb16 r4, r5, ror #8\n"
                     "sxtb16 r5, r7, ror #8\n"
                     "stmia r2!, {r8-r12, lr}\n"
                     "stmia r2!, {r4, r5}\n"
                     "subs r3, #2\n"
                     "bge 2b\n"
                     "3:\n"
                     "adds r3, #1\n"
                     "bne 4f\n"
                     "ldr r4, [r0], #4\n"
                     "ldr r6, [r1], #4\n"
                     "sxtb16 r8, r4\n"
                     "sxtb16 r9, r6\n"
                     "sxtb16 r10, r4, ror #8\n"
                     "sxtb16 r11, r6, ror #8\n"
                     "stmia r2!, {r8-r11}\n"
                     "4:\n"
                     "ldr r4, [sp, #40]\n" /* rows */
                     "ldr r5, [sp, #44]\n" /* stride */
                     "ldr r3, [sp]\n"
                     "subs r4, #1\n"
                     "str r4, [sp, #40]\n"
                     "add r0, r5\n"
                     "add r1, r5\n"
                     "bne 1b\n"
                     "pop {r3-r11, pc}\n");
}

#pragma GCC diagnostic pop

#endif
