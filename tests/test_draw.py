"""Drawings are prepared as MNIST's digits were, and networks come back from their bytes."""

import keras
import numpy as np
import pytest

from mnistlib.draw import WEB, networks, prepare
from mnistlib.draw.preparation import averaging, resize
from mnistlib.errors import MnistError


@pytest.fixture
def drawing():
    """An L of strokes three wide, 60 high and 30 wide, on a sheet of 100 by 80."""
    sheet = np.zeros((100, 80), np.uint8)
    sheet[20:80, 10:13] = sheet[77:80, 10:40] = 200
    return sheet


def test_the_longer_side_gets_20_pixels_and_the_darkest_becomes_1(drawing):
    image = prepare(drawing)
    assert (image.shape, image.dtype, image.max()) == ((28, 28), np.float32, 1)
    assert [np.ptp(np.flatnonzero(image.any(axis))) + 1 for axis in (1, 0)] == [20, 10]


def test_the_centre_of_mass_is_at_14_14(drawing):
    image = prepare(drawing)
    for axis in (0, 1):
        assert image.sum(1 - axis) @ np.arange(28) / image.sum() == pytest.approx(14, abs=0.5)


@pytest.mark.parametrize("move", [(0, 0), (20, 40), (-20, -10)])
def test_place_size_ink_and_type_do_not_matter(drawing, move):
    moved = np.roll(drawing, move, (0, 1))
    other = np.kron(moved, np.ones((3, 3))) / 1000
    np.testing.assert_allclose(prepare(other), prepare(drawing), atol=1e-6)


def test_preparing_twice_changes_nothing(drawing):
    np.testing.assert_allclose(prepare(prepare(drawing)), prepare(drawing), atol=1e-6)


def test_mnist_is_prepared_already(mnist):
    if mnist.source.name != "MNIST":
        pytest.skip("drawn digits fill 19.8 pixels")
    images = mnist.test.images[:1000].astype(float)
    images /= images.max((1, 2), keepdims=True)
    same = [np.abs(prepare(image) - image).max() < 0.001 for image in images]
    assert np.mean(same) > 0.99


def test_paper_without_ink_stays_empty():
    assert not prepare(np.zeros((50, 60))).any()


@pytest.mark.parametrize(
    ("drawing", "message"),
    [
        (np.ones((2, 28, 28)), "one picture"),
        (np.full((5, 5), np.nan), "finite"),
        (-np.ones((5, 5)), "finite numbers from 0"),
        (np.array([["a"]]), "holds ink"),
    ],
)
def test_what_is_no_drawing_is_refused(drawing, message):
    with pytest.raises(MnistError, match=message):
        prepare(drawing)


def test_a_resized_picture_keeps_its_mean(drawing):
    assert averaging(7, 3).sum(1) == pytest.approx(1)
    assert resize(drawing, 17, 23).mean() == pytest.approx(drawing.mean())


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_a_network_comes_back_but_for_its_rounding(monkeypatch, tmp_path, name):
    monkeypatch.setattr(networks, "WEB", tmp_path)
    model = networks.NETWORKS[name]()
    model.set_weights([np.random.default_rng(0).normal(size=w.shape) for w in model.get_weights()])
    networks.write(name, model)
    for written, read in zip(model.get_weights(), networks.read(name).get_weights(), strict=True):
        np.testing.assert_allclose(read, written, atol=np.abs(written).max() / 250)


def test_a_layer_that_the_browser_has_not_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(networks, "WEB", tmp_path)
    model = keras.Sequential([keras.Input(shape=(28, 28, 1)), keras.layers.AveragePooling2D(2)])
    with pytest.raises(MnistError, match="has no AveragePooling2D"):
        networks.write("cnn", model)
    with pytest.raises(MnistError, match="softmax, mlp, cnn"):
        networks.read("resnet")


def test_what_a_visitor_loads_is_small():
    assert sum(path.stat().st_size for path in WEB.glob("network-*.js")) < 300_000
