"""What the book asks of Sphinx, on the small book."""

import json
import re

import pytest
import record_tables as tables
from small_book import PIXEL
from terms import Term, first_mentions

NET = "[A \\*net\\*](/notebooks/01_first.ipynb)"


@pytest.fixture(scope="module")
def pages(small_book):
    """The pages' text as published, by name."""
    site = small_book / "_build" / "html"
    return {path.stem: path.read_text("utf-8") for path in site.rglob("*.*ml")}


def test_a_notebook_s_absolute_links_are_the_site_s_own(pages):
    page = pages["01_first"]
    assert 'href="../book/index.html"' in page
    assert 'src="../_images/open-in-colab.svg"' in page
    assert re.search(r'download="" href="\.\./_downloads/\w+/01_first\.ipynb"', page)
    assert "github.com/some/book/raw" not in page and "some.example" not in page


def test_blocks_of_code_below_a_marker_are_tabs_and_a_marker_is_left_out(pages):
    tabs = pages["01_first"].split('class="sd-tab-set')[1].split("Inside is")[0]
    assert re.findall(r"<label[^>]*>\s*(\w+)</label>", tabs) == ["One", "Two"]
    assert tabs.count('class="sd-tab-content') == tabs.count("<pre>") == 2
    assert "<!--tabs-->" not in pages["01_first"]


def test_a_published_page_has_its_address(pages):
    address = "https://example.org/m/notebooks/01_first.html"
    assert f'<meta property="og:url" content="{address}"' in pages["01_first"]
    assert address in pages["sitemap"]
    assert 'href="/m/_static/' in pages["404"]


def test_what_a_chapter_stored_is_on_other_pages(pages):
    text = re.sub(r"<[^>]+>", "", pages["index"])
    assert "First took 7.5 times as long" in text
    figure = pages["index"].split('<img alt="A black dot"')[1].split("</figure>")[0]
    assert PIXEL in figure and "<p>A dot.</p>" in figure
    assert re.search(r"Second\s+not yet run", text)


def test_a_term_s_first_mention_has_its_definition(pages):
    """Not in code, links, headings or captions."""
    terms = re.findall(r'<span class="term">(.*?)</span></span>', pages["01_first"])
    words = [re.sub("<[^>]+>", "|", term) for term in terms]
    assert words == ["|batches||The examples of one step. Also minibatch.", "|Epoch||One pass."]
    for term, name in zip(terms, ("batch", "epoch"), strict=True):
        assert f'href="../book/glossary.html#{name}" aria-describedby="term-{name}"' in term
        assert f'role="tooltip" id="term-{name}"' in term


def test_terms_are_found_in_every_form_the_longest_first():
    terms = [Term(name, (), "") for name in ("set", "test set", "Adam", "probability")]
    texts = ["Test\nsets, subset, ADAM, set-up", "A set of Adam's probabilities"]
    found = [(i, match[0], term.name) for i, match, term in first_mentions(texts, terms)]
    assert found == [
        (0, "Test\nsets", "test set"),
        (1, "set", "set"),
        (1, "Adam", "Adam"),
        (1, "probabilities", "probability"),
    ]


def test_the_results_are_those_on_real_mnist(small_book):
    for table in (tables.results(small_book), tables.wrong_answers(small_book)):
        [row] = table.splitlines()[2:]
        assert row.startswith(f"| {NET} | 0.9739 | 0.9706 to 0.97")


def test_the_status_says_when_each_chapter_ran_and_what_ran_on_a_gpu(small_book, tmp_path):
    first, second = tables.status(small_book).splitlines()[2:4]
    assert "[1. First](/notebooks/01_first.ipynb) | 2026-01-02 | 12 s | MNIST | CPU" in first
    assert "[Second](/notebooks/02_second.ipynb) | not yet run |  |" in second
    assert tables.status(small_book).endswith("at hand when this page was built.")
    status = {"date": "2026-01-02", "data": "MNIST", "device": "Some GPU", "versions": {"jax": "1"}}
    status["chapters"] = {"01_first": {"seconds": 12.3}}
    (tmp_path / "_build" / "gpu").mkdir(parents=True)
    (tmp_path / "_build" / "gpu" / "status.json").write_text(json.dumps(status))
    *_, row, _, note = tables.on_gpu(tmp_path).splitlines()
    assert (row, note) == ("| 01\\_first | 12 s |", "2026-01-02, Some GPU, MNIST, jax 1.")


def test_the_ledger_compares_what_was_recorded(small_book, tmp_path):
    time = {"name": "a time", "unit": "s", "source": 12_345.6, "ours": 4_000.0, "aim": 3}
    time |= {"baseline": "source", "higher_is_better": False, "note": ""}
    rate = time | {"name": "a rate", "source": 2.0, "ours": 0.5, "higher_is_better": True}
    rate |= {"baseline": "the machine", "note": "why"}
    record = {
        "date": "2026-01-02",
        "devices": ["CPU"],
        "versions": {},
        "comparisons": [time, rate],
    }
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "ledger.json").write_text(json.dumps(record))
    (tmp_path / "notebooks").symlink_to(small_book / "notebooks")
    assert tables.comparisons(tmp_path).splitlines()[2:4] == [
        "| a time | 12,300 | 4,000 | s | 3.1 | 3 | reached |",
        "| a rate | 2.00 | 0.500 | s | 0.2 | 3 | missed; the first is the machine; why |",
    ]
