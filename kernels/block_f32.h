/**
 * @file
 * @brief Sums of products of floats in block floating point, for cores without an FPU.
 *
 * Up to 64 inputs in a row are a block: integers of 24 bits with one exponent, that of the largest.
 * So are, at compile time, their weights of each output. The integers are split, as
 * `4096 * high + low`, and of the products
 *
 *     4096 * 4096 * (high * high) + 4096 * (high * low + low * high) + low * low
 *
 * the last is left out: it is less than what rounding to 24 bits leaves. 64 of the others fit 32
 * bits. The sums of blocks are added as floats. All this is about as exact as adding floats one by
 * one, from some dozen on more exact, and ten times as fast as the compiler's library on Armv6-M.
 *
 * Inputs of zero are left out. Inputs below 2^-126 count as zero, and so do sums of a block.
 *
 * The weights of a block are: for each two outputs a word with the exponent of the first (low half)
 * and of the second, and for each input the words of both; for an odd output at the end the
 * exponent and a word for each input. A word has `low` in its low half.
 */
#ifndef TS_BLOCK_F32_H
#define TS_BLOCK_F32_H

#include <stddef.h>
#include <stdint.h>

#include "float.h"

/** A function of its own section of code, there only if it is called. */
#define TS_BLOCK_SHARED static __attribute__((noinline, unused))

/** Inputs of a block; more would not fit the sums. */
#define TS_BLOCK_LENGTH 64

/** An input that is not zero. */
typedef struct {
    uint32_t offset; /**< bytes from the exponents of two outputs to their weights for it */
    int32_t number;  /**< its bits; then `high` and `low` as in a word of weights */
} ts_block_entry;

/** The inputs of one row of outputs: entries of a block, and what their products are added to. */
typedef struct {
    ts_block_entry *first;
    ts_block_entry *next; /**< behind the last entry */
    uint32_t largest;     /**< bits of the largest entry, the sign shifted out */
    float *sums;
} ts_block_list;

/** What inputs meet. */
typedef struct {
    const int32_t *weights; /**< see above */
    const int8_t *scales;   /**< `[length]`: exponents to be added to those of inputs; or NULL */
    int32_t length;         /**< inputs, > 0 */
    int32_t outputs;        /**< > 0 */
    ts_block_list *lists;   /**< rows that are computed together, to read weights once */
    int32_t rows;           /**< > 0 */
} ts_block;

/** Sums of products of a block, in the order in which the assembly wants them. */
typedef struct {
    int32_t outputs;   /**< 0: 1 or 2; what stands for a second one is anything if there is none */
    int32_t high[2];   /**< 4: of high halves */
    int32_t middle[2]; /**< 12: of high with low halves, both ways */
} ts_block_sums;

#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 1

/* An input times one weight: 9 cycles. r2 and r3 are halves of the input. */
#define TS_BLOCK_TIMES(weight, high, middle)                                                       \
    "sxth r6, " weight "\n\t"                                                                      \
    "asrs " weight ", " weight ", #16\n\t"                                                         \
    "muls r6, r2\n\t"                                                                              \
    "add " middle ", r6\n\t"                                                                       \
    "movs r6, " weight "\n\t"                                                                      \
    "muls r6, r3\n\t"                                                                              \
    "add " middle ", r6\n\t"                                                                       \
    "muls " weight ", r2\n\t"                                                                      \
    "add " high ", " weight "\n\t"

/* An input times two weights: 27 cycles. */
#define TS_BLOCK_TIMES_TWO                                                                         \
    "ldm r0!, {r1, r2}\n\t"                                                                        \
    "adds r1, r1, r7\n\t"                                                                          \
    "ldm r1!, {r4, r5}\n\t"                                                                        \
    "sxth r3, r2\n\t"                                                                              \
    "asrs r2, r2, #16\n\t"                                                                         \
    TS_BLOCK_TIMES("r4", "r8", "r10") TS_BLOCK_TIMES("r5", "r9", "r11")

/**
 * @brief Sum up a block for two outputs, or for one.
 * @param[in] entry the first
 * @param[in] end behind the last one
 * @param[in] weights exponents of the outputs
 * @param[in,out] sums their number in, sums out
 */
