/** @file
 * Exceptions seen from inside: frames, EXC_RETURN, masks, priorities, pending and active bits.
 *
 * Left out: where an interrupt that a store has pended comes in (its stacked pc; anywhere up to
 * the ISB is right), how many bits of a priority there are (QEMU: 8 from Armv7-M on), VECTPENDING
 * while BASEPRI masks (QEMU does not apply it), S0 to S15 of a frame that no handler has made the
 * core write (lazy stacking), RETTOBASE in thread mode (unknown there; QEMU: 1) and on Armv6-M
 * (does not have it; QEMU does), CPUID.
 */
#include "report.h"

enum { A = 20, B = 21, C = 22, D = 23, E = 24 }; /* interrupts: nothing else uses these lines */
#define BIT(irq) (1u << (irq))

static volatile unsigned step, order, runs_of_a;

static void ran(unsigned digit)
{
    order = order << 4 | digit;
}

/** Everything that says where the processor is. */
__attribute__((noinline)) static void note_state(const char *where, unsigned exc_return)
{
    note(where, "ipsr", READ("ipsr"));
    note(where, "xpsr.exception", READ("xpsr") & 0x1FF);
    note(where, "lr", exc_return & EXC_RETURN_BITS);
    note(where, "msp", READ("msp"));
    note(where, "control", READ("control") & CONTROL_BITS);
    note(where, "icsr.vectactive", ICSR & 0x1FF);
    note(where, "icsr.pending", ICSR & ~(0x1FFu | RETTOBASE));
    note(where, "ispr", ISPR & 0x1F00000);
    note(where, "primask", READ("primask"));
#if IS_V7
    if (exc_return) {
        note(where, "icsr.rettobase", ICSR & RETTOBASE);
    }
    note(where, "iabr", IABR & 0x1F00000);
    note(where, "shcsr", SHCSR);
    note(where, "basepri", READ("basepri"));
    note(where, "faultmask", READ("faultmask"));
#endif
}

static void note_frame(const char *where, const struct frame *frame)
{
    note(where, "frame.r0", frame->r0);
    note(where, "frame.r1", frame->r1);
    note(where, "frame.r2", frame->r2);
    note(where, "frame.r3", frame->r3);
    note(where, "frame.r12", frame->r12);
    note(where, "frame.lr", frame->lr);
    note(where, "frame.xpsr", frame->xpsr & XPSR_BITS);
    note(where, "frame", (unsigned)frame);
}

static void set_priority(unsigned irq, unsigned value)
{
    unsigned shift = 8 * (irq & 3);
    IPR(irq) = (IPR(irq) & ~(0xFFu << shift)) | value << shift;
}

static void pend(unsigned bits)
{
    ISPR = bits;
    BARRIER();
}

/* --- SVC: exact frames ------------------------------------------------------------------- */

#if defined(__ARM_FEATURE_DSP)
#define PROBE_FLAGS "0x680A0000" /* Z, C, Q, two of GE */
#define PROBE_APSR "apsr_nzcvqg"
#else
#define PROBE_FLAGS "0x60000000"
#define PROBE_APSR "apsr_nzcvq"
#endif

unsigned after_svc[8];
void probe_svc(unsigned *after, unsigned sp_drop);
extern const char probe_svc_behind[];
__asm(".syntax unified\n.text\n.balign 4\n.thumb_func\n.type probe_svc, %function\n"
      "probe_svc:\n"
      "    push {r4-r7, lr}\n    sub sp, #4\n    mov r4, r0\n    mov r5, sp\n"
      "    subs r6, r5, r1\n    mov sp, r6\n    mov r7, sp\n"
      "    ldr r0, =0x0C0FFEE0\n    mov r12, r0\n    ldr r0, =0x12345679\n    mov lr, r0\n"
      "    ldr r6, =" PROBE_FLAGS "\n"
      "    ldr r0, =0xA0A0A0A0\n    ldr r1, =0xB1B1B1B1\n"
      "    ldr r2, =0xC2C2C2C2\n    ldr r3, =0xD3D3D3D3\n"
      "    msr " PROBE_APSR ", r6\n"
      "    svc 1\n"
      "probe_svc_behind:\n"
      "    mrs r6, apsr\n    stmia r4!, {r0-r3, r6}\n"
      "    mov r0, r12\n    mov r1, lr\n    mov r2, sp\n    subs r2, r7, r2\n"
      "    stmia r4!, {r0-r2}\n"
      "    mov sp, r5\n    add sp, #4\n    pop {r4-r7, pc}\n    .ltorg\n"
      ".size probe_svc, . - probe_svc\n");

