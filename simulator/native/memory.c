/** @file
 * The memory system: what instruction fetches and data accesses wait for.
 *
 * Called by the emulator before every instruction. Addresses of data come from registers and from
 * what the host has decoded of the instruction, once, when it is first executed. Words of memory
 * that a fetch or a load needs are looked up in caches and buffers; what is not there costs time,
 * which is added to the open run of the tracer.
 *
 * Line buffers, prefetch buffers and caches are one thing here: lines of words, some of them
 * present. tinysim/simulator/native_memory.py is the other side.
 */
#include "tracer.h"

#include <stdlib.h>
#include <string.h>

enum { HINTS = 64, AREAS_MAX = 16, CACHES_MAX = 8, NO_REGISTER = 0xFF, NO_CACHE = 0xFF };
enum { PAGE_SHIFT = 12, PAGES = 1 << (32 - PAGE_SHIFT), PAGE_HALVES = 1 << (PAGE_SHIFT - 1) };
enum {
    IS_KNOWN = 1,
    IS_LOAD = 2,
    IS_STORE = 4,
    IS_WORD_ALIGNED = 8,
    IS_DIVIDE = 16, /**< base is divided by index */
    IS_SIGNED = 32
};

/** What an instruction does to memory: `bytes` from base + (index << shift) + displacement on. */
typedef struct {
    int32_t displacement;
    uint8_t base; /**< number of a register; NO_REGISTER: the displacement is the address */
    uint8_t index;
    uint8_t shift;
    uint8_t bytes; /**< 0: nothing that needs to be looked at */
    uint8_t flags;
} ts_access;

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
    uint32_t last_word;        /**< that was looked up last: it is present */
    uint32_t next_word;        /**< that is being read ahead */
    uint64_t next_ready;       /**< when it is there, in thousandths of a cycle */
    uint64_t clock;
    ts_line *lines;         /**< sets * ways */
    ts_line *hints[HINTS]; /**< where lines were found last, by tag */
} ts_cache;

/** A range of addresses and the caches before it. */
typedef struct {
    uint32_t base;
    uint32_t last;
    uint32_t wait_millicycles;  /**< for what is not present */
    uint32_t burst_millicycles; /**< for a data access that does not follow another one to it */
    uint8_t code;
    uint8_t data;
    uint64_t bursts; /**< data accesses that did not follow another one to it */
} ts_area;

typedef struct {
    /* Given by the host. */
    ts_tracer *tracer;
    void (*on_new)(uint32_t address, ts_access *access);
    int32_t register_ids[16];
    const uint32_t *registers; /**< R0 to R14 themselves, if the host knows where they are */
    uint32_t unaligned_millicycles; /**< for each access more that a word needs that straddles */
    uint32_t area_count;
    ts_area areas[AREAS_MAX];
    ts_cache caches[CACHES_MAX];
    /* State. */
    ts_access **pages;
    uint32_t fetched_first; /**< the word that fetches come from */
    uint32_t fetched_last;
    uint64_t instructions; /**< executed */
    uint64_t accessed_at;  /**< the last one that accessed data, */
    const ts_area *accessed; /**< and where */
    uint32_t unaligned_address;
    uint32_t unaligned_pc;
} ts_memory;