TS_BLOCK_SHARED void ts_block_sum(const ts_block_entry *entry, const ts_block_entry *end,
                                  const int32_t *weights, ts_block_sums *sums)
{
    register const ts_block_entry *r0 __asm__("r0") = entry;
    register const ts_block_entry *r1 __asm__("r1") = end;
    register const int32_t *r2 __asm__("r2") = weights;
    register ts_block_sums *r3 __asm__("r3") = sums;
    /* r7 are the weights; r12 is the end, lr the sums; of two outputs r8 and r9 are high sums. */
    __asm__ volatile(
        ".syntax unified\n\t"
        "mov r12, r1\n\t"
        "mov lr, r3\n\t"
        "movs r7, r2\n\t"
        "ldr r4, [r3]\n\t"
        "movs r2, #0\n\t"
        "mov r8, r2\n\t"
        "mov r9, r2\n\t"
        "mov r10, r2\n\t"
        "mov r11, r2\n\t"
        "cmp r4, #1\n\t"
        "beq 3f\n\t"
        "subs r1, r1, r0\n\t"
        "lsls r1, r1, #28\n\t" /* an entry has 8 bytes */
        "bmi 2f\n"
        "1:\n\t" TS_BLOCK_TIMES_TWO
        "2:\n\t" TS_BLOCK_TIMES_TWO
        "cmp r0, r12\n\t"
        "bne 1b\n\t"
        "b 4f\n"
        "3:\n\t"
        "adds r7, #2\n" /* weights lie half as far from their exponent, less what that takes */
        "5:\n\t"
        "ldm r0!, {r1, r2}\n\t"
        "lsrs r1, r1, #1\n\t"
        "ldr r4, [r1, r7]\n\t"
        "sxth r3, r2\n\t"
        "asrs r2, r2, #16\n\t" TS_BLOCK_TIMES("r4", "r8", "r10")
        "cmp r0, r12\n\t"
        "bne 5b\n"
        "4:\n\t"
        "mov r0, lr\n\t"
        "adds r0, #4\n\t"
        "mov r1, r8\n\t"
        "mov r2, r9\n\t"
        "mov r3, r10\n\t"
        "mov r4, r11\n\t"
        "stm r0!, {r1, r2, r3, r4}\n\t"
        : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)
        :
        : "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr", "memory", "cc");
}

#else

/** The same in C: with more registers and longer instructions the compiler does as well. */
TS_BLOCK_SHARED void ts_block_sum(const ts_block_entry *entry, const ts_block_entry *end,
                                  const int32_t *weights, ts_block_sums *sums)
{
    const int32_t is_odd = sums->outputs == 1;
    ts_block_sums found = {sums->outputs, {0, 0}, {0, 0}};
    for (; is_odd && entry != end; entry++) {
        const int32_t high = entry->number >> 16;
        const int32_t word = weights[(entry->offset + 4) / 8];
        found.high[0] += high * (word >> 16);
        found.middle[0] += high * (int16_t)word;
        found.middle[0] += (int16_t)entry->number * (word >> 16);
    }
    for (; entry != end; entry++) {
        const int32_t high = entry->number >> 16;
        const int32_t low = (int16_t)entry->number;
        const int32_t *const words = weights + entry->offset / 4;
        found.high[0] += high * (words[0] >> 16);
        found.middle[0] += high * (int16_t)words[0];
        found.middle[0] += low * (words[0] >> 16);
        found.high[1] += high * (words[1] >> 16);
        found.middle[1] += high * (int16_t)words[1];
        found.middle[1] += low * (words[1] >> 16);
    }
    *sums = found;
}

#endif

/** Shift a number that is not zero until its leading bit is the highest; count in `exponent`. */
static inline uint32_t ts_block_shifted(uint32_t size, int32_t *exponent)
{
    int32_t shifts = 0;
    if (size >> 16 == 0) {
        size <<= 16;
        shifts += 16;
    }
    if (size >> 24 == 0) {
        size <<= 8;
        shifts += 8;
    }
    if (size >> 28 == 0) {
        size <<= 4;
        shifts += 4;
    }
    if (size >> 30 == 0) {
        size <<= 2;
        shifts += 2;
    }
    if (size >> 31 == 0) {
        size <<= 1;
        shifts += 1;
    }
    *exponent -= shifts;
    return size;
}