static const char *svc_where;

static void note_after_svc(void)
{
    static const char *const what[] = {"r0 after", "r1 after",  "r2 after", "r3 after",
                                       "apsr after", "r12 after", "lr after", "sp moved by"};
    for (unsigned i = 0; i < 8; i++) {
        note(svc_where, what[i], after_svc[i]);
    }
}

#if HAS_FPU
static void use_fpu_in_handler(const struct frame *frame);
#endif

HANDLER(SVC_Handler, svc_body)
{
    const char *where = svc_where;
    if (exc_return & 4) {
        frame = (struct frame *)READ("psp");
    }
    unsigned number = ((const unsigned char *)frame->pc)[-2];
    ran(5);
    switch (number) {
    case 1:
        note_state(where, exc_return);
        note_frame(where, frame);
        note(where, "frame.pc", frame->pc - (unsigned)probe_svc_behind);
        frame->r0 += 1;
        frame->r12 += 1;
        frame->xpsr ^= 0xF0000000u;
        break;
    case 2: /* back to privileged */
        note_state(where, exc_return);
        WRITE("control", READ("control") & ~1u);
        break;
    case 3:
        note_state(where, exc_return);
        break;
#if HAS_FPU
    case 4:
        use_fpu_in_handler(frame);
        break;
    case 10: {
        const unsigned *words = (const unsigned *)frame;
        note(where, "lr", exc_return & EXC_RETURN_BITS);
        note(where, "frame.s0", words[8]);
        note(where, "frame.s15", words[23]);
        note(where, "frame.fpscr", words[24]);
        break;
    }
#endif
    default:
        break;
    }
}

static void on_process_stack(void (*function)(void))
{
    static unsigned stack[256] __attribute__((aligned(8)));
    WRITE("psp", stack + 256);
    register void (*to)(void) __asm("r4") = function;
    unsigned control = READ("control");
    __asm volatile(UNIFIED "msr control, %0\n\tisb\n\tblx %1\n\tmrs r0, control\n\tmovs r1, #2\n\t"
                   "bics r0, r1\n\tmsr control, r0\n\tisb" ::"r"(control | 2),
                   "r"(to)
                   : "r0", "r1", "r2", "r3", "r12", "lr", "cc", "memory");
    note(svc_where, "psp moved by", (unsigned)(stack + 256) - READ("psp"));
}

static void svc_plain(void)
{
    note(svc_where, "control in thread", READ("control") & CONTROL_BITS);
    note(svc_where, "msp in thread", READ("msp"));
    if (READ("control") & 2) {
        unsigned msp = READ("msp");
        note(svc_where, "psp in thread", READ("psp"));
        WRITE("msp", msp - 16); /* the stack that is not in use */
        probe_svc(after_svc, 0);
        note(svc_where, "msp written in thread", READ("msp"));
        WRITE("msp", msp);
    }
    probe_svc(after_svc, 0);
}

static void svc_misaligned(void)
{
    probe_svc(after_svc, 4);
}

static void test_svc(void)
{
    svc_where = "svc on msp";
    svc_plain();
    note_after_svc();
    svc_where = "svc on msp, misaligned";
    svc_misaligned();
    note_after_svc();
    svc_where = "svc on psp";
    on_process_stack(svc_plain);
    note_after_svc();
    svc_where = "svc on psp, misaligned";
    on_process_stack(svc_misaligned);
    note_after_svc();
}

