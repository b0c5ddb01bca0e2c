/** @file
 * Tasks that yield: everything is deterministic, so even the instructions executed must agree.
 */
#define NOTE_SWITCHES
#include "tasks.h"

enum { ROUNDS = 40 };

static volatile unsigned progress[2], is_done[2];
static volatile unsigned sums[2];
#if HAS_FPU
static volatile float totals[2];
#endif

__attribute__((noinline)) static void yield(void)
{
    ICSR = PENDSVSET;
    BARRIER();
}

/** Yield for the last time. */
__attribute__((noipa)) void leave(void)
{
    ICSR = PENDSVSET;
    BARRIER();
}

__attribute__((noinline)) static unsigned mix(unsigned value, unsigned by)
{
    for (unsigned i = 0; i < 16; i++) {
        value = (value << 5 | value >> 27) ^ by * (i + 1);
    }
    return value;
}

__attribute__((noinline)) static void work(unsigned which)
{
    /* Live across the yields, in whatever registers the compiler has. */
    unsigned a = which + 1, b = 3 * which + 7, c = 11 - which, d = 0x1234 << which;
#if HAS_FPU
    float x = 1.0f + (float)which, y = 0.5f, z = 0.25f * (float)(which + 3);
#endif
    for (unsigned i = 0; i < ROUNDS; i++) {
        a = mix(a, i);
        b += a ^ c;
        yield();
        c = c * 5 + d;
        d ^= b >> 3;
#if HAS_FPU
        x += y * z;
        yield();
        y = y * 0.75f + 1.0f;
        z = x - y;
        if (z > 100.0f) {
            z *= 0.125f;
        }
#endif
        progress[which]++;
    }
    sums[which] = a ^ b ^ c ^ d;
#if HAS_FPU
    totals[which] = x + y + z;
#endif
}

static unsigned bits(volatile const void *value)
{
    return *(volatile const unsigned *)value;
}

void first_task(void)
{
    note("first task", "control", READ("control") & CONTROL_BITS);
    note("first task", "ipsr", READ("ipsr"));
    yield(); /* the first switches are without FPU registers */
    yield();
    work(0);
    is_done[0] = 1;
    while (!is_done[1]) {
        yield();
    }
    note("both", "first progress", progress[0]);
    note("both", "second progress", progress[1]);
    note("both", "first sum", sums[0]);
    note("both", "second sum", sums[1]);
#if HAS_FPU
    note("both", "first total", bits(&totals[0]));
    note("both", "second total", bits(&totals[1]));
#endif
    note("both", "switches", switches);
    note("both", "control", READ("control") & CONTROL_BITS);
    report();
}

void second_task(void)
{
    /* Registers as the frame and PendSV have given them. */
    register unsigned r4 __asm("r4"), r9 __asm("r9"), r12 __asm("r12"), lr __asm("lr");
    __asm volatile("" : "=r"(r4), "=r"(r9), "=r"(r12), "=r"(lr));
    unsigned found[4] = {r4, r9, r12, lr};
    note("second task", "r4", found[0]);
    note("second task", "r9", found[1]);
    note("second task", "r12", found[2]);
    note("second task", "lr", found[3]);
    yield();
    work(1);
    is_done[1] = 1;
    for (;;) {
        leave();
    }
}

int main(void)
{
    start_tasks();
    return 0;
}
