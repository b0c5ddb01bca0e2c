"""What the kernels are held against: goals, CMSIS-NN, and the best results that anyone published.

CMSIS-NN was built and run for this: commit 99f736a, each layer a direct call with constant
parameters, arm-none-eabi-gcc 12.2.1. Its cycles are estimates without wait states: instructions
counted in an emulator, times a table of the core (Cortex-M4: a load 2, a load or store behind
another 1, a taken branch 2 more; Cortex-M0+: loads and stores 2, a taken branch 1 more). On the
Cortex-M4 its best setting is taken, -O2 with the requantization in inline assembly; on the
Cortex-M0+, for which it has no tuned kernels, -O3. Its code is what the linker kept of it, weights
and tables left out.

Published latencies are results of MLPerf Tiny, closed division, performance mode (milliseconds of
one inference); each names its stack and round: https://github.com/mlcommons/tiny_results_v1.2 and
so on.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Model file -> how the tables call it.
MODELS = {
    "mlperf_kws_int8": "KWS",
    "mlperf_vww_int8": "VWW",
    "mlperf_ic_resnet_int8": "IC",
    "mlperf_ad_int8": "AD",
    "mlperf_sww_int8": "SWW",
}
#: Float models for the comparison with portable kernels.
FLOAT_MODELS = (
    "mlonmcu_micro_kws_m_float",
    "mlperf_vww_float32",
    "mlperf_ic_resnet_float32",
    "mlperf_ad_float32",
    "tflm_mnist_lstm_float",
)
#: VWW with channels that are the same for every input computed all the same: as the peers do.
ALL_CHANNELS = "VWW, all channels"


@dataclass(frozen=True)
class Published:
    """The best latency that was published for a board, and whose it is."""

    milliseconds: float
    stack: str


_XCUBE_9, _XCUBE_10 = "X-CUBE-AI 9.0, v1.2", "X-CUBE-AI 10.2, v1.3"
_PLUMERAI = "Plumerai 2023.05, v1.1"
_HALE_1, _HALE_2 = "HALE 1.0, v1.1", "HALE 1.0.17, v1.2"

PUBLISHED = {
    "nucleo_l4r5zi": {
        "KWS": Published(43.187, _XCUBE_9),
        "VWW": Published(88.925, _XCUBE_9),
        "IC": Published(165.120, _XCUBE_9),
        "AD": Published(4.052, _PLUMERAI),
    },
    "disco_f746ng": {
        "KWS": Published(17.749, _PLUMERAI),
        "VWW": Published(34.080, _PLUMERAI),
        "IC": Published(61.570, _HALE_1),
        "AD": Published(1.425, _HALE_2),
    },
    "nucleo_g0b1re": {
        "KWS": Published(474.591, _HALE_2),
        "VWW": Published(1414.000, _HALE_2),
        "IC": Published(1521.600, _HALE_2),
        "AD": Published(40.892, _HALE_2),
    },
    "nucleo_u575zi_q": {
        "KWS": Published(28.994, _XCUBE_10),
        "VWW": Published(59.265, _XCUBE_10),
        "IC": Published(104.287, _PLUMERAI),
        "AD": Published(3.091, _HALE_2),
    },
}
#: The board of the published Cortex-M4 results, and its clock.
M4_BOARD, M4_BOARD_HZ = "nucleo_l4r5zi", 120_000_000

#: Millions of cycles of one inference that we want to stay below.
GOAL_MCYCLES = {
    "generic_m4": {
        "KWS": 4.6, "VWW": 8.5, ALL_CHANNELS: 14.0, "IC": 18.5, "AD": 0.48, "SWW": 1.35
    },
    "generic_m0plus": {"KWS": 18.0, "VWW": 40.0, "IC": 60.0, "AD": 1.2, "SWW": 6.0},
}  # fmt: skip
CMSIS_NN_MCYCLES = {
    "generic_m4": {
        "KWS": 9.00, "VWW": 28.24, ALL_CHANNELS: 28.24, "IC": 35.35, "AD": 0.71, "SWW": 2.62
    },
    "generic_m0plus": {
        "KWS": 39.97, "VWW": 119.82, ALL_CHANNELS: 119.82, "IC": 137.27, "AD": 2.36, "SWW": 12.76
    },
}  # fmt: skip

#: Flash besides weights that ``balanced`` should stay below on the Cortex-M4, in units of 1,000 B.
GOAL_CODE_KB = {"KWS": 14, "VWW": 18, "IC": 14, "AD": 4, "SWW": 14}
#: Machine code of CMSIS-NN on the Cortex-M4; without start-up code.
CMSIS_NN_CODE_BYTES = {"KWS": 22_692, "VWW": 26_052, "IC": 19_200, "AD": 5_436, "SWW": 21_736}