#if IS_V7
static void svc_unprivileged(void)
{
    WRITE("control", READ("control") | 1);
    /* All of this must be ignored or read zero. */
    __asm volatile("cpsid i\n\tmsr basepri, %0\n\tmsr primask, %0" ::"r"(0xFF) : "memory");
    unsigned basepri = READ("basepri"), msp = READ("msp"), control = READ("control");
    __asm volatile("svc 3" ::: "memory");
    note(svc_where, "control after svc", READ("control") & CONTROL_BITS);
    __asm volatile("svc 2" ::: "memory");
    note(svc_where, "basepri seen", basepri);
    note(svc_where, "msp seen", msp);
    note(svc_where, "control seen", control & CONTROL_BITS);
    note(svc_where, "control after", READ("control") & CONTROL_BITS);
}
#endif

/* --- interrupts -------------------------------------------------------------------------- */

enum {
    NEST = 1,
    REPEND,
    MASK_IN_HANDLER,
    FAULTMASK_IN_HANDLER,
    LOWER_SELF,
    GROUP,
    LOG,
    CALL,
    NEST_FPU,
};
static unsigned frame_of_a;

HANDLER(irq_a, body_of_a)
{
    ran(0xA);
    if (step == NEST) {
        frame_of_a = (unsigned)frame;
        note_state("nesting, a", exc_return);
        note("nesting, a", "stacked xpsr", frame->xpsr & 0x010001FF);
        pend(BIT(B) | BIT(C) | BIT(D)); /* B preempts; C and D chain */
        ran(0xA);
        note_state("nesting, back in a", exc_return);
    }
    if (step == REPEND && runs_of_a++ == 0) {
        pend(BIT(A));
        note_state("pends itself", exc_return);
    }
    if (step == MASK_IN_HANDLER) {
        __asm volatile("cpsid i" ::: "memory");
        pend(BIT(B));
        ran(0xA);
    }
#if IS_V7
    if (step == FAULTMASK_IN_HANDLER) {
        __asm volatile("cpsid f\n\tisb" ::: "memory");
        pend(BIT(B));
        note("faultmask in a handler", "faultmask", READ("faultmask"));
        ran(0xA);
    }
    if (step == LOWER_SELF) {
        pend(BIT(C));
        ran(1);
        set_priority(A, 0xC0);
        BARRIER();
        ran(2);
    }
#endif
    if (step == GROUP) {
        pend(BIT(B));
        ran(0xA);
    }
    if (step == CALL) {
        svc_where = "svc in a handler";
        __asm volatile("svc 3" ::: "memory");
        ran(0xA);
    }
}

HANDLER(irq_b, body_of_b)
{
    ran(0xB);
    if (step == NEST) {
        note_state("nesting, b", exc_return);
        note("nesting, b", "stacked xpsr", frame->xpsr & 0x010001FF);
    }
#if HAS_FPU
    if (step == NEST_FPU) {
        note_state("fpu, nested", exc_return);
        __asm volatile("vmov s0, %0\n\tvmov s15, %0\n\tvmsr fpscr, %0" ::"r"(0) : "memory");
        note("fpu, nested", "frame.s1", ((const unsigned *)frame)[9]);
        note("fpu, nested", "frame.fpscr", ((const unsigned *)frame)[24]);
    }
#endif
    if (step == LOG) {
        note("pended by STIR", "lr", exc_return & EXC_RETURN_BITS);
    }
}

HANDLER(irq_c, body_of_c)
{
    ran(0xC);
    if (step == NEST) {
        note_state("nesting, c chained", exc_return);
        note("nesting, c chained", "frame moved by", frame_of_a - (unsigned)frame);
        note("nesting, c chained", "stacked xpsr", frame->xpsr & 0x010001FF);
    }
}

HANDLER(irq_d, body_of_d)
{
    ran(0xD);
    if (step == NEST) {
        note_state("nesting, d chained", exc_return);
        note("nesting, d chained", "frame moved by", frame_of_a - (unsigned)frame);
    }
}

