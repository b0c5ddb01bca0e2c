/** @file
 * Counts runs, straight pieces of code between two taken branches, by call path.
 *
 * Called by the emulator at the start of every block. A block that does not start where the last
 * one ended was reached by a taken branch: the run so far is closed and counted. What a run costs
 * is asked for once, through `on_new`, when it is first seen; so the cycle count is exact at every
 * run's end while nothing but a table look-up is done each time.
 *
 * A context is a node of the call tree: a function and who called it. Calls and returns are seen
 * from how runs end, so time is known by call path without touching the program.
 *
 * python_tracer.py is a slow twin that must count the same.
 */
#include "tracer.h"

#include <stdlib.h>
#include <string.h>

static uint64_t slot_of(const ts_key *key, uint64_t capacity)
{
    uint64_t hash = ((uint64_t)key->start << 32 | key->end) * 0x9E3779B97F4A7C15U;
    hash ^= ((uint64_t)key->context << 1 | key->is_taken) * 0xC2B2AE3D27D4EB4FU;
    return (hash ^ hash >> 29) & (capacity - 1);
}

static inline int is_same(const ts_key *one, const ts_key *other)
{
    return one->start == other->start && one->end == other->end &&
           one->context == other->context && one->is_taken == other->is_taken;
}

static ts_run *find(ts_run *runs, uint64_t capacity, const ts_key *key)
{
    uint64_t slot = slot_of(key, capacity);
    for (;; slot = (slot + 1) & (capacity - 1)) {
        ts_run *run = &runs[slot];
        if (!run->is_used || is_same(&run->key, key)) {
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
            *find(runs, capacity, &t->runs[i].key) = t->runs[i];
        }
    }
    free(t->runs);
    t->runs = runs;
    t->capacity = capacity;
    memset(t->recent, 0, sizeof t->recent);
    return 1;
}

uint32_t ts_tracer_version(void)
{
    return TRACER_VERSION;
}

void ts_tracer_halt(ts_tracer *t, void *emulator, uint32_t reason)
{
    t->stop_reason = reason;
    t->stop(emulator);
}

/** The context of `function` called from `parent`; `parent` itself if there is no memory. */
static uint32_t child_of(ts_tracer *t, uint32_t parent, uint32_t function)
{
    for (uint32_t i = t->context_count ? t->contexts[parent].first_child : 0; i;
         i = t->contexts[i].next_sibling) {
        if (t->contexts[i].function == function) {
            return i;
        }
    }
    if (t->context_count + 1 >= t->context_capacity) {
        const uint32_t capacity = t->context_capacity ? t->context_capacity * 2 : 256;
        ts_context *const contexts = realloc(t->contexts, capacity * sizeof *contexts);
        if (!contexts) {
            return parent;
        }
        t->contexts = contexts;
        t->context_capacity = capacity;
    }
    if (!t->context_count) {
        t->contexts[t->context_count++] = (ts_context){0, 0, 0, 0, 0};
    }
    const uint32_t made = t->context_count++;
    t->contexts[made] = (ts_context){function, parent, 0, t->contexts[parent].first_child, 0};
    t->contexts[parent].first_child = made;
    return made;
}

/**
 * The context of `function` reached from `context` by a jump: what it does counts as called by the
 * function that jumped. Functions that jump to each other in turn share contexts.
 */
NOINLINE static uint32_t tail_of(ts_tracer *t, uint32_t context, uint32_t function)
{
    for (uint32_t i = context; i; i = t->contexts[i].parent) {
        if (t->contexts[i].function == function) {
            return i;
        }
    }
    return child_of(t, context, function);
}

static void push(ts_tracer *t, uint32_t return_address)
{
    if (t->depth == DEPTH_MAX) {
        memmove(t->frames, t->frames + 1, (DEPTH_MAX - 1) * sizeof *t->frames);
        t->depth--;
    }
    t->frames[t->depth++] = (ts_frame){return_address, t->context};
}

