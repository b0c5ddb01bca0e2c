/** @file
 * Two tasks on PSP: SVC starts the first, PendSV switches. The program gives the tasks' functions.
 */
#ifndef TASKS_H
#define TASKS_H

#include "report.h"

struct task {
    unsigned *sp;
};

static unsigned stacks[2][320] __attribute__((aligned(8)));
struct task tasks[2];
struct task *current_task = &tasks[0];
volatile unsigned switches;

void first_task(void);
void second_task(void);

#define MAX_NOTED 6

/** Choose the other task; the first times also say what the switch looks like. */
__attribute__((used)) void choose_task(unsigned exc_return)
{
    static const char *const name[MAX_NOTED] = {"switch 0", "switch 1", "switch 2",
                                                "switch 3", "switch 4", "switch 5"};
#ifdef NOTE_SWITCHES
    if (switches < MAX_NOTED) {
        const char *where = name[switches];
        note(where, "lr", exc_return & EXC_RETURN_BITS);
        note(where, "ipsr", READ("ipsr"));
        note(where, "control", READ("control") & CONTROL_BITS);
        note(where, "stack used",
             (unsigned)(stacks[current_task - tasks] + 320) - (unsigned)current_task->sp);
    }
#else
    (void)exc_return, (void)name;
#endif
    switches++;
    current_task = current_task == &tasks[0] ? &tasks[1] : &tasks[0];
}

#if IS_V7
#if HAS_FPU
#define SAVE_FPU "tst lr, #16\n\tit eq\n\tvstmdbeq r0!, {s16-s31}\n\t"
#define LOAD_FPU "tst lr, #16\n\tit eq\n\tvldmiaeq r0!, {s16-s31}\n\t"
#else
#define SAVE_FPU
#define LOAD_FPU
#endif
/* On a task's stack, from below: r4-r11, EXC_RETURN, s16-s31 if in use, the core's frame. */
__attribute__((naked)) void PendSV_Handler(void)
{
    __asm volatile("mrs r0, psp\n\t" SAVE_FPU "stmdb r0!, {r4-r11, lr}\n\t"
                   "ldr r4, =current_task\n\tldr r1, [r4]\n\tstr r0, [r1]\n\t"
                   "mov r0, lr\n\tbl choose_task\n\t"
                   "ldr r1, [r4]\n\tldr r0, [r1]\n\tldmia r0!, {r4-r11, lr}\n\t" LOAD_FPU
                   "msr psp, r0\n\tisb\n\tbx lr\n\t.ltorg");
}
__attribute__((naked)) void load_first_task(void)
{
    __asm volatile("ldr r1, =current_task\n\tldr r1, [r1]\n\tldr r0, [r1]\n\t"
                   "ldmia r0!, {r4-r11, lr}\n\tmsr psp, r0\n\tisb\n\tbx lr\n\t.ltorg");
}
#else
__attribute__((naked)) void PendSV_Handler(void)
{
    __asm volatile(UNIFIED "mrs r0, psp\n\tsubs r0, #36\n\tldr r1, =current_task\n\t"
                   "ldr r2, [r1]\n\t"
                   "str r0, [r2]\n\tstmia r0!, {r4-r7}\n\tmov r4, r8\n\tmov r5, r9\n\t"
                   "mov r6, r10\n\tmov r7, r11\n\tstmia r0!, {r4-r7}\n\tmov r3, lr\n\t"
                   "str r3, [r0]\n\tmov r0, lr\n\tbl choose_task\n\tb load_first_task");
}
__attribute__((naked)) void load_first_task(void)
{
    __asm volatile(UNIFIED "ldr r1, =current_task\n\tldr r1, [r1]\n\tldr r0, [r1]\n\t"
                   "adds r0, #16\n\t"
                   "ldmia r0!, {r4-r7}\n\tmov r8, r4\n\tmov r9, r5\n\tmov r10, r6\n\t"
                   "mov r11, r7\n\tldmia r0!, {r3}\n\tmsr psp, r0\n\tisb\n\tsubs r0, #36\n\t"
                   "ldmia r0!, {r4-r7}\n\tbx r3\n\t.ltorg");
}
#endif

/** Lay out a stack as PendSV leaves it. */
static unsigned *prepare(unsigned *top, void (*entry)(void), unsigned exc_return)
{
    *--top = 1u << 24;
    *--top = (unsigned)entry & ~1u;
    for (unsigned i = 0; i < 6; i++) {
        *--top = 0xF0F0F000 + i;
    }
    *--top = exc_return;
    for (unsigned i = 0; i < 8; i++) {
        *--top = 0xE0E0E000 + i;
    }
    return top;
}

/** The stacks are laid out here because only a handler knows its security state's EXC_RETURN. */
__attribute__((used)) void prepare_tasks(unsigned exc_return)
{
    exc_return |= 0x1C; /* thread, PSP, no FPU registers in the frame */
    tasks[0].sp = prepare(stacks[0] + 320, first_task, exc_return);
    tasks[1].sp = prepare(stacks[1] + 320, second_task, exc_return);
}

__attribute__((naked)) void SVC_Handler(void)
{
    __asm volatile("mov r0, lr\n\tbl prepare_tasks\n\tb load_first_task");
}

static void start_tasks(void)
{
    SHPR3 = 0xC0C00000; /* PendSV and SysTick: least urgent */
    __asm volatile("svc 0" ::: "memory");
}

#endif
