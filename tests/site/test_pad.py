"""The drawing pad in a browser: it draws, answers as Python does, and everybody can use it."""

import base64

import numpy as np
import pytest
from site_files import SITE

from conftest import PHONE
from mnistlib.data import load
from mnistlib.draw import networks, prepare

PAGES = ["book/index.html", "notebooks/15_draw_a_digit.html", "book/pad.html"]
CHAPTER = PAGES[1]
SEVEN = [[(70, 60), (210, 60), (120, 240)], [(110, 150), (190, 150)]]


def draw(page, strokes, scale=1.0):
    sheet = page.locator(".draw-sheet")
    sheet.scroll_into_view_if_needed()
    box = sheet.bounding_box()
    for stroke in strokes:
        points = [(box["x"] + scale * x, box["y"] + scale * y) for x, y in stroke]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point, steps=5)
        page.mouse.up()


def wait_for_answer(page, network, digit):
    answer = page.locator(f"[data-network={network}] .draw-answer")
    answer.filter(has_text=str(digit)).wait_for()


@pytest.mark.parametrize("path", PAGES)
def test_a_drawing_is_answered(reader, path):
    page = reader.open(path)
    draw(page, SEVEN)
    wait_for_answer(page, "softmax", 7)
    if path == "book/index.html":
        page.get_by_role("button", name="Ask two more networks").click()
    for network in ("mlp", "cnn"):
        wait_for_answer(page, network, 7)
    page.get_by_text("Convolutions: 7").wait_for()
    bars = page.locator(".draw-network meter").evaluate_all("all => all.map(each => each.value)")
    assert np.reshape(bars, (3, 10)).sum(1) == pytest.approx(1)


@pytest.mark.parametrize("place", [(0, 0), (150, 0), (0, 170)])
def test_a_small_drawing_in_a_corner_is_answered_too(new_reader, place):
    with new_reader() as reader:
        page = reader.open(CHAPTER)
        small = [[(place[0] + x / 3, place[1] + y / 3) for x, y in stroke] for stroke in SEVEN]
        draw(page, small)
        wait_for_answer(page, "cnn", 7)


def test_undo_and_clear(new_reader):
    with new_reader() as reader:
        page = reader.open(CHAPTER)
        draw(page, [[(140, 40), (140, 240)], *SEVEN])
        for _ in range(2):
            page.get_by_role("button", name="Undo").click()
        wait_for_answer(page, "cnn", 1)
        page.get_by_role("button", name="Clear").click()
        page.get_by_text("Nothing drawn.").wait_for()


def test_it_works_by_keyboard(new_reader):
    with new_reader() as reader:
        page = reader.open(CHAPTER)
        page.locator(".draw-sheet").focus()
        page.keyboard.press("3")
        wait_for_answer(page, "cnn", 3)
        for key in ["-"] * 5 + ["ArrowLeft"] * 5 + ["ArrowDown"] * 4:
            page.keyboard.press(key)
        wait_for_answer(page, "cnn", 3)
        page.get_by_label("prepared as MNIST was").uncheck()
        seen = page.locator(".draw-seen").evaluate(
            "canvas => Array.from(canvas.getContext('2d').getImageData(0, 0, 28, 28).data)"
        )
        rows, columns = np.reshape(seen, (28, 28, 4))[..., 3].nonzero()
        assert rows.min() > 9
        assert columns.max() < 15
        page.keyboard.press("Tab")
        page.locator(".draw-sheet").press("Escape")
        page.get_by_text("Nothing drawn.").wait_for()


def test_a_finger_draws_and_does_not_scroll(new_reader):
    with new_reader(viewport=PHONE, has_touch=True) as reader:
        page = reader.open("book/index.html")
        sheet = page.locator(".draw-sheet")
        sheet.scroll_into_view_if_needed()
        before, box = page.evaluate("scrollY"), sheet.bounding_box()
        session = page.context.new_cdp_session(page)
        for kind, y in [("touchStart", 40), *[("touchMove", y) for y in range(60, 241, 20)]]:
            point = {"x": box["x"] + 140, "y": box["y"] + y}
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        wait_for_answer(page, "softmax", 1)
        assert page.evaluate("scrollY") == before


def test_a_screen_reader_hears_the_answers(new_reader):
    with new_reader() as reader:
        page = reader.open(CHAPTER)
        status = page.get_by_role("status")
        draw(page, SEVEN)
        status.filter(has_text="Softmax regression: 7").wait_for()
        assert "Convolutions: 7" in status.text_content()