/**
 * @brief `sum + (4096 * high + middle) * 2^exponent`.
 *
 * Both are integers of 30 bits here, that of the smaller exponent shifted; so is no call needed.
 *
 * @param sum any; as zero if below 2^-126
 * @param high [-2^30, 2^30]
 * @param middle [-2^30, 2^30]
 * @param exponent any
 * @return infinite from 2^128 on, 0 below 2^-126
 */
TS_BLOCK_SHARED float ts_block_add(float sum, int32_t high, int32_t middle, int32_t exponent)
{
    const ts_float_bits given = {.value = sum};
    const int32_t own = (int32_t)(given.bits << 1 >> 24);
    const int64_t total = (int64_t)high * 4096 + middle;
    if (own == 255 || total == 0) {
        return sum;
    }
    const int64_t size = total < 0 ? -total : total;
    /* At least 26 bits are kept of what does not fit 32. */
    const uint32_t above = (uint32_t)(size >> 32);
    const int32_t shift = above == 0 ? 0 : above < 64 ? 6 : 12;
    exponent += shift + 127 + 31;
    int32_t part = (int32_t)(ts_block_shifted((uint32_t)(size >> shift), &exponent) >> 2);
    part = total < 0 ? -part : part;
    if (own > 0) {
        const uint32_t digits = (given.bits << 6 & 0x3FFFFFFF) | 0x20000000;
        const int32_t other = given.bits >> 31 ? -(int32_t)digits : (int32_t)digits;
        const int32_t apart = exponent - own;
        if (apart >= 0) {
            part += other >> (apart < 31 ? apart : 31);
        } else {
            part = other + (part >> (apart > -31 ? -apart : 31));
            exponent = own;
        }
    }
    if (part == 0) {
        return 0.0F;
    }
    ts_float_bits found = {.bits = part < 0 ? UINT32_C(0x80000000) : 0};
    exponent += 2;
    uint32_t digits = (uint32_t)(part < 0 ? -part : part);
    digits = ts_block_shifted(digits, &exponent);
    if (exponent >= 255) {
        found.bits |= UINT32_C(0x7F800000);
    } else if (exponent > 0) { /* the leading bit adds one */
        found.bits |= ((uint32_t)(exponent - 1) << 23) + (digits >> 8) + (digits >> 7 & 1);
    }
    return found.value;
}

/** Add to two sums, or one, a block with an input that is infinite or no number: as floats. */
TS_BLOCK_SHARED void ts_block_add_infinite(const ts_block_list *list, const int32_t *weights,
                                           int32_t outputs, float *sums)
{
    for (int32_t i = 0; i < outputs; i++) {
        const int32_t exponent = i == 0 ? (int16_t)weights[0] : weights[0] >> 16;
        for (const ts_block_entry *entry = list->first; entry != list->next; entry++) {
            const ts_float_bits input = {.bits = (uint32_t)entry->number};
            const int32_t word = weights[1 + ((int32_t)entry->offset / 4 - 1) * outputs / 2 + i];
            sums[i] += ts_block_add(0.0F, word >> 16, (int16_t)word, exponent) * input.value;
        }
    }
}

/**
 * @brief Make an input's bits `high` and `low`.
 * @param number the bits
 * @param top the exponent of the block
 */
static inline int32_t ts_block_fixed(int32_t number, int32_t top)
{
    const uint32_t bits = (uint32_t)number;
    const int32_t shift = top - (int32_t)(bits << 1 >> 24);
    if (shift > 24) {
        return 0;
    }
    const int32_t size = (int32_t)((((bits << 8 | 0x80000000) >> (shift + 7)) + 1) >> 1);
    const int32_t value = (number < 0 ? -size : size) + 2048;
    return (int32_t)((uint32_t)(value >> 12) << 16 | (uint32_t)((value & 0xFFF) - 2048) % 65536);
}

/** Bring the numbers of all entries to the exponent of the largest, unless it is infinite. */
TS_BLOCK_SHARED void ts_block_fix(const ts_block_list *list)
{
    const int32_t top = (int32_t)(list->largest >> 24);
    for (ts_block_entry *entry = list->first; top < 255 && entry != list->next; entry++) {
        entry->number = ts_block_fixed(entry->number, top);
    }
}