/** Begin in `function`, called from the root: a reset, a call by the host or an exception. */
void ts_tracer_enter(ts_tracer *t, uint32_t function)
{
    push(t, EXCEPTION_MARK);
    t->context = child_of(t, 0, function);
    t->contexts[t->context].calls++;
    t->is_arriving = 0;
}

/** Leave what ts_tracer_enter() began, with all that it called. */
void ts_tracer_leave(ts_tracer *t)
{
    t->is_arriving = 0;
    while (t->depth) {
        const ts_frame frame = t->frames[--t->depth];
        t->context = frame.context;
        if (frame.return_address == EXCEPTION_MARK) {
            return;
        }
    }
}

NOINLINE static void call(ts_tracer *t, uint32_t function, uint32_t return_address)
{
    const int is_deep = t->depth == DEPTH_MAX; /* recursion: contexts end somewhere */
    push(t, return_address);
    t->context = (is_deep ? tail_of : child_of)(t, t->context, function);
    t->contexts[t->context].calls++;
}

/**
 * Return to `start` past functions that did not return themselves, as parts of one function that
 * call each other do. What the current function goes to inside itself is no return.
 */
NOINLINE static int unwind(ts_tracer *t, uint32_t start)
{
    const uint32_t function = t->context_count ? t->contexts[t->context].function : 0;
    for (uint32_t i = t->depth; i-- && t->frames[i].return_address != EXCEPTION_MARK;) {
        const ts_frame *const frame = &t->frames[i];
        if (frame->return_address == start && t->contexts[frame->context].function != function) {
            t->context = frame->context;
            t->depth = i;
            return 1;
        }
    }
    return 0;
}

/** Follow a taken branch to `start` in the call tree; calls return to `end`. */
static inline void follow(ts_tracer *t, uint32_t start, uint32_t left_by, uint32_t end)
{
    if (left_by == LEFT_BY_CALL) {
        call(t, start, end);
        return;
    }
    if (t->depth && t->frames[t->depth - 1].return_address == start) {
        t->context = t->frames[--t->depth].context;
        return;
    }
    if (left_by == LEFT_BY_RETURN && unwind(t, start)) {
        return;
    }
    const uint32_t half = (start - t->code_base) >> 1;
    if (half < t->code_halves && t->is_entry[half] && t->context_count &&
        t->contexts[t->context].function != start) {
        t->context = tail_of(t, t->context, start);
        t->contexts[t->context].calls++;
    }
}

/** What ts_tracer_flush() does; calls within this file can be inlined. */
static inline void flush(ts_tracer *t)
{
    if (t->loop) {
        const uint64_t rounds = t->loop_total - t->loop_left;
        t->loop->count += rounds;
        t->millicycles += rounds * t->loop->millicycles;
        t->instructions += rounds * t->loop->instructions;
        t->loop = NULL;
        t->loop_left = 0;
    }
}

void ts_tracer_flush(ts_tracer *t)
{
    flush(t);
}

static uint8_t *counter_of(ts_tracer *t, uint32_t end)
{
    return &t->counters[(end >> 1 ^ t->history << 1) & (COUNTERS - 1)];
}

/** Charge the branch at the end of the last block if it goes where it was not expected to go. */
static void predict(ts_tracer *t, uint32_t end, uint32_t start)
{
    ts_branch *const branch = &t->branches[(end >> 1) & (BRANCHES - 1)];
    if (branch->end != end || !branch->kind) {
        *branch = (ts_branch){end, t->on_branch(t->block_start, end), 0};
    }
    uint32_t is_missed = 0;
    if (branch->kind == BRANCH_CONDITIONAL) {
        const uint32_t is_taken = start != end;
        uint8_t *const counter = counter_of(t, end);
        is_missed = *counter >> 1 != is_taken;
        *counter = (uint8_t)(is_taken ? *counter + (*counter < 3) : *counter - (*counter > 0));
        t->history = (t->history << 1 | is_taken) & ((1U << HISTORY_BITS) - 1);
    } else if (branch->kind == BRANCH_INDIRECT) {
        is_missed = branch->target != start;
        branch->target = start;
    }
    if (is_missed) {
        t->run_stalls[STALL_BRANCH] += t->mispredict_millicycles;
        t->has_stalls = 1;
    }
}