def test_nothing_is_loaded_before_one_draws_and_nothing_is_kept(new_reader):
    with new_reader() as reader:
        loaded = []
        reader.page.on("request", lambda request: loaded.append(request.url.split("/")[-1]))
        page = reader.open("book/index.html")
        assert not [name for name in loaded if name.startswith("network-")]
        draw(page, SEVEN)
        wait_for_answer(page, "softmax", 7)
        assert [name for name in loaded if name.startswith("network-")] == ["network-softmax.js"]
        kept = "Object.keys(localStorage).filter(key => key.match(/draw|pad|digit/))"
        assert page.evaluate(kept) == []
        assert page.context.cookies() == []


def test_it_works_from_a_file(browser):
    page = browser.new_page()
    page.goto((SITE / CHAPTER).as_uri())
    draw(page, SEVEN)
    wait_for_answer(page, "cnn", 7)


def test_without_javascript_a_picture_stands_there(new_reader):
    with new_reader(java_script_enabled=False) as reader:
        for path in PAGES:
            reader.page.goto(f"{reader.site}/{path}")
            assert reader.page.locator(".draw-pad img").is_visible()


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    page.goto((SITE / CHAPTER).as_uri())
    draw(page, SEVEN)  # so that the networks are there
    wait_for_answer(page, "cnn", 7)
    return page


def test_it_prepares_as_python_does(page):
    rng = np.random.default_rng(0)
    drawings = []
    for image in load().test.images[:1000]:
        size = int(rng.integers(1, 10))
        larger = np.kron(image, np.ones((size, size), np.uint8))
        top, left = rng.integers(0, 281 - 28 * size, 2)
        margins = ((top, 280 - 28 * size - top), (left, 280 - 28 * size - left))
        drawings.append(np.pad(larger, margins))
    there = page.evaluate(
        """all => all.map(each => Array.from(mnist.prepare(
            Uint8Array.from(atob(each), byte => byte.charCodeAt(0)), 280, 280)))""",
        [base64.b64encode(each.tobytes()).decode() for each in drawings],
    )
    here = [prepare(each) for each in drawings]
    np.testing.assert_allclose(np.reshape(there, (-1, 28, 28)), here, atol=1e-6)


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_its_logits_are_those_of_keras(page, name):
    images = load().test.images[:1000, ..., None] / np.float32(255)
    there = page.evaluate(
        """([name, images]) => images.map(each => Array.from(
            mnist.forward(mnist.networks[name].unpacked, each).logits))""",
        [name, images.reshape(1000, 784).tolist()],
    )
    here = networks.read(name).predict(images, batch_size=500, verbose=0)
    np.testing.assert_allclose(there, here, atol=1e-3)


def test_its_votes_are_the_gradient_times_the_pixels(page):
    import tensorflow as tf

    images = load().test.images[:20, ..., None] / np.float32(255)
    for name in networks.NETWORKS:
        model, pixels = networks.read(name), tf.constant(images)
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            best = tf.reduce_max(model(pixels), axis=1)
        votes = (tape.gradient(best, pixels) * pixels).numpy().reshape(20, 784)
        there = page.evaluate(
            """([name, images]) => images.map(each => {
                const network = mnist.networks[name].unpacked, pass = mnist.forward(network, each)
                const best = pass.logits.indexOf(Math.max(...pass.logits))
                return Array.from(mnist.votes(network, pass, best))
            })""",
            [name, images.reshape(20, 784).tolist()],
        )
        np.testing.assert_allclose(there, votes, atol=1e-3)


def test_the_numbers_of_the_confusion_matrix_show_their_digits(reader):
    page = reader.open("notebooks/02_keras_tfds.html")
    figure = page.locator("#fig-confusion")
    counts = figure.locator("td button").all()
    assert len(counts) > 20
    count = max(counts, key=lambda each: int(each.text_content()))
    count.focus()
    page.keyboard.press("Enter")
    digits = figure.get_by_role("img", name="answered")
    assert digits.count() == int(count.text_content())
    assert figure.get_by_role("status").text_content().endswith(f": {digits.count()}.")
    pixels = "canvas => Array.from(canvas.getContext('2d').getImageData(0, 0, 28, 28).data)"
    for i in range(digits.count()):
        assert np.reshape(digits.nth(i).evaluate(pixels), (28, 28, 4))[..., 0].max() > 200


def test_the_shuffle_buffer_is_the_reach(reader):
    page = reader.open("notebooks/02_keras_tfds.html")
    figure = page.locator("#fig-shuffle")
    slider, said = figure.get_by_label("Length of the buffer"), figure.get_by_role("status")
    for steps, buffer in (("0", "1"), ("100", "600")):
        slider.fill(steps)
        said.get_by_text(f"Buffer {buffer} of 600").wait_for()
    slider.fill("50")
    said.get_by_text("Buffer 24 of 600").wait_for()
    early = int(said.text_content().split("at most ")[1].split()[0])
    assert 0 < early < 24
