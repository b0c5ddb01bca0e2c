/** @file
 * The memory system: what instruction fetches and data accesses wait for.
 *
 * Called by the emulator before every instruction. Addresses of data come from registers and from
 * what the host has decoded of the instruction, once, when it is first executed. Words of memory
 * that a fetch or a load needs are looked up in caches and buffers; what is not there costs time,
 * which is added to the open run of the tracer.
 *
 * tinysim/simulator/native_memory.py is the other side.
 */
#include "cache.h"
#include "tracer.h"

#include <stdlib.h>
#include <string.h>

enum { AREAS_MAX = 16, CACHES_MAX = 8, NO_REGISTER = 0xFF, NO_CACHE = 0xFF };
enum { SPANS = 64 };
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

/** Addresses that are all in one area, or all in none. */
typedef struct {
    uint32_t first;
    uint32_t last;
    ts_area *area; /**< NULL: nothing waits here */
} ts_span;

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
    uint32_t fetched_first; /**< where fetches have nothing to wait for */
    uint32_t fetched_last;
    uint64_t accessed_at;    /**< count of instructions when one last accessed data, */
    const ts_area *accessed; /**< and where */
    uint32_t unaligned_address;
    uint32_t unaligned_pc;
    ts_span spans[SPANS]; /**< that were looked for lately */
} ts_memory;

/**
 * Now, in thousandths of a cycle: instructions of the open run count as a cycle each, but for the
 * one that is about to be executed.
 */
static uint64_t now(ts_tracer *t)
{
    ts_tracer_flush(t);
    return t->millicycles + t->run_stalls[STALL_FETCH] + t->run_stalls[STALL_DATA] +
           1000 * (t->executed - t->executed_before - 1);
}

static void stall(ts_memory *m, uint32_t kind, uint32_t millicycles)
{
    m->tracer->run_stalls[kind] += millicycles;
    m->tracer->has_stalls |= millicycles;
}

/** Have the next word read ahead behind a fetch that missed; return what is left of its wait. */
NOINLINE static uint32_t prefetch(ts_memory *m, ts_cache *cache, uint32_t word, uint32_t wait)
{
    const uint64_t time = now(m->tracer);
    uint32_t left = wait;
    if (word == cache->next_word) {
        const uint64_t ahead = cache->next_ready > time ? cache->next_ready - time : 0;
        left = ahead < wait ? (uint32_t)ahead : wait;
    }
    cache->next_word = word + 1;
    cache->next_ready = time + left + 1000 + wait;
    return left;
}

/** Return the area at an address, and how far around it the answer holds. */
NOINLINE static ts_span span_around(ts_memory *m, uint32_t address)
{
    ts_span span = {0, UINT32_MAX, NULL};
    for (uint32_t i = 0; i < m->area_count && !span.area; i++) {
        ts_area *const area = &m->areas[i];
        if (address < area->base) {
            span.last = area->base - 1 < span.last ? area->base - 1 : span.last;
        } else if (address > area->last) {
            span.first = area->last + 1 > span.first ? area->last + 1 : span.first;
        } else {
            span.first = area->base > span.first ? area->base : span.first;
            span.last = area->last < span.last ? area->last : span.last;
            span.area = area;
        }
    }
    return span;
}

static inline const ts_span *span_of(ts_memory *m, uint32_t address)
{
    ts_span *const span = &m->spans[(address >> 16 ^ address >> 26) & (SPANS - 1)];
    if (address < span->first || address > span->last) {
        *span = span_around(m, address);
    }
    return span;
}

