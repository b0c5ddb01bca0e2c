/**
 * @file
 * @brief Copying words in bursts: weights from slow flash to RAM.
 */
#ifndef TS_COPY_WORDS_H
#define TS_COPY_WORDS_H

#include <stddef.h>
#include <stdint.h>

/** As much as the core's registers take at once. */
typedef struct {
    uint32_t words[8]; /**< any */
} ts_burst;

/**
 * @brief Copy `count` words.
 * @param[out] to 4-byte aligned, not over `from`
 * @param[in] from 4-byte aligned
 * @param count >= 0
 */
static __attribute__((noinline, unused)) void ts_copy_words(void *to, const void *from,
                                                            int32_t count)
{
    uint8_t *target = to;
    const uint8_t *source = from;
    for (; count >= 8; count -= 8) {
        ts_burst burst;
        __builtin_memcpy(&burst, __builtin_assume_aligned(source, 4), sizeof burst);
        __builtin_memcpy(__builtin_assume_aligned(target, 4), &burst, sizeof burst);
        source += sizeof burst;
        target += sizeof burst;
    }
    for (; count > 0; count--) {
        uint32_t word;
        __builtin_memcpy(&word, __builtin_assume_aligned(source, 4), sizeof word);
        __builtin_memcpy(__builtin_assume_aligned(target, 4), &word, sizeof word);
        source += sizeof word;
        target += sizeof word;
    }
}

#endif
