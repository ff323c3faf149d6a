"""What a training makes of the machine."""

import pytest
import torch

from uncrappify.training import hardware


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, "bf16-mixed"),
        ({"avx512_bf16": False, "amx_bf16": True}, "bf16-mixed"),
        ({"avx512_f": True, "avx512_bf16": False}, "32-true"),
        ({"architecture": "aarch64"}, "32-true"),
    ],
)
def test_a_processor_that_multiplies_bf16_trains_in_it(
    features: dict[str, object], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features)
    assert hardware.precision("auto") == expected


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), "32-true"), ((8, 0), "bf16-mixed")])
def test_a_gpu_that_multiplies_bf16_trains_in_it(
    capability: tuple[int, int], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    assert hardware.precision("auto") == expected


def test_what_is_asked_for_is_taken() -> None:
    assert hardware.precision("bf16") == "bf16-mixed"
    assert hardware.precision("fp32") == "32-true"
