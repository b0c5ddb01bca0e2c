/** @file
 * Line buffers, prefetch buffers and caches: one thing here, lines of words, some of them present.
 */
#ifndef TINYSIM_CACHE_H
#define TINYSIM_CACHE_H

#include "tracer.h"

enum { HINTS = 64 };

/** Words that are present of the line with a tag. */
typedef struct {
    uint32_t tag;
    uint32_t words;
    uint64_t used_at;
} ts_line;

/** A cache, or a buffer: a cache of one set. */
typedef struct {
    uint32_t line_shift;
    uint32_t word_shift; /**< what memory delivers at a time */
    uint32_t sets;       /**< power of two */
    uint32_t ways;
    uint32_t fills_line;       /**< a miss brings the line, not only the word */
    uint32_t prefetches;       /**< fetches read the next word ahead */
    uint32_t fetch_only;       /**< no data comes through here */
    uint32_t next_word;        /**< that is being read ahead */
    uint64_t next_ready;       /**< when it is there, in thousandths of a cycle */
    uint64_t clock;
    ts_line *lines;         /**< sets * ways */
    ts_line *hints[HINTS]; /**< where lines were found last, by tag */
} ts_cache;

/** Words of memory in a row, by number. */
typedef struct {
    uint32_t first;
    uint32_t last;
} ts_words;

/** Search the set of a tag for its line, or else empty the one used longest ago for it. */
NOINLINE static ts_line *search(ts_cache *cache, uint32_t tag)
{
    ts_line *const set = &cache->lines[(tag & (cache->sets - 1)) * cache->ways];
    ts_line *oldest = set;
    for (uint32_t way = 0; way < cache->ways; way++) {
        if (set[way].words && set[way].tag == tag) {
            return &set[way];
        }
        if (set[way].used_at < oldest->used_at) {
            oldest = &set[way];
        }
    }
    oldest->tag = tag;
    oldest->words = 0;
    return oldest;
}

/** Return the line that a word is in, or can be put in. */
static inline ts_line *line_of(ts_cache *cache, uint32_t word)
{
    const uint32_t tag = word >> (cache->line_shift - cache->word_shift);
    ts_line **const hint = &cache->hints[tag & (HINTS - 1)];
    if (!*hint || (*hint)->tag != tag) {
        *hint = search(cache, tag);
    }
    (*hint)->used_at = ++cache->clock;
    return *hint;
}

/** Return whether a word is present in its line. It is afterwards. */
static inline int take(const ts_cache *cache, ts_line *line, uint32_t word)
{
    const uint32_t bit = 1U << (word & ((1U << (cache->line_shift - cache->word_shift)) - 1));
    if (line->words & bit) {
        return 1;
    }
    line->words = cache->fills_line ? UINT32_MAX : line->words | bit;
    return 0;
}

/**
 * Return the words of a line that are present in a row around one of them. In a cache for fetches
 * alone nothing changes as long as fetches stay in there: the line is the one used last.
 */
static ts_words present_around(const ts_cache *cache, const ts_line *line, uint32_t word)
{
    const uint32_t count = 1U << (cache->line_shift - cache->word_shift);
    const uint32_t position = word & (count - 1);
    const uint64_t present = line->words & (UINT32_MAX >> (32 - count));
    const uint32_t from_here = (uint32_t)__builtin_ctzll(~(present >> position));
    const uint32_t to_here = (uint32_t)__builtin_clzll(~(present << (63 - position)));
    return (ts_words){word - to_here + 1, word + from_here - 1};
}

#endif