HANDLER(irq_e, body_of_e)
{
    (void)frame, (void)exc_return;
    ran(0xE);
}

HANDLER(PendSV_Handler, pendsv_body)
{
    (void)frame;
    ran(1);
    if (step == LOG) {
        note_state("pendsv", exc_return);
    }
}

HANDLER(SysTick_Handler, systick_body)
{
    (void)frame;
    ran(2);
    if (step == LOG) {
        note_state("systick", exc_return);
    }
}

HANDLER(NMI_Handler, nmi_body)
{
    (void)frame;
    ran(3);
    note_state("nmi", exc_return);
}

HANDLER(HardFault_Handler, hardfault_body)
{
    (void)frame;
    ran(4);
    note_state("svc that PRIMASK masks", exc_return);
}

static void start(unsigned what)
{
    step = what;
    order = 0;
}

static void note_order(const char *where)
{
    note(where, "order", order);
}

static void test_priorities(void)
{
    SHPR2 = 0x40000000;
    SHPR3 = 0x80C00000;
    IPR(A) = 0x80C08040;
    note("priorities", "shpr2", SHPR2);
    note("priorities", "shpr3", SHPR3);
    note("priorities", "ipr", IPR(A));
    note("priorities", "ipr of others", IPR(A - 4));
#if IS_V7
    REG8(0xE000ED22) = 0x40; /* PendSV: bytes can be written from Armv7-M on */
    REG8(0xE000E400 + B) = 0xC0;
    note("priorities", "shpr3, a byte written", SHPR3);
    note("priorities", "ipr, a byte written", IPR(A));
    note("priorities", "ipr, a byte read", REG8(0xE000E400 + B));
    note("priorities", "aircr", AIRCR & 0xFFFF0700);
    AIRCR = 0x05FA0300;
    note("priorities", "aircr.prigroup set", AIRCR & 0xFFFF0700);
    AIRCR = 0x00000500; /* without the key: ignored */
    note("priorities", "aircr without its key", AIRCR & 0xFFFF0700);
    AIRCR = 0x05FA0000;
    SHPR1 = 0;
#endif
    SHPR2 = SHPR3 = 0;
    IPR(A) = IPR(E) = 0;
    note("priorities", "ipr back to zero", IPR(A));
}

static void test_pending_bits(void)
{
    const char *where = "pending bits";
    start(0);
    __asm volatile("cpsid i" ::: "memory");
    ISER = BIT(A) | BIT(B);
    ISER = BIT(C);
    ICER = BIT(B);
    note(where, "iser", ISER & 0x1F00000);
    note(where, "icer", ICER & 0x1F00000);
    pend(BIT(B));
    note(where, "icsr, a disabled one pending", ICSR & ~RETTOBASE);
    pend(BIT(A) | BIT(C));
    note(where, "ispr", ISPR & 0x1F00000);
    note(where, "icpr", ICPR & 0x1F00000);
    note(where, "icsr", ICSR & ~RETTOBASE);
    ICPR = BIT(C);
    note(where, "ispr, one cleared", ISPR & 0x1F00000);
    ICSR = PENDSVSET | PENDSTSET;
    BARRIER();
    note(where, "icsr with pendsv and systick", ICSR & ~RETTOBASE);
    ICSR = PENDSVCLR;
    BARRIER();
    note(where, "icsr without pendsv", ICSR & ~RETTOBASE);
    ICSR = PENDSTCLR;
    BARRIER();
    note(where, "icsr without systick", ICSR & ~RETTOBASE);
    ICER = BIT(A);
    BARRIER();
    note(where, "icsr, none enabled", ICSR & ~RETTOBASE);
    __asm volatile("cpsie i\n\tisb" ::: "memory");
    note_order("pending, none enabled");
    ISER = BIT(A);
    BARRIER();
    note_order("pending, then enabled");
    ICPR = BIT(B);
    note(where, "ispr in the end", ISPR & 0x1F00000);
    ISER = BIT(A) | BIT(B) | BIT(C) | BIT(D) | BIT(E);
}

