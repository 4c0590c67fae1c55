"""A load of a chosen size on an NVIDIA GPU, by the driver alone: no CUDA toolkit, no framework.

python -m tools.gpu.load --seconds 30 --duty 0.5
"""

import argparse
import ctypes
import os
import sys
import time
from typing import Any, Final

BURN: Final = """
.version 6.0
.target sm_50
.address_size 64
.visible .entry burn(.param .u64 out, .param .u32 rounds)
{
    .reg .pred %p;
    .reg .f32 %a, %b, %c, %d, %m;
    .reg .b32 %i, %n, %t;
    .reg .b64 %o;
    ld.param.u64 %o, [out];
    ld.param.u32 %n, [rounds];
    cvta.to.global.u64 %o, %o;
    mov.u32 %t, %tid.x;
    cvt.rn.f32.u32 %a, %t;
    mov.f32 %b, %a;
    mov.f32 %c, %a;
    mov.f32 %d, %a;
    mov.f32 %m, 0f3F7FFFFF;
    mov.u32 %i, 0;
again:
    fma.rn.f32 %a, %a, %m, %m;
    fma.rn.f32 %b, %b, %m, %m;
    fma.rn.f32 %c, %c, %m, %m;
    fma.rn.f32 %d, %d, %m, %m;
    add.u32 %i, %i, 1;
    setp.lt.u32 %p, %i, %n;
    @%p bra again;
    add.f32 %a, %a, %b;
    add.f32 %c, %c, %d;
    add.f32 %a, %a, %c;
    setp.eq.f32 %p, %a, 0f00000000;
    @%p st.global.f32 [%o], %a;
    ret;
}
"""
"""Four independent chains of multiply-adds; stored only if their sum is 0, which it is not."""

_BLOCKS: Final = 4096
_THREADS: Final = 256
_SLICE_S: Final = 0.02
"""About so long is a launch: short against the driver's sampling period of 1/6 s."""


class Gpu:
    """Device 0 (CUDA_VISIBLE_DEVICES says which that is) through libcuda.so.1."""

    def __init__(self) -> None:
        """Load the kernel.

        Raises:
            OSError: there is no libcuda.so.1.
            RuntimeError: the driver refused a call.
        """
        self._cuda = ctypes.CDLL("libcuda.so.1")
        self._call("cuInit", 0)
        device, context = ctypes.c_int(), ctypes.c_void_p()
        self._call("cuDeviceGet", ctypes.byref(device), 0)
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self._call("cuCtxSetCurrent", context)
        module, self._burn = ctypes.c_void_p(), ctypes.c_void_p()
        self._call("cuModuleLoadData", ctypes.byref(module), BURN.encode() + b"\0")
        self._call("cuModuleGetFunction", ctypes.byref(self._burn), module, b"burn")
        self._out = ctypes.c_uint64()
        self._call("cuMemAlloc_v2", ctypes.byref(self._out), ctypes.c_size_t(4096))
        self._rounds = 1000

    def slice(self) -> float:
        """Run for about _SLICE_S; how long it was, in seconds."""
        began = time.monotonic()
        rounds = ctypes.c_uint32(self._rounds)
        parameters = (ctypes.c_void_p * 2)(ctypes.addressof(self._out), ctypes.addressof(rounds))
        size = [ctypes.c_uint(n) for n in (_BLOCKS, 1, 1, _THREADS, 1, 1, 0)]
        self._call("cuLaunchKernel", self._burn, *size, None, parameters, None)
        self._call("cuCtxSynchronize")
        took = time.monotonic() - began
        factor = min(max(_SLICE_S / max(took, 1e-6), 0.25), 4.0)
        self._rounds = min(max(round(self._rounds * factor), 100), 1 << 30)
        return took

    def _call(self, name: str, *arguments: Any) -> None:  # noqa: ANN401 - as ctypes takes them
        code = getattr(self._cuda, name)(*arguments)
        if code:
            raise RuntimeError(f"{name}: CUDA error {code}")


def main() -> int:
    """Burn for a while; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--duty", type=float, default=1.0, help="part of the time, 0 to 1")
    asked = parser.parse_args()
    try:
        gpu = Gpu()
    except (OSError, RuntimeError) as exc:
        sys.stderr.write(f"no load: {exc}; needs an NVIDIA GPU and its driver\n")
        return 5
    until = time.monotonic() + asked.seconds
    while time.monotonic() < until:
        took = gpu.slice()
        if asked.duty < 1:
            time.sleep(took * (1 / asked.duty - 1))
    return 0


if __name__ == "__main__":
    os.environ.setdefault("CUDA_CACHE_DISABLE", "1")
    sys.exit(main())