/** Return the wait for the word at an address, which is present afterwards. */
static uint32_t look_up(ts_cache *cache, uint32_t address, uint32_t wait, uint64_t now, int is_fetch)
{
    const uint32_t word = address >> cache->word_shift;
    if (word == cache->last_word) {
        return 0;
    }
    cache->last_word = word;
    const uint32_t tag = address >> cache->line_shift;
    const uint32_t bit = 1U << (word & ((1U << (cache->line_shift - cache->word_shift)) - 1));
    ts_line **const hint = &cache->hints[tag & (HINTS - 1)];
    if (*hint && (*hint)->tag == tag && (*hint)->words & bit) {
        (*hint)->used_at = ++cache->clock;
        return 0;
    }
    ts_line *const set = &cache->lines[(tag & (cache->sets - 1)) * cache->ways];
    ts_line *line = NULL;
    ts_line *oldest = set;
    for (uint32_t way = 0; way < cache->ways; way++) {
        if (set[way].words && set[way].tag == tag) {
            line = &set[way];
            break;
        }
        if (!set[way].words || set[way].used_at < oldest->used_at) {
            oldest = &set[way];
            if (!oldest->words) {
                oldest->used_at = 0;
            }
        }
    }
    if (line && line->words & bit) {
        *hint = line;
        line->used_at = ++cache->clock;
        return 0;
    }
    if (!line) {
        line = oldest;
        line->tag = tag;
        line->words = 0;
    }
    *hint = line;
    line->used_at = ++cache->clock;
    line->words = cache->fills_line ? UINT32_MAX : line->words | bit;
    uint32_t left = wait;
    if (is_fetch && cache->prefetches) {
        if (word == cache->next_word) {
            const uint64_t ahead = cache->next_ready > now ? cache->next_ready - now : 0;
            left = ahead < wait ? (uint32_t)ahead : wait;
        }
        cache->next_word = word + 1;
        cache->next_ready = now + left + 1000 + wait;
    }
    return left;
}

static ts_area *area_of(ts_memory *m, uint32_t address)
{
    for (uint32_t i = 0; i < m->area_count; i++) {
        if (address >= m->areas[i].base && address <= m->areas[i].last) {
            return &m->areas[i];
        }
    }
    return NULL;
}

/** Now, in thousandths of a cycle: instructions of the open run count as a cycle each. */
static uint64_t now(ts_tracer *t)
{
    ts_tracer_flush(t);
    return t->millicycles + t->run_stalls[STALL_FETCH] + t->run_stalls[STALL_DATA] +
           1000ULL * t->run_instructions;
}

/** Fetch from a word that is not the one fetched from last. */
static void fetch(ts_memory *m, uint32_t address)
{
    const ts_area *const area = area_of(m, address);
    if (!area || area->code == NO_CACHE) {
        m->fetched_first = area ? area->base : address;
        m->fetched_last = area ? area->last : address;
        return;
    }
    ts_cache *const cache = &m->caches[area->code];
    m->fetched_first = address >> cache->word_shift << cache->word_shift;
    m->fetched_last = m->fetched_first + (1U << cache->word_shift) - 1;
    m->tracer->run_stalls[STALL_FETCH] += 
        look_up(cache, address, area->wait_millicycles, now(m->tracer), 1);
}

static uint32_t register_value(const ts_memory *m, void *emulator, uint32_t number)
{
    uint32_t value = 0;
    if (m->registers) {
        return m->registers[number];
    }
    m->tracer->read_register(emulator, m->register_ids[number], &value);
    return value;
}

static void access_data(ts_memory *m, void *emulator, uint32_t pc, const ts_access *access)
{
    uint32_t address = (uint32_t)access->displacement;
    if (access->base != NO_REGISTER) {
        address += register_value(m, emulator, access->base);
    }
    if (access->index != NO_REGISTER) {
        address += register_value(m, emulator, access->index) << access->shift;
    }
    if (access->flags & IS_WORD_ALIGNED && address & 3) {
        m->unaligned_address = address;
        m->unaligned_pc = pc;
        ts_tracer_halt(m->tracer, emulator, STOP_UNALIGNED);
        return;
    }
    if (address & (access->bytes - 1U) && access->bytes <= 4) { /* two accesses, or three */
        const uint32_t more = access->bytes == 4 && address & 1 ? 2 : 1;
        m->tracer->run_stalls[STALL_DATA] += more * m->unaligned_millicycles;
    }
    ts_area *const area = area_of(m, address);
    if (!area) {
        return;
    }
    if (area != m->accessed || m->accessed_at + 1 != m->instructions) {
        m->tracer->run_stalls[STALL_DATA] += area->burst_millicycles;
        area->bursts++;
    }
    m->accessed = area;
    m->accessed_at = m->instructions;
    if (area->data == NO_CACHE) {
        return;
    }
    ts_cache *const cache = &m->caches[area->data];
    const uint32_t last = address + access->bytes - 1;
    uint32_t word = address >> cache->word_shift;
    do {
        const uint32_t wait =
            look_up(cache, word << cache->word_shift, area->wait_millicycles, now(m->tracer), 0);
        if (access->flags & IS_LOAD) { /* stores are buffered */
            m->tracer->run_stalls[STALL_DATA] += wait;
        }
    } while (word++ != last >> cache->word_shift);
}

