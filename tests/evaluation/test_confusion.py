"""Accuracy and IoU from one confusion matrix."""

import numpy as np
import pytest
import torch
from mlflow.utils.validation import MAX_ENTITY_KEY_LENGTH, _validate_metric_name
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_jaccard_index

from uncrappify.evaluation.confusion import Confusion, Counts, draw_confusion, name_metrics
from uncrappify.pictures.masks import VOID

MATRIX = np.array([[6, 2, 0], [0, 1, 0], [0, 0, 0]])


def test_accuracy_and_iou_by_hand() -> None:
    counts = Counts(MATRIX)
    assert counts.accuracy == pytest.approx(7 / 9)
    assert counts.iou[:2] == pytest.approx([6 / 8, 1 / 3])
    assert np.isnan(counts.iou[2])
    assert counts.miou == pytest.approx((6 / 8 + 1 / 3) / 2)


def test_they_are_torchmetrics_own() -> None:
    random = torch.Generator().manual_seed(0)
    prediction, target = (torch.randint(4, (2, 30, 40), generator=random) for _ in range(2))
    target[:, :3] = VOID
    confusion = Confusion(4)
    for part in range(2):
        confusion.update(prediction[part], target[part])
    counts = confusion.compute_counts()
    assert counts.matrix.sum() == 2 * 27 * 40
    miou = multiclass_jaccard_index(prediction, target, 4, ignore_index=VOID)
    accuracy = multiclass_accuracy(prediction, target, 4, average="micro", ignore_index=VOID)
    assert counts.miou == pytest.approx(miou.item(), abs=1e-6)
    assert counts.accuracy == pytest.approx(accuracy.item(), abs=1e-6)


def test_every_class_has_a_metric_that_mlflow_takes() -> None:
    classes = ["Stra\u00dfe", "\u9053\u8def", "\u0938\u093f", "\u0938\u0940", "e\u0301", "tree top", "..", "x" * 260]
    named = name_metrics(classes)
    assert list(named) == classes
    assert [named[name] for name in classes[:6]] == [
        "iou_Stra\u00dfe",
        "iou_\u9053\u8def",
        "iou_\u0938_",
        "iou_\u0938__3",
        "iou_\u00e9",
        "iou_tree top",
    ]
    for metric in named.values():
        _validate_metric_name(metric)
        assert len(metric) <= MAX_ENTITY_KEY_LENGTH


def test_counting_leaves_determinism_as_it_was() -> None:
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        Confusion(3).update(torch.zeros(5, dtype=torch.long), torch.zeros(5, dtype=torch.uint8))
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


def test_a_row_of_the_figure_is_what_a_class_was_taken_for_in_percent() -> None:
    (heatmap,) = draw_confusion(Counts(MATRIX), ["sky", "road", "tree"]).data
    assert heatmap.z == ([75.0, 25.0, 0.0], [0.0, 100.0, 0.0], [0.0, 0.0, 0.0])
    assert heatmap.text[0] == ["75", "25", ""]
