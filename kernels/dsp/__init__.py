"""Kernels for cores with the DSP instructions: Cortex-M4, M7 and M33."""
