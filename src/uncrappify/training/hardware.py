"""What the machine can do, and what training makes of it."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import Any, Literal

import psutil
import torch

from uncrappify.errors import UserError


def precision(wanted: Literal["auto", "fp32", "bf16"]) -> Literal["32-true", "bf16-mixed"]:
    """Choose the number format of the training, in Lightning's terms.

    bf16 pays on CUDA devices of compute capability 8.0 and up and on CPUs with AMX or AVX512-BF16: on an AMD EPYC
    (Zen 5) the lesson's U-Net trains 1.7 times as fast (benchmarks/unet_training.py), the default upscaler as much.
    """
    if wanted == "auto":
        if torch.cuda.is_available():
            fast = torch.cuda.get_device_capability()[0] >= 8
        else:
            able = torch.cpu.get_capabilities()
            fast = any(able.get(feature, False) for feature in ("amx_bf16", "avx512_bf16"))
        wanted = "bf16" if fast else "fp32"
    return "bf16-mixed" if wanted == "bf16" else "32-true"


def devices() -> int:
    """Count what a training can be shared by: GPUs, or cores where there is no GPU."""
    return torch.cuda.device_count() or psutil.cpu_count() or 1


def check_devices(wanted: int) -> None:
    """Compare what a training is to be shared by with what there is.

    Raises:
        UserError: If that is less.
    """
    if wanted > devices():
        raise UserError(
            f"training.devices: {wanted} are asked for, and this machine has {devices()} "
            f"{'GPUs' if torch.cuda.is_available() else 'cores and no GPU'}."
        )


def describe() -> dict[str, Any]:
    """Name the machine: processor, cores, memory in GB, GPU; plain values for tags."""
    return {
        "cpu": _processor(),
        "cores": psutil.cpu_count(logical=False),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }


def _processor() -> str:
    """Name the processor as well as the system knows it; Linux tells it nowhere but in a file."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def peak_memory_mb() -> float:
    """Peak memory in MB: what tensors took on the GPU, else the resident memory of the whole process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    if (peak := getattr(psutil.Process().memory_info(), "peak_wset", None)) is not None:
        return float(peak) / 2**20
    # Not on Windows, which was asked above.
    import resource

    # Linux counts in KiB, macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def pixels_that_fit() -> int:
    """Say how many RGB pixels, as bytes, fit into a quarter of the machine's memory."""
    return int(psutil.virtual_memory().total) // 4 // 3