static uint32_t leading_zeros(uint32_t value)
{
    return value ? (uint32_t)__builtin_clz(value) : 32;
}

/**
 * A division ends early: 2 cycles if the quotient is 0 or the divisor is, else 4 and one for every
 * four bits that the quotient may have. The first 2 are in the cost of the run.
 */
static void divide(ts_memory *m, void *emulator, const ts_access *access)
{
    uint32_t n = register_value(m, emulator, access->base);
    uint32_t d = register_value(m, emulator, access->index);
    if (access->flags & IS_SIGNED) {
        n = (int32_t)n < 0 ? 0U - n : n;
        d = (int32_t)d < 0 ? 0U - d : d;
    }
    if (d && n >= d) {
        const uint32_t bits = leading_zeros(d) - leading_zeros(n);
        m->tracer->run_stalls[STALL_DIVIDE] += 1000U * (2 + bits / 4);
    }
}

/** The emulator's callback: an instruction of `size` bytes at `pc` is about to be executed. */
void ts_memory_instruction(void *emulator, uint64_t pc, uint32_t size, ts_memory *m)
{
    const uint32_t address = (uint32_t)pc;
    ts_access **const page = &m->pages[address >> PAGE_SHIFT];
    if (!*page && !(*page = calloc(PAGE_HALVES, sizeof **page))) {
        ts_tracer_halt(m->tracer, emulator, STOP_LIMIT);
        return;
    }
    ts_access *const access = &(*page)[(address >> 1) & (PAGE_HALVES - 1)];
    if (!(access->flags & IS_KNOWN)) {
        m->on_new(address, access);
    }
    if (address < m->fetched_first || address > m->fetched_last) {
        fetch(m, address);
    }
    if (address + size - 1 > m->fetched_last) {
        fetch(m, address + size - 1);
    }
    if (access->flags & IS_DIVIDE) {
        divide(m, emulator, access);
    } else if (access->bytes) {
        access_data(m, emulator, address, access);
    }
    m->tracer->run_instructions++;
    m->instructions++;
}

/** Allocate; 0 if there is no memory. */
int ts_memory_new(ts_memory *m)
{
    m->pages = calloc(PAGES, sizeof *m->pages);
    return m->pages != NULL;
}

/** Forget which instructions access what: the areas that matter have changed. */
void ts_memory_forget(ts_memory *m)
{
    for (uint32_t i = 0; i < PAGES; i++) {
        free(m->pages[i]);
        m->pages[i] = NULL;
    }
}

/** Make a cache empty, of the size that its fields say; 0 if there is no memory. */
int ts_memory_reset_cache(ts_memory *m, uint32_t index)
{
    ts_cache *const cache = &m->caches[index];
    free(cache->lines);
    memset(cache->hints, 0, sizeof cache->hints);
    cache->lines = calloc((size_t)cache->sets * cache->ways, sizeof *cache->lines);
    cache->last_word = cache->next_word = UINT32_MAX;
    cache->next_ready = cache->clock = 0;
    m->fetched_first = 1;
    m->fetched_last = 0;
    return cache->lines != NULL;
}

/** Give everything back. */
void ts_memory_free(ts_memory *m)
{
    if (m->pages) {
        ts_memory_forget(m);
    }
    free(m->pages);
    m->pages = NULL;
    for (uint32_t i = 0; i < CACHES_MAX; i++) {
        free(m->caches[i].lines);
        m->caches[i].lines = NULL;
    }
}
