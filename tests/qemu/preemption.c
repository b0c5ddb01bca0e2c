/** @file
 * SysTick preempts two tasks that never yield. When it does so is a matter of each emulator's
 * time; that nothing of a task's is lost is not, and only that is observed.
 */
#include "tasks.h"

enum { TICKS = 40 };

static volatile unsigned ticks, errors[2], rounds[2], is_done[2];

void SysTick_Handler(void)
{
    ticks++;
    ICSR = PENDSVSET;
}

/* Fill every register that a switch has to keep, spin for a while, and count what has changed. */
unsigned spin(unsigned seed);
__asm(".syntax unified\n.text\n.balign 4\n.thumb_func\n.type spin, %function\n"
      "spin:\n"
      "    push {r4-r7, lr}\n"
      "    mov r4, r8\n    mov r5, r9\n    mov r6, r10\n    mov r7, r11\n    push {r4-r7}\n"
#if defined(__ARM_FP)
      "    vpush {s16-s31}\n"
      "    vmov s0, r0\n    adds r1, r0, #1\n    vmov s15, r1\n    adds r1, #1\n"
      "    vmov s16, r1\n    adds r1, #1\n    vmov s31, r1\n"
#endif
      "    mov r12, r0\n    mov lr, r0\n    mov r8, r0\n    mov r9, r0\n"
      "    mov r10, r0\n    mov r11, r0\n"
      "    movs r4, #0\n    mov r5, r0\n    mov r6, r0\n    mov r7, r0\n    mov r2, r0\n"
      "    ldr r3, =2000\n"
      "1:  subs r3, #1\n    bne 1b\n" /* the flags live from one to the other */
      "    eors r5, r0\n    orrs r4, r5\n    eors r6, r0\n    orrs r4, r6\n"
      "    eors r7, r0\n    orrs r4, r7\n    eors r2, r0\n    orrs r4, r2\n"
      "    mov r1, r8\n    eors r1, r0\n    orrs r4, r1\n"
      "    mov r1, r9\n    eors r1, r0\n    orrs r4, r1\n"
      "    mov r1, r10\n    eors r1, r0\n    orrs r4, r1\n"
      "    mov r1, r11\n    eors r1, r0\n    orrs r4, r1\n"
      "    mov r1, r12\n    eors r1, r0\n    orrs r4, r1\n"
      "    mov r1, lr\n    eors r1, r0\n    orrs r4, r1\n"
#if defined(__ARM_FP)
      "    vmov r1, s0\n    eors r1, r0\n    orrs r4, r1\n    adds r0, #1\n"
      "    vmov r1, s15\n    eors r1, r0\n    orrs r4, r1\n    adds r0, #1\n"
      "    vmov r1, s16\n    eors r1, r0\n    orrs r4, r1\n    adds r0, #1\n"
      "    vmov r1, s31\n    eors r1, r0\n    orrs r4, r1\n"
      "    vpop {s16-s31}\n"
#endif
      "    mov r0, r4\n"
      "    pop {r4-r7}\n    mov r8, r4\n    mov r9, r5\n    mov r10, r6\n    mov r11, r7\n"
      "    pop {r4-r7, pc}\n    .ltorg\n"
      ".size spin, . - spin\n");

static void task(unsigned which)
{
    while (ticks < TICKS) {
        errors[which] |= spin(0x3F800000 + (which << 20) + rounds[which]++ % 1000 * 16);
    }
    is_done[which] = 1;
}

void first_task(void)
{
    task(0);
    while (!is_done[1]) {
    }
    REG(0xE000E010) = 0;
    note("preemption", "first errors", errors[0]);
    note("preemption", "second errors", errors[1]);
    note("preemption", "first ran", rounds[0] > 0);
    note("preemption", "second ran", rounds[1] > 0);
    note("preemption", "enough ticks", ticks >= TICKS);
    note("preemption", "a switch a tick", switches >= TICKS - 1);
    report();
}

void second_task(void)
{
    task(1);
    for (;;) {
    }
}

int main(void)
{
    REG(0xE000E014) = 19999;
    REG(0xE000E018) = 0;
    REG(0xE000E010) = 7;
    start_tasks();
    return 0;
}
