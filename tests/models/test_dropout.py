"""As many activations are left out as are to be, other ones each time, and the mean stays."""

from __future__ import annotations

import pytest
import torch

from uncrappify.models.dropout import Dropout

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(("share", "exact"), [(0.3, 77 / 256), (0.5, 0.5)])
def test_the_share_is_left_out_and_the_mean_stays(share: float, exact: float) -> None:
    torch.manual_seed(0)
    dropped = Dropout(share)(torch.ones(99, 1001))
    assert dropped.unique().tolist() == pytest.approx([0, 1 / (1 - exact)])
    # Six standard deviations of 99,099 draws.
    assert (dropped == 0).float().mean().item() == pytest.approx(exact, abs=0.01)
    # No place and no row has more of it: the eighth byte of each number is as random as the others.
    assert (dropped.flatten()[7::8] == 0).float().mean().item() == pytest.approx(exact, abs=0.03)


@pytest.mark.parametrize(("share", "left_out"), [(0.001, 1), (0.999, 255)])
def test_something_is_left_out_of_a_small_share_and_not_all_of_a_large_one(share: float, left_out: int) -> None:
    torch.manual_seed(0)
    dropped = Dropout(share)(torch.ones(99, 1001))
    assert (dropped == 0).float().mean().item() == pytest.approx(left_out / 256, abs=0.002)
    assert dropped.mean().item() == pytest.approx(1, abs=0.3)


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_is_from_0_to_below_1(share: float) -> None:
    with pytest.raises(ValueError, match="from 0 to below 1"):
        Dropout(share)


def test_each_call_leaves_out_others_and_a_seed_gives_them_again() -> None:
    dropout, ones = Dropout(0.5), torch.ones(4, 64)
    torch.manual_seed(0)
    first, second = dropout(ones), dropout(ones)
    torch.manual_seed(0)
    assert torch.equal(dropout(ones), first)
    assert not torch.equal(first, second)


def test_the_gradient_goes_through_what_is_kept_in_the_numbers_own_precision() -> None:
    torch.manual_seed(0)
    h = torch.ones(4, 64, dtype=torch.bfloat16, requires_grad=True)
    dropped = Dropout(0.5)(h)
    assert dropped.dtype == torch.bfloat16
    dropped.sum().backward()
    assert torch.equal(h.grad, dropped)  # type: ignore[arg-type]


def test_nothing_is_left_out_of_what_is_no_training_or_where_none_is_to_be() -> None:
    h = torch.rand(4, 64)
    assert torch.equal(Dropout(0.5).eval()(h), h)
    assert torch.equal(Dropout(0.0)(h), h)