/** Whether a loop's branch is sure to be expected, however often it is taken again. */
static int is_settled(ts_tracer *t, uint32_t end)
{
    return !t->mispredict_millicycles ||
           (t->history == (1U << HISTORY_BITS) - 1 && *counter_of(t, end) == 3);
}

/** The open run has begun where the one before it did: let it go round until something is due. */
static void begin_loop(ts_tracer *t, ts_run *run, uint32_t size)
{
    uint64_t rounds = UINT32_MAX;
    if (run->moves_sp || run->left_by == LEFT_BY_CALL || !run->millicycles ||
        t->deadline_millicycles <= t->millicycles) {
        return;
    }
    const uint64_t due = (t->deadline_millicycles - t->millicycles) / run->millicycles;
    const uint64_t limit = (t->instruction_limit - t->instructions - 1) / run->instructions;
    rounds = due < rounds ? due : rounds;
    rounds = limit < rounds ? limit : rounds;
    t->loop = run;
    t->loop_size = size;
    t->loop_left = t->loop_total = (uint32_t)rounds;
}

/** Return the run with a key, which is made if it is new; NULL if there is no memory. */
NOINLINE static ts_run *run_of(ts_tracer *t, const ts_key *key)
{
    if (t->used * 4 >= t->capacity * 3 && !grow(t)) {
        return NULL;
    }
    ts_run *const run = find(t->runs, t->capacity, key);
    if (!run->is_used) {
        run->key = *key;
        run->is_used = 1;
        t->used++;
        t->on_new(run);
    }
    return run;
}

/** Count the open run and return it; `is_taken` says that a branch has left it. */
static inline ts_run *close_run(ts_tracer *t, void *emulator, uint32_t is_taken)
{
    if (!t->is_open) {
        return NULL;
    }
    t->is_open = 0;
    const ts_key key = {t->run_start, t->run_end, t->context, is_taken};
    const uint32_t slot = key.start >> 1 ^ key.end << 3 ^ key.context << 5;
    ts_run **const recent = &t->recent[slot & (RECENT - 1)];
    if (!*recent || !is_same(&(*recent)->key, &key)) {
        *recent = run_of(t, &key);
    }
    ts_run *const run = *recent;
    if (!run) {
        ts_tracer_halt(t, emulator, STOP_LIMIT);
        return NULL;
    }
    run->count++;
    t->millicycles += run->millicycles;
    t->executed_before = t->executed;
    if (t->has_stalls) { /* from the memory system, or from predictions */
        for (int i = 0; i < STALLS; i++) {
            run->stalls[i] += t->run_stalls[i];
            t->millicycles += t->run_stalls[i];
            t->run_stalls[i] = 0;
        }
        t->has_stalls = 0;
    }
    t->instructions += run->instructions;
    if (run->moves_sp) {
        uint64_t sp = 0;
        t->read_register(emulator, t->sp_id, &sp);
        const uint32_t low = (uint32_t)sp - (uint32_t)run->sp_above_low;
        if (low < t->lowest_sp) {
            t->lowest_sp = low;
        }
        if (low < t->stack_floor) {
            ts_tracer_halt(t, emulator, STOP_STACK);
        }
    }
    if (t->instructions >= t->instruction_limit) {
        ts_tracer_halt(t, emulator, STOP_LIMIT);
    }
    return run;
}

/** Count the open run at a stop: the program goes on, or is put, somewhere else. */
void ts_tracer_close(ts_tracer *t, void *emulator, uint32_t is_taken)
{
    ts_tracer_flush(t);
    close_run(t, emulator, is_taken);
}

