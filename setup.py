"""Where tinysim's parts lie, and its one native module."""

from setuptools import Extension, find_packages, setup

PARTS = ("boards", "compiler", "kernels", "lab", "simulator", "traces")

setup(
    packages=sorted(
        {*find_packages("src")}
        | {f"tinysim.{name}" for name in find_packages(include=[f"{part}*" for part in PARTS])}
    ),
    package_dir={"": "src"} | {f"tinysim.{part}": part for part in PARTS},
    ext_modules=[
        # A plain shared library that is loaded with ctypes; without a host compiler the
        # pure Python tracer takes its place, hence optional.
        Extension(
            "tinysim.simulator._tracer",
            sources=["simulator/native/memory.c", "simulator/native/tracer.c"],
            depends=["simulator/native/cache.h", "simulator/native/tracer.h"],
            extra_compile_args=["-O2"],
            define_macros=[("Py_LIMITED_API", "0x030B0000")],
            py_limited_api=True,
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