static void test_order(void)
{
    set_priority(A, 0x80);
    set_priority(B, 0x40);
    set_priority(C, 0x80);
    set_priority(D, 0xC0);
    set_priority(E, 0x80);
    start(NEST);
    pend(BIT(A));
    note_order("nesting");
    note_state("thread after nesting", 0);

    start(REPEND);
    pend(BIT(A));
    note_order("pends itself");

    start(0); /* as many as there are at once: by priority, then by number */
    SHPR3 = 0x80800000;
    __asm volatile("cpsid i" ::: "memory");
    ICSR = PENDSVSET | PENDSTSET;
    pend(BIT(A) | BIT(B) | BIT(C) | BIT(D) | BIT(E));
    note_order("all pending, masked");
    __asm volatile("wfi\n\tsev\n\twfe" ::: "memory"); /* wakes at once, takes nothing */
    note_order("all pending, slept");
    __asm volatile("cpsie i\n\tisb" ::: "memory");
    note_order("all pending, unmasked");
    note("all pending, unmasked", "icsr", ICSR & ~RETTOBASE);
    SHPR3 = 0;

    start(LOG);
    ICSR = PENDSVSET;
    BARRIER();
    ICSR = PENDSTSET;
    BARRIER();
    note_order("pendsv, systick");

    start(0);
    __asm volatile("cpsid i" ::: "memory");
    ICSR = NMIPENDSET;
    BARRIER();
    note_order("nmi although PRIMASK is set");
    __asm volatile("cpsie i" ::: "memory");

    start(CALL);
    pend(BIT(A));
    note_order("svc in a handler");

    start(MASK_IN_HANDLER);
    pend(BIT(A));
    note_order("PRIMASK set by a handler");
    note("PRIMASK set by a handler", "primask", READ("primask"));
    __asm volatile("cpsie i\n\tisb" ::: "memory");
    note_order("PRIMASK set by a handler, cleared");
}

#if IS_V7
static void test_v7(void)
{
    start(LOG);
    STIR = B;
    BARRIER();
    note_order("pended by STIR");

    start(FAULTMASK_IN_HANDLER);
    pend(BIT(A));
    note("faultmask in a handler", "faultmask after it", READ("faultmask"));
    note_order("faultmask in a handler");
    __asm volatile("cpsie f\n\tisb" ::: "memory");
    note_order("faultmask in a handler, cleared");

    start(0);
    __asm volatile("cpsid f\n\tisb" ::: "memory");
    pend(BIT(A));
    note("faultmask in thread", "faultmask", READ("faultmask"));
    note_order("faultmask in thread");
    ICSR = NMIPENDSET;
    BARRIER();
    note_order("faultmask in thread, nmi");
    note("faultmask in thread", "faultmask after nmi", READ("faultmask"));
    __asm volatile("cpsie f\n\tisb" ::: "memory");
    note_order("faultmask in thread, cleared");

    start(0);
    WRITE("basepri", 0x80);
    note("basepri", "basepri", READ("basepri"));
    pend(BIT(A) | BIT(B) | BIT(D));
    note_order("basepri 80");
    note("basepri", "ispr", ISPR & 0x1F00000);
    WRITE("basepri_max", 0xC0);
    note("basepri", "basepri_max, less urgent", READ("basepri"));
    WRITE("basepri_max", 0x40);
    note("basepri", "basepri_max, more urgent", READ("basepri"));
    WRITE("basepri_max", 0);
    note("basepri", "basepri_max, zero", READ("basepri"));
    pend(BIT(B));
    note_order("basepri 40");
    WRITE("basepri", 0xC0);
    note_order("basepri c0");
    WRITE("basepri", 0);
    note_order("basepri 0");

    start(LOWER_SELF);
    pend(BIT(A));
    note_order("a handler lowers its own priority");
    set_priority(A, 0x40);

    set_priority(B, 0);
    start(GROUP);
    pend(BIT(A));
    note_order("no group priority");
    AIRCR = 0x05FA0600; /* 1 bit of group: 0x40 and 0x00 do not preempt each other */
    BARRIER();
    start(GROUP);
    pend(BIT(A));
    note_order("same group priority");
    start(0);
    __asm volatile("cpsid i" ::: "memory");
    pend(BIT(A) | BIT(B) | BIT(C));
    __asm volatile("cpsie i\n\tisb" ::: "memory");
    note_order("sub-priorities decide who is first");
    AIRCR = 0x05FA0000;
    set_priority(A, 0x80);
    set_priority(B, 0x40);

    svc_where = "svc from unprivileged";
    on_process_stack(svc_unprivileged);
    note("configuration", "shcsr", SHCSR);
    SHCSR = 7u << 16;
    note("configuration", "shcsr with faults enabled", SHCSR);
    SHCSR = 0;
}
#endif

