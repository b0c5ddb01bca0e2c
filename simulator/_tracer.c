/** @file
 * Counts runs: straight pieces of code between two taken branches.
 *
 * Called by the emulator at the start of every block. A block that does not start where the last
 * one ended was reached by a taken branch: the run so far is closed and counted. What a run costs
 * is asked for once, through `on_new`, when it is first seen; so the cycle count is exact at every
 * run's end while nothing but a table look-up is done each time.
 *
 * Plain C without the emulator's or Python's headers; tinysim/simulator/tracer.py is the other
 * side, and holds a slow twin that must count the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/** A run in one layer. `is_taken` is part of the key; 0 only for the piece before a stop. */
typedef struct {
    uint32_t start;
    uint32_t end;
    uint32_t layer;
    uint32_t is_taken;
    uint64_t count;
    uint64_t millicycles;  /**< of one execution */
    uint32_t instructions; /**< of one execution */
    uint32_t moves_sp;     /**< whether SP is worth reading behind it */
    int32_t sp_above_low;  /**< SP behind the run less the lowest SP inside it */
    uint32_t is_used;
} ts_run;

typedef struct ts_tracer ts_tracer;

struct ts_tracer {
    /* Given by the host. */
    uint32_t code_base;    /**< first address of `owner` */
    uint32_t code_halves;  /**< entries of `owner` */
    const uint16_t *owner; /**< layer that a halfword belongs to; 0: whoever called it */
    uint64_t instruction_limit;
    void (*on_new)(ts_run *run);
    int (*stop)(void *emulator);
    int (*read_register)(void *emulator, int register_id, void *value);
    int32_t sp_id;
    /* State. */
    uint32_t layer;
    uint32_t run_start;
    uint32_t run_end;
    uint32_t is_open;
    uint32_t is_stopped;
    uint32_t lowest_sp;
    uint64_t millicycles;
    uint64_t instructions;
    ts_run *runs;
    uint64_t capacity; /**< power of two */
    uint64_t used;
};

static uint64_t slot_of(const ts_run *key, uint64_t capacity)
{
    uint64_t hash = ((uint64_t)key->start << 32 | key->end) * 0x9E3779B97F4A7C15U;
    hash ^= ((uint64_t)key->layer << 1 | key->is_taken) * 0xC2B2AE3D27D4EB4FU;
    return (hash ^ hash >> 29) & (capacity - 1);
}

static ts_run *find(ts_run *runs, uint64_t capacity, const ts_run *key)
{
    uint64_t slot = slot_of(key, capacity);
    for (;; slot = (slot + 1) & (capacity - 1)) {
        ts_run *run = &runs[slot];
        if (!run->is_used || (run->start == key->start && run->end == key->end &&
                              run->layer == key->layer && run->is_taken == key->is_taken)) {
            return run;
        }
    }
}

/** Double the table; 0 if there is no memory. */
static int grow(ts_tracer *t)
{
    const uint64_t capacity = t->capacity ? t->capacity * 2 : 4096;
    ts_run *const runs = calloc(capacity, sizeof *runs);
    if (!runs) {
        return 0;
    }
    for (uint64_t i = 0; i < t->capacity; i++) {
        if (t->runs[i].is_used) {
            *find(runs, capacity, &t->runs[i]) = t->runs[i];
        }
    }
    free(t->runs);
    t->runs = runs;
    t->capacity = capacity;
    return 1;
}

static void halt(ts_tracer *t, void *emulator)
{
    t->is_stopped = 1;
    t->stop(emulator);
}

/** Count the open run; `is_taken` says that a branch has left it. */
void ts_tracer_close(ts_tracer *t, void *emulator, uint32_t is_taken)
{
    if (!t->is_open) {
        return;
    }
    t->is_open = 0;
    if (t->used * 4 >= t->capacity * 3 && !grow(t)) {
        halt(t, emulator);
        return;
    }
    const ts_run key = {
        .start = t->run_start, .end = t->run_end, .layer = t->layer, .is_taken = is_taken};
    ts_run *const run = find(t->runs, t->capacity, &key);
    if (!run->is_used) {
        *run = key;
        run->is_used = 1;
        t->used++;
        t->on_new(run);
    }
    run->count++;
    t->millicycles += run->millicycles;
    t->instructions += run->instructions;
    if (run->moves_sp) {
        uint64_t sp = 0;
        t->read_register(emulator, t->sp_id, &sp);
        const uint32_t low = (uint32_t)sp - (uint32_t)run->sp_above_low;
        if (low < t->lowest_sp) {
            t->lowest_sp = low;
        }
    }
    if (t->instructions >= t->instruction_limit) {
        halt(t, emulator);
    }
}

/** The emulator's block callback: a block of `size` bytes at `address` is about to run. */
void ts_tracer_block(void *emulator, uint64_t address, uint32_t size, ts_tracer *t)
{
    const uint32_t start = (uint32_t)address;
    if (t->is_open && start == t->run_end) {
        t->run_end = start + size;
        return;
    }
    ts_tracer_close(t, emulator, 1);
    if (t->is_stopped) {
        return; /* the block does not run: it is counted when it does */
    }
    const uint32_t half = (start - t->code_base) >> 1;
    if (half < t->code_halves && t->owner[half]) {
        t->layer = t->owner[half];
    }
    t->run_start = start;
    t->run_end = start + size;
    t->is_open = 1;
}

/** Forget counts, keep what runs cost. */
void ts_tracer_clear(ts_tracer *t)
{
    for (uint64_t i = 0; i < t->capacity; i++) {
        t->runs[i].count = 0;
    }
    t->is_open = t->is_stopped = 0;
    t->millicycles = t->instructions = 0;
    t->lowest_sp = UINT32_MAX;
}

/** Give the table back. */
void ts_tracer_free(ts_tracer *t)
{
    free(t->runs);
    t->runs = NULL;
    t->capacity = t->used = 0;
}
