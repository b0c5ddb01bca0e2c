/** @file
 * nRF52840: 32 MHz crystal, instruction cache, the UART without DMA.
 *
 * Addresses and bits: nRF52840 Product Specification v1.7, 4.3 (NVMC), 5.4 (CLOCK), 6.9 (GPIO) and
 * 6.33 (UART).
 */
#define TASKS_HFCLKSTART 0x40000000U
#define EVENTS_HFCLKSTARTED 0x40000100U
#define HFCLKSTAT 0x4000040CU
#define UART_STARTRX 0x40002000U
#define UART_STARTTX 0x40002008U
#define UART_RXDRDY 0x40002108U
#define UART_TXDRDY 0x4000211CU
#define UART_INTENSET 0x40002304U
#define UART_ENABLE 0x40002500U
#define UART_PSELTXD 0x4000250CU
#define UART_PSELRXD 0x40002514U
#define UART_RXD 0x40002518U
#define UART_TXD 0x4000251CU
#define UART_BAUDRATE 0x40002524U
#define UART_CONFIG 0x4000256CU
#define UART0_IRQ 2U
#define NVMC_ICACHECNF 0x4001E540U
#define P1_OUTSET 0x50000808U
#define P1_DIRSET 0x50000818U
#define P1_PIN_CNF(pin) (0x50000A00U + 4U * (pin))
#define PORT_1 (1U << 5)

/** The crystal takes over from the internal oscillator: the core's 64 MHz become exact. */
static void start_clocks(void)
{
    REG(EVENTS_HFCLKSTARTED) = 0;
    REG(TASKS_HFCLKSTART) = 1;
    while (!REG(EVENTS_HFCLKSTARTED)) {
    }
    while ((REG(HFCLKSTAT) & 0x10001U) != 0x10001U) { /* it runs, and it is the crystal */
    }
}

static void UART0_IRQHandler(void)
{
    if (REG(UART_RXDRDY)) {
        REG(UART_RXDRDY) = 0;
        (void)REG(UART_RXDRDY); /* or the interrupt may come again */
        received((char)REG(UART_RXD));
    }
}

void put_char(char character)
{
    REG(UART_TXDRDY) = 0;
    REG(UART_TXD) = (uint8_t)character;
    while (!REG(UART_TXDRDY)) {
    }
}

void start(void)
{
    enable_fpu();
    REG(NVMC_ICACHECNF) |= 1U;
    start_clocks();
    start_ticks(64000000U);
    /* P1.03 sends and P1.10 receives (TX and RX of the Nano's header). */
    REG(P1_OUTSET) = 1U << 3;
    REG(P1_DIRSET) = 1U << 3;
    REG(P1_PIN_CNF(10)) = 3U << 2; /* input with pull-up */
    REG(UART_PSELTXD) = PORT_1 | 3U;
    REG(UART_PSELRXD) = PORT_1 | 10U;
    REG(UART_BAUDRATE) = 0x01D7E000U; /* 115,200 */
    REG(UART_CONFIG) = 0;             /* no parity, no flow control */
    REG(UART_ENABLE) = 4;
    REG(UART_STARTTX) = 1;
    REG(UART_STARTRX) = 1;
    REG(UART_INTENSET) = 1U << 2;
    enable_interrupt(UART0_IRQ, UART0_IRQHandler);
}