/* --- the FPU ----------------------------------------------------------------------------- */

#if HAS_FPU
unsigned fpu_before[34], fpu_after[34], fpu_handler;

static void use_fpu_in_handler(const struct frame *frame)
{
    const unsigned *words = (const unsigned *)frame;
    static const char *const what[] = {"frame.s0", "frame.s1", "frame.s15", "frame.fpscr"};
    static const unsigned char at[] = {8, 9, 23, 24};
    note("fpu in a handler", "control before", READ("control") & CONTROL_BITS);
    unsigned found;
    __asm volatile("vmov s0, %1\n\tvmov s15, %1\n\tvmov s1, %1\n\tvmrs %0, fpscr\n\t"
                   "vcmp.f32 s0, s0\n\tvmrs r3, fpscr"
                   : "=&r"(found)
                   : "r"(0x7F800001)
                   : "r3", "memory");
    note("fpu in a handler", "fpscr", found & 0x07C00000); /* the others are unknown */
    note("fpu in a handler", "control after", READ("control") & CONTROL_BITS);
    for (unsigned i = 0; i < 4; i++) {
        note("fpu in a handler", what[i], words[at[i]]);
    }
    note("fpu in a handler", "frame.xpsr", frame->xpsr & 0x010003FF);
    step = NEST_FPU; /* a nested one now finds a handler that uses the FPU */
    pend(BIT(B));
    step = 0;
    unsigned s0, s15, fpscr;
    __asm volatile("vmov %0, s0\n\tvmov %1, s15\n\tvmrs %2, fpscr"
                   : "=r"(s0), "=r"(s15), "=r"(fpscr)::"memory");
    note("fpu in a handler", "s0 after nested", s0);
    note("fpu in a handler", "s15 after nested", s15);
    note("fpu in a handler", "fpscr after nested", fpscr & 0xF7C00001);
}

/* Fill S0 to S31 and FPSCR, call, and store them again. */
void probe_fpu(const unsigned *before, unsigned *after, void (*call)(void));
__asm(".syntax unified\n.text\n.balign 4\n.thumb_func\n.type probe_fpu, %function\n"
      "probe_fpu:\n"
      "    push {r4-r6, lr}\n    vpush {s16-s31}\n    mov r4, r1\n    mov r5, r2\n"
      "    vldmia r0!, {s0-s31}\n    ldr r3, [r0]\n    vmsr fpscr, r3\n"
      "    blx r5\n"
      "    vstmia r4!, {s0-s31}\n    vmrs r3, fpscr\n    str r3, [r4]\n"
      "    vpop {s16-s31}\n    pop {r4-r6, pc}\n"
      ".size probe_fpu, . - probe_fpu\n");

static void call_3(void)
{
    __asm volatile("svc 3" ::: "memory");
}

static void call_4(void)
{
    __asm volatile("svc 4" ::: "memory");
}

static void call_10(void)
{
    __asm volatile("svc 10" ::: "memory");
}

static void call_1(void)
{
    probe_svc(after_svc, 0);
}

