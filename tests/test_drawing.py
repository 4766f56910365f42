"""The offline digits: MNIST's form, and the same bytes from the same seed."""

import json
from pathlib import Path

import numpy as np

from mnistlib.data import offline
from mnistlib.data.offline.drawing import Hand, draw_digits

ROOT = Path(__file__).resolve().parent.parent
FEW = (30,) * 10


def draw_few(seed, hand=None):
    return draw_digits(FEW, np.random.default_rng(seed), hand)


def test_seed_and_hand_decide_the_bytes():
    first, again, other = (draw_few(seed)[0] for seed in (0, 0, 1))
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()
    thin, thick = (draw_few(0, Hand(pen=pen))[0].mean() for pen in (0.8, 2.0))
    assert thick > 1.3 * thin


def test_training_and_test_images_differ(monkeypatch):
    for counts in ("TRAIN_COUNTS", "TEST_COUNTS"):
        monkeypatch.setattr(offline, counts, FEW)
    digits = offline.draw()
    train, test = (
        {image.tobytes() for image in digits[f"{split}_images"]} for split in ("train", "test")
    )
    assert len(train) == 300 and not train & test


def test_every_digit_is_drawn_as_often_as_asked_in_mnists_box_and_in_its_centre():
    images, labels = draw_few(0)
    assert images.dtype == labels.dtype == np.uint8
    np.testing.assert_array_equal(np.bincount(labels), FEW)
    sides = [max(np.ptp(np.nonzero(image)[axis]) + 1 for axis in (0, 1)) for image in images]
    assert max(sides) <= 22
    assert abs(np.mean(sides) - 20) < 1
    weights = images / images.sum((1, 2), keepdims=True)
    for axis in (1, 2):
        centers = weights.sum(axis) @ np.arange(28)
        assert np.quantile(abs(centers - 14), 0.95) < 1.5
        assert abs(centers.mean() - 14) < 0.2


def test_the_recorded_quality_is_what_the_page_claims():
    record = json.loads((ROOT / "benchmarks" / "offline_quality.json").read_text())
    assert record["seeds"] >= 3
    for kinds in record["networks"].values():
        assert abs(kinds["drawn"]["mean"] - kinds["mnist"]["mean"]) < 0.01
    assert record["networks"]["small CNN"]["transfer"]["mean"] >= 0.965
