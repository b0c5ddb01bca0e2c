/** @file
 * STM32F746: 25 MHz crystal to 216 MHz with over-drive, ART accelerator, both L1 caches, USART1.
 *
 * Addresses and bits: RM0385; core registers: Armv7-M ARM and Cortex-M7 TRM.
 */
#define PWR_CR1 0x40007000U
#define PWR_CSR1 0x40007004U
#define USART_CR1 0x40011000U
#define USART_BRR 0x4001100CU
#define USART_ISR 0x4001101CU
#define USART_RDR 0x40011024U
#define USART_TDR 0x40011028U
#define USART1_IRQ 37U
#define GPIOA_MODER 0x40020000U
#define GPIOA_AFRH 0x40020024U
#define GPIOB_MODER 0x40020400U
#define GPIOB_AFRL 0x40020420U
#define RCC_CR 0x40023800U
#define RCC_PLLCFGR 0x40023804U
#define RCC_CFGR 0x40023808U
#define RCC_AHB1ENR 0x40023830U
#define RCC_APB1ENR 0x40023840U
#define RCC_APB2ENR 0x40023844U
#define FLASH_ACR 0x40023C00U
#define SCB_CCR 0xE000ED14U
#define SCB_CCSIDR 0xE000ED80U
#define SCB_CSSELR 0xE000ED84U
#define SCB_ICIALLU 0xE000EF50U
#define SCB_DCISW 0xE000EF60U

/** Invalidate and enable the instruction cache. */
static void enable_icache(void)
{
    __asm volatile("dsb\n\tisb" ::: "memory");
    REG(SCB_ICIALLU) = 0;
    __asm volatile("dsb\n\tisb" ::: "memory");
    REG(SCB_CCR) |= 1U << 17;
    __asm volatile("dsb\n\tisb" ::: "memory");
}

/** Invalidate, line by line, and enable the data cache. */
static void enable_dcache(void)
{
    REG(SCB_CSSELR) = 0;
    __asm volatile("dsb" ::: "memory");
    uint32_t geometry = REG(SCB_CCSIDR);
    uint32_t last_set = geometry >> 13 & 0x7FFFU, last_way = geometry >> 3 & 0x3FFU;

    for (uint32_t set = 0; set <= last_set; set++) {
        for (uint32_t way = 0; way <= last_way; way++) {
            REG(SCB_DCISW) = way << 30 | set << 5; /* four ways, lines of 32 bytes */
        }
    }
    __asm volatile("dsb" ::: "memory");
    REG(SCB_CCR) |= 1U << 16;
    __asm volatile("dsb\n\tisb" ::: "memory");
}

/** HSE 25 MHz / 25 * 432 / 2; AHB at 216, APB1 at 54, APB2 at 108 MHz. */
static void start_clocks(void)
{
    REG(RCC_CR) |= 1U << 16; /* HSEON */
    while (!(REG(RCC_CR) & 1U << 17)) {
    }
    REG(RCC_APB1ENR) |= 1U << 28; /* PWREN */
    (void)REG(RCC_APB1ENR);       /* the clock needs two cycles */
    REG(PWR_CR1) |= 3U << 14;     /* regulator scale 1 */
    REG(RCC_PLLCFGR) = 25U << 0 | 432U << 6 | 0U << 16 | 1U << 22 | 9U << 24;
    REG(RCC_CR) |= 1U << 24; /* PLLON */
    REG(PWR_CR1) |= 1U << 16; /* over-drive, then its switch */
    while (!(REG(PWR_CSR1) & 1U << 16)) {
    }
    REG(PWR_CR1) |= 1U << 17;
    while (!(REG(PWR_CSR1) & 1U << 17)) {
    }
    /* The ART accelerator must be off while it is reset. */
    REG(FLASH_ACR) = 1U << 11;
    REG(FLASH_ACR) = 7U << 0 | 1U << 8 | 1U << 9; /* 7 wait states, prefetch, ART */
    while ((REG(FLASH_ACR) & 0xFU) != 7U) {
    }
    while (!(REG(RCC_CR) & 1U << 25)) {
    }
    REG(RCC_CFGR) = 5U << 10 | 4U << 13; /* APB1 / 4, APB2 / 2 */
    REG(RCC_CFGR) |= 2U;
    while ((REG(RCC_CFGR) >> 2 & 3U) != 2U) {
    }
}

static void USART1_IRQHandler(void)
{
    if (REG(USART_ISR) & 1U << 5) {
        received((char)REG(USART_RDR));
    }
}

void put_char(char character)
{
    while (!(REG(USART_ISR) & 1U << 7)) {
    }
    REG(USART_TDR) = (uint8_t)character;
}

void start(void)
{
    enable_fpu();
    enable_icache();
    enable_dcache();
    start_clocks();
    start_ticks(216000000U);
    REG(RCC_AHB1ENR) |= 3U; /* GPIOA, GPIOB */
    REG(RCC_APB2ENR) |= 1U << 4;
    (void)REG(RCC_APB2ENR);
    /* PA9 sends and PB7 receives (ST-LINK's port), both alternate function 7. */
    REG(GPIOA_AFRH) = (REG(GPIOA_AFRH) & ~(0xFU << 4)) | 7U << 4;
    REG(GPIOA_MODER) = (REG(GPIOA_MODER) & ~(3U << 18)) | 2U << 18;
    REG(GPIOB_AFRL) = (REG(GPIOB_AFRL) & ~(0xFU << 28)) | 7U << 28;
    REG(GPIOB_MODER) = (REG(GPIOB_MODER) & ~(3U << 14)) | 2U << 14;
    REG(USART_BRR) = (108000000U + 57600U) / 115200U;
    REG(USART_CR1) = 1U << 0 | 1U << 2 | 1U << 3 | 1U << 5; /* on, both ways, RXNE interrupts */
    enable_interrupt(USART1_IRQ, USART1_IRQHandler);
}