static void call_1_misaligned(void)
{
    probe_svc(after_svc, 4);
}

static void note_fpu(const char *where)
{
    unsigned changed = 0;
    for (unsigned i = 0; i < 32; i++) {
        changed |= (fpu_before[i] != fpu_after[i]) << i;
    }
    note(where, "registers changed", changed);
    note(where, "fpscr after", fpu_after[32]);
    note(where, "control after", READ("control") & CONTROL_BITS);
}

static void fpu_on_process_stack(void)
{
    note(svc_where, "control in thread", READ("control") & CONTROL_BITS);
    probe_fpu(fpu_before, fpu_after, call_1_misaligned);
}

static void test_fpu(void)
{
    for (unsigned i = 0; i < 32; i++) {
        fpu_before[i] = 0x3F800000 + i * 0x01010101;
    }
    fpu_before[32] = 0x60C00010; /* Z, C, rounding towards zero, inexact */
    note("fpu", "fpccr", FPCCR & 0xC0000000);
    note("fpu", "control before its first use", READ("control") & CONTROL_BITS);
    svc_where = "fpu in thread";
    probe_fpu(fpu_before, fpu_after, call_1);
    note_after_svc();
    note_fpu(svc_where);
    svc_where = "fpu in thread, misaligned";
    probe_fpu(fpu_before, fpu_after, call_1_misaligned);
    note_after_svc();
    note_fpu(svc_where);
    svc_where = "fpu in a handler";
    probe_fpu(fpu_before, fpu_after, call_4);
    note_fpu(svc_where);

    WRITE("control", READ("control") & ~4u); /* forget the context */
    svc_where = "fpu no longer in use";
    note(svc_where, "control in thread", READ("control") & CONTROL_BITS);
    call_3();
    probe_svc(after_svc, 0);
    note_after_svc();
    start(NEST);
    pend(BIT(A));

    FPCCR &= ~(1u << 30); /* eager: the core itself writes S0 to S15 */
    BARRIER();
    svc_where = "fpu, LSPEN clear";
    probe_fpu(fpu_before, fpu_after, call_10);
    note_fpu(svc_where);

    svc_where = "fpu on psp";
    on_process_stack(fpu_on_process_stack);
    note_after_svc();
    note_fpu(svc_where);
    start(NEST);
    pend(BIT(A));
    note_order("nesting with fpu");
    FPCCR |= 1u << 30;
    BARRIER();
}
#endif

static void test_masked_svc(void)
{
    svc_where = "svc that PRIMASK masks";
    start(0);
    __asm volatile("cpsid i\n\tsvc 6\n\tnop" ::: "memory");
    note_order(svc_where);
    __asm volatile("cpsie i\n\tisb" ::: "memory");
    note_order(svc_where); /* it must not come later either */
#if IS_V7
    note(svc_where, "hfsr", HFSR);
#endif
}

int main(void)
{
    note("reset", "ipsr", READ("ipsr"));
    note("reset", "control", READ("control") & CONTROL_BITS);
    note("reset", "primask", READ("primask"));
    note("reset", "icsr", ICSR & ~RETTOBASE);
    __asm volatile("msr apsr_nzcvq, %0" ::"r"(0xA0000000) : "cc");
    note("reset", "xpsr", READ("xpsr"));
    __asm volatile("msr apsr_nzcvq, %0" ::"r"(0x50000000) : "cc");
    note("reset", "iepsr", READ("iepsr"));
    note("reset", "ccr.stkalign", CCR & 0x200);
    test_svc();
    test_priorities();
    test_pending_bits();
    test_order();
#if IS_V7
    test_v7();
#endif
#if HAS_FPU
    test_fpu();
#endif
    test_masked_svc();
    report();
}

void ts_halt(void);
#define H ts_halt
__attribute__((section(".vectors"), used)) static void (*const interrupts[32])(void) = {
    H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, irq_a, irq_b, irq_c, irq_d, irq_e,
    H, H, H, H, H, H, H,
};
