/** @file
 * The tracer's state, which the memory system adds to. Plain C without the emulator's or Python's
 * headers; tinysim/simulator/native_tracer.py is the other side.
 */
#ifndef TINYSIM_TRACER_H
#define TINYSIM_TRACER_H

#include <stdint.h>

/** Keeps what is rare out of what is done all the time: that has no registers to save then. */
#define NOINLINE __attribute__((noinline))

enum { RECENT = 1024, DEPTH_MAX = 256, EXCEPTION_MARK = 0xFFFFFFFF };

/** Grows with every change of what is here or of what it means: a library of another age is refused. */
enum { TRACER_VERSION = 2 };

/** Why the tracer itself has stopped the emulator. */
enum { STOP_NONE = 0, STOP_LIMIT = 1, STOP_ATTENTION = 2, STOP_STACK = 3, STOP_UNALIGNED = 4 };

/** What a run waited for that its code does not tell. */
enum { STALL_FETCH = 0, STALL_DATA = 1, STALL_DIVIDE = 2, STALL_BRANCH = 3, STALLS = 4 };

/** How a run is left: by a branch, a call, or as functions return. */
enum { LEFT_BY_BRANCH = 0, LEFT_BY_CALL = 1, LEFT_BY_RETURN = 2 };

/** How the branch at the end of a block is predicted. */
enum { BRANCH_CERTAIN = 1, BRANCH_CONDITIONAL = 2, BRANCH_INDIRECT = 3 };
enum { BRANCHES = 1 << 14, COUNTERS = 1 << 9, HISTORY_BITS = 8 };

/** A block's end, what branch stands there, and where an indirect one went last. */
typedef struct {
    uint32_t end;
    uint32_t kind; /**< 0: not asked for yet */
    uint32_t target;
} ts_branch;

/** Which run, in which context. `is_taken` is 0 only for the piece before a stop. */
typedef struct {
    uint32_t start;
    uint32_t end;
    uint32_t context;
    uint32_t is_taken;
} ts_key;

typedef struct {
    ts_key key;
    uint64_t count;
    uint64_t stalls[STALLS]; /**< thousandths of a cycle, of all executions */
    uint64_t millicycles;  /**< of one execution, without stalls */
    uint32_t instructions; /**< of one execution */
    uint32_t moves_sp;     /**< whether SP is worth reading behind it */
    int32_t sp_above_low;  /**< SP behind the run less the lowest SP inside it */
    uint32_t left_by;      /**< LEFT_BY_... */
    uint32_t is_used;
} ts_run;

/** A function and its caller; siblings are chained. Context 0 is the root, with no function. */
typedef struct {
    uint32_t function;
    uint32_t parent;
    uint32_t first_child;
    uint32_t next_sibling;
    uint64_t calls;
} ts_context;

typedef struct {
    uint32_t return_address;
    uint32_t context;
} ts_frame;

typedef struct ts_tracer ts_tracer;

struct ts_tracer {
    /* Given by the host. */
    uint32_t code_base;   /**< first address of `is_entry` */
    uint32_t code_halves; /**< entries of `is_entry` */
    const uint8_t *is_entry; /**< whether a function begins at a halfword */
    uint64_t instruction_limit;
    void (*on_new)(ts_run *run);
    int (*stop)(void *emulator);
    int (*read_register)(void *emulator, int register_id, void *value);
    int32_t sp_id;
    uint32_t mispredict_millicycles; /**< 0: branches are not predicted */
    uint32_t (*on_branch)(uint32_t start, uint32_t end); /**< kind of the branch that ends a block */
    uint32_t wants_attention;   /**< stop before the next block */
    uint64_t deadline_millicycles; /**< stop before the first block at or behind it */
    uint32_t stack_floor; /**< stop behind a run in which SP went below */
    uint32_t lets_pass; /**< the next block runs whatever is wanted: the host has just seen it */
    /* State. */
    uint32_t context;
    uint32_t depth;
    uint32_t run_start;
    uint32_t run_end;
    uint32_t is_open;
    uint32_t has_stalls;         /**< not 0: some of `run_stalls` are not */
    uint64_t executed;           /**< instructions, one by one, if the memory system counts them */
    uint64_t executed_before;    /**< the open run */
    uint64_t run_stalls[STALLS]; /**< of the open run, in thousandths of a cycle */
    uint32_t is_arriving; /**< a branch was taken before a stop, and its target is not known yet */
    uint32_t from_end;    /**< where the run ended that took it */
    uint32_t from_left_by; /**< LEFT_BY_... */
    uint32_t stop_reason;
    uint32_t lowest_sp;
    uint64_t millicycles;
    uint64_t instructions;
    ts_run *runs;
    uint64_t capacity; /**< power of two */
    uint64_t used;
    ts_context *contexts;
    uint32_t context_capacity;
    uint32_t context_count;
    ts_frame frames[DEPTH_MAX];
    ts_run *recent[RECENT]; /**< runs that were closed lately, by where they start */
    /* A loop of one block that goes round is counted when it ends. */
    ts_run *loop;
    uint32_t loop_size;
    uint32_t loop_left;  /**< rounds that need nothing else */
    uint32_t loop_total; /**< of so many at first */
    /* Two-bit counters chosen by address and by how the last branches went. */
    uint32_t block_start;
    uint32_t history;
    uint8_t counters[COUNTERS];
    ts_branch branches[BRANCHES];
};

/** Count the rounds of the loop that goes on; the next one is looked at in full. */
void ts_tracer_flush(ts_tracer *t);

/** Stop the emulator and say why. */
uint32_t ts_tracer_version(void);
void ts_tracer_halt(ts_tracer *t, void *emulator, uint32_t reason);

#endif
