"""No figure without a text; figures as a page can show them."""

import io

import PIL.Image
import pytest

from mnistlib import MnistError, figures


@pytest.fixture
def shown(monkeypatch):
    images = []
    monkeypatch.setattr(figures, "display", images.append)
    return images


def test_a_figure_without_a_text_is_refused(shown):
    figure, _ = figures.subplots()
    with pytest.raises(MnistError, match="what the figure shows"):
        figures.show(figure, alt="a plot of accuracy")
    assert not shown
    assert not figures.plt.fignum_exists(figure.number)


def test_a_figure_carries_its_text_and_twice_its_pixels_the_same_each_time(shown):
    for _ in range(2):
        figure, axis = figures.subplots(height=2.0)
        axis.plot([1, 2])
        figures.show(figure, alt="A straight line that rises to the right.")
    image, again = shown
    _, metadata = image._repr_png_()
    assert metadata["alt"] == "A straight line that rises to the right."
    with PIL.Image.open(io.BytesIO(image.data)) as picture:
        assert picture.width == 2 * metadata["width"]
        assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert again.data == image.data


def test_a_table_is_html_or_aligned_text():
    table = figures.Table(("way", "images/s"), [("one", "9"), ("all < 3", "1,000")])
    assert repr(table) == "way      images/s\none             9\nall < 3     1,000"
    assert "<tr><td>all &lt; 3</td><td>1,000</td></tr>" in table._repr_html_()