/** Count the open run at a stop before `address`; where it goes is followed when it goes on. */
void ts_tracer_pause(ts_tracer *t, void *emulator, uint32_t address)
{
    ts_tracer_flush(t);
    const uint32_t is_taken = t->is_open && address != t->run_end;
    const ts_run *const run = close_run(t, emulator, is_taken);
    if (run && is_taken) {
        t->is_arriving = 1;
        t->from_end = run->key.end;
        t->from_left_by = run->left_by;
    }
}

/** Follow the branch that was taken before a pause, to `address`, before anything else happens. */
void ts_tracer_arrive(ts_tracer *t, uint32_t address)
{
    if (t->is_arriving) {
        t->is_arriving = 0;
        follow(t, address, t->from_left_by, t->from_end);
    }
}

/** A block is about to run that is not just one more round of a loop. */
NOINLINE static void begin_block(ts_tracer *t, void *emulator, uint32_t start, uint32_t size)
{
    flush(t);
    const uint32_t follows = t->is_open && start == t->run_end;
    const uint32_t is_due = t->wants_attention || t->millicycles >= t->deadline_millicycles;
    if (is_due && !t->lets_pass) {
        ts_tracer_pause(t, emulator, start);
        if (t->stop_reason == STOP_NONE) {
            ts_tracer_halt(t, emulator, STOP_ATTENTION);
        }
        return; /* the block does not run: it is counted when it does */
    }
    if (t->is_arriving) {
        ts_tracer_arrive(t, start);
    }
    t->lets_pass = 0;
    if (t->mispredict_millicycles) {
        if (t->is_open) {
            predict(t, t->run_end, start);
        }
        t->block_start = start;
    }
    if (follows) {
        t->run_end = start + size;
        return;
    }
    if (t->is_open) {
        const uint32_t is_loop = start == t->run_start && start + size == t->run_end;
        ts_run *const run = close_run(t, emulator, 1);
        if (t->stop_reason != STOP_LIMIT) {
            follow(t, start, run ? run->left_by : 0, run ? run->key.end : 0);
        }
        if (t->stop_reason != STOP_NONE) {
            return;
        }
        if (is_loop && run && run->key.context == t->context && is_settled(t, run->key.end)) {
            begin_loop(t, run, size);
        }
    }
    t->run_start = start;
    t->run_end = start + size;
    t->is_open = 1;
}

/** The emulator's block callback: a block of `size` bytes at `address` is about to run. */
void ts_tracer_block(void *emulator, uint64_t address, uint32_t size, ts_tracer *t)
{
    const uint32_t start = (uint32_t)address;
    if (t->loop_left && start == t->run_start && size == t->loop_size && !t->has_stalls) {
        t->loop_left--;
        t->executed_before = t->executed;
        return;
    }
    begin_block(t, emulator, start, size);
}

/** Forget counts, keep what runs cost and the shape of the call tree. */
void ts_tracer_clear(ts_tracer *t)
{
    ts_tracer_flush(t);
    for (uint64_t i = 0; i < t->capacity; i++) {
        t->runs[i].count = 0;
        memset(t->runs[i].stalls, 0, sizeof t->runs[i].stalls);
    }
    for (uint32_t i = 0; i < t->context_count; i++) {
        t->contexts[i].calls = 0;
    }
    t->is_open = 0;
    memset(t->run_stalls, 0, sizeof t->run_stalls);
    t->stop_reason = STOP_NONE;
    t->millicycles = t->instructions = 0;
    t->lowest_sp = UINT32_MAX;
}

/** Give the tables back. */
void ts_tracer_free(ts_tracer *t)
{
    free(t->runs);
    free(t->contexts);
    t->runs = NULL;
    t->contexts = NULL;
    t->capacity = t->used = 0;
    t->context_capacity = t->context_count = 0;
}