/** Add to two sums of a row, or to the odd one, what a block of it makes. */
TS_BLOCK_SHARED void ts_block_add_block(const ts_block_list *list, const int32_t *weights,
                                        int32_t outputs, float *sums)
{
    const int32_t top = (int32_t)(list->largest >> 24);
    if (list->next == list->first) {
        return;
    }
    if (top == 255) {
        ts_block_add_infinite(list, weights, outputs, sums);
        return;
    }
    ts_block_sums found = {outputs, {0, 0}, {0, 0}};
    ts_block_sum(list->first, list->next, weights, &found);
    /* Digits of a float mean 2^(top - 127 - 23); the sums lack a factor of 4096. */
    const int32_t exponent = top - 127 - 23 + 12;
    const int32_t exponents = weights[0];
    sums[0] =
        ts_block_add(sums[0], found.high[0], found.middle[0], exponent + (int16_t)exponents);
    if (outputs > 1) {
        sums[1] =
            ts_block_add(sums[1], found.high[1], found.middle[1], exponent + (exponents >> 16));
    }
}

/** Multiply what the lists hold of the block that begins with input `start`, and empty them. */
TS_BLOCK_SHARED void ts_block_flush(const ts_block *block, int32_t start)
{
    const int32_t rest = block->length - start;
    const int32_t inputs = rest < TS_BLOCK_LENGTH ? rest : TS_BLOCK_LENGTH;
    const int32_t *weights = block->weights + block->outputs * start +
                             (block->outputs + 1) / 2 * (start / TS_BLOCK_LENGTH);
    for (int32_t r = 0; r < block->rows; r++) {
        ts_block_fix(&block->lists[r]);
    }
    for (int32_t o = 0; o < block->outputs; o += 2) {
        const int32_t outputs = block->outputs - o == 1 ? 1 : 2;
        for (int32_t r = 0; r < block->rows; r++) {
            ts_block_add_block(&block->lists[r], weights, outputs, block->lists[r].sums + o);
        }
        weights += 1 + outputs * inputs;
    }
    for (int32_t r = 0; r < block->rows; r++) {
        block->lists[r].next = block->lists[r].first;
        block->lists[r].largest = 0;
    }
}

/**
 * @brief Let inputs wait that are not zero.
 * @param list where
 * @param[in] input `[count]`
 * @param[in] scales exponents to be added to theirs, `[count]`; or NULL
 * @param count any
 * @param at place of the first one in its block
 */
TS_BLOCK_SHARED void ts_block_put(ts_block_list *list, const float *input, const int8_t *scales,
                                  int32_t count, int32_t at)
{
    ts_block_entry *next = list->next;
    uint32_t largest = list->largest;
    uint32_t offset = 4 + 8 * (uint32_t)at;
    for (const float *const end = input + count; input < end; input++, offset += 8) {
        ts_float_bits number = {.value = *input};
        if (scales) {
            const int32_t exponent = (int32_t)(number.bits << 1 >> 24);
            const int32_t scale = *scales++;
            if (exponent < 255) {
                number.bits = exponent + scale <= 0 ? 0 : number.bits + ((uint32_t)scale << 23);
            }
        }
        const uint32_t size = number.bits << 1;
        if (size >> 24 != 0) {
            largest = size > largest ? size : largest;
            next->offset = offset;
            next->number = (int32_t)number.bits;
            next++;
        }
    }
    list->next = next;
    list->largest = largest;
}

/** Return a float's bits as an integer that is in order with others. */
static inline int32_t ts_block_order(float number)
{
    const ts_float_bits x = {.value = number};
    return (int32_t)(x.bits >> 31 ? x.bits ^ 0x7FFFFFFF : x.bits);
}

/** Write sums, limited to [low, high], to outputs; NaN stays. */
TS_BLOCK_SHARED void ts_block_write(const float *sums, int32_t count, float low, float high,
                                    float *output)
{
    const int32_t least = ts_block_order(low);
    const int32_t most = ts_block_order(high);
    for (const float *const end = sums + count; sums != end; sums++) {
        const ts_float_bits sum = {.value = *sums};
        const int32_t place = ts_block_order(sum.value);
        const int32_t is_number = sum.bits << 1 <= UINT32_C(0xFF000000);
        *output++ = is_number && place < least ? low : is_number && place > most ? high : sum.value;
    }
}

#endif