/** Fetch from a word that is not among those fetched from last. */
NOINLINE static void fetch(ts_memory *m, uint32_t address)
{
    const ts_span *const span = span_of(m, address);
    const ts_area *const area = span->area;
    if (!area || area->code == NO_CACHE) {
        m->fetched_first = span->first;
        m->fetched_last = span->last;
        return;
    }
    ts_cache *const cache = &m->caches[area->code];
    const uint32_t word = address >> cache->word_shift;
    ts_line *const line = line_of(cache, word);
    if (!take(cache, line, word)) {
        const uint32_t wait = area->wait_millicycles;
        stall(m, STALL_FETCH, cache->prefetches ? prefetch(m, cache, word, wait) : wait);
    }
    const ts_words fetched =
        cache->fetch_only ? present_around(cache, line, word) : (ts_words){word, word};
    m->fetched_first = fetched.first << cache->word_shift;
    m->fetched_last = ((fetched.last + 1) << cache->word_shift) - 1;
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

static inline void access_data(ts_memory *m, void *emulator, uint32_t pc, const ts_access *access)
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
        stall(m, STALL_DATA, more * m->unaligned_millicycles);
    }
    ts_area *const area = span_of(m, address)->area;
    if (!area) {
        return;
    }
    const uint64_t executed = m->tracer->executed;
    if (area != m->accessed || m->accessed_at + 1 != executed) {
        stall(m, STALL_DATA, area->burst_millicycles);
        area->bursts++;
    }
    m->accessed = area;
    m->accessed_at = executed;
    if (area->data == NO_CACHE) {
        return;
    }
    ts_cache *const cache = &m->caches[area->data];
    const uint32_t last = (address + access->bytes - 1) >> cache->word_shift;
    uint32_t word = address >> cache->word_shift;
    do {
        const int is_present = take(cache, line_of(cache, word), word);
        if (!is_present && access->flags & IS_LOAD) { /* stores are buffered */
            stall(m, STALL_DATA, area->wait_millicycles);
        }
    } while (word++ != last);
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
        stall(m, STALL_DIVIDE, 1000 * (2 + bits / 4));
    }
}

/** Do what takes time in an instruction beside being fetched. */
NOINLINE static void operate(ts_memory *m, void *emulator, uint32_t pc, const ts_access *access)
{
    if (access->flags & IS_DIVIDE) {
        divide(m, emulator, access);
    } else {
        access_data(m, emulator, pc, access);
    }
}

/** Have the host decode an instruction that is seen for the first time; NULL if it cannot be. */
static ts_access *learn(ts_memory *m, uint32_t address)
{
    ts_access **const page = &m->pages[address >> PAGE_SHIFT];
    if (!*page && !(*page = calloc(PAGE_HALVES, sizeof **page))) {
        return NULL;
    }
    ts_access *const access = &(*page)[(address >> 1) & (PAGE_HALVES - 1)];
    if (!(access->flags & IS_KNOWN)) {
        m->on_new(address, access);
    }
    return access;
}

/** Look at an instruction that is new, or that is not where fetches have nothing to wait for. */
NOINLINE static void begin(ts_memory *m, void *emulator, uint32_t address, uint32_t size)
{
    const ts_access *const access = learn(m, address);
    if (!access) {
        ts_tracer_halt(m->tracer, emulator, STOP_LIMIT);
        return;
    }
    if (address < m->fetched_first || address > m->fetched_last) {
        fetch(m, address);
    }
    if (address + size - 1 > m->fetched_last) {
        fetch(m, address + size - 1);
    }
    if (access->flags != IS_KNOWN) {
        operate(m, emulator, address, access);
    }
}

/** The emulator's callback: an instruction of `size` bytes at `pc` is about to be executed. */
void ts_memory_instruction(void *emulator, uint64_t pc, uint32_t size, ts_memory *m)
{
    const uint32_t address = (uint32_t)pc;
    const ts_access *const page = m->pages[address >> PAGE_SHIFT];
    m->tracer->executed++;
    if (page && address >= m->fetched_first && address + size - 1 <= m->fetched_last) {
        const ts_access *const access = &page[(address >> 1) & (PAGE_HALVES - 1)];
        if (access->flags == IS_KNOWN) {
            return;
        }
        if (access->flags & IS_KNOWN) {
            operate(m, emulator, address, access);
            return;
        }
    }
    begin(m, emulator, address, size);
}

/** Forget where areas are: they have changed. */
void ts_memory_reset_areas(ts_memory *m)
{
    for (uint32_t i = 0; i < SPANS; i++) {
        m->spans[i] = (ts_span){1, 0, NULL}; /* no address is in there */
    }
    m->fetched_first = 1;
    m->fetched_last = 0;
}

/** Allocate; 0 if there is no memory. */
int ts_memory_new(ts_memory *m)
{
    ts_memory_reset_areas(m);
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
    cache->next_word = UINT32_MAX;
    cache->next_ready = cache->clock = 0;
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
