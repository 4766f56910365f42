"""What the tests of the package and of the chapters share."""

from contextlib import suppress

import pytest
from compare_outputs import factor_of, masked, why_masked
from nbval.plugin import IPyNbCell

from mnistlib.data.resolve import locate_mnist, wanted_source
from mnistlib.errors import DownloadError, MnistError
from mnistlib.results import MIME_TYPE, VALUES_MIME_TYPE


def pytest_sessionstart(session: pytest.Session) -> None:
    """Say once what to do when the environment asks for digits that aren't there.

    What no setting is wrong about is downloaded when a test asks for it.
    """
    if hasattr(session.config, "workerinput"):
        return
    try:
        with suppress(DownloadError):
            if wanted_source() != "offline":
                locate_mnist(download=False)
    except MnistError as error:
        pytest.exit(f"no digits to test with: {error}", returncode=1)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path, parent):
    """Tell nbval which outputs it can't compare."""
    collectors = yield
    for collector in collectors:
        if hasattr(collector, "skip_compare"):
            # TensorFlow logs to stderr as it pleases; a result's JSON holds
            # seconds and versions, and its table, which is compared, the rest. Values for
            # the text are held equal to it by another test.
            collector.skip_compare += ("stderr", MIME_TYPE, VALUES_MIME_TYPE)
    return collectors


def pytest_itemcollected(item: pytest.Item) -> None:
    """Compare decimals, too, where the stored ones come from a machine like this one."""
    if isinstance(item, IPyNbCell) and not _reason(item.config):
        rules, factor = item.parent.sanitize_patterns, factor_of(item.cell.metadata.get("tags", []))
        item.sanitize = lambda text: masked(text, rules, factor) if isinstance(text, str) else text


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say whether decimals are compared."""
    reason = _reason(config)
    how = f"masked, because {reason}" if reason else "compared"
    return f"decimals in outputs: {how}" if config.option.nbval else None


def _reason(config: pytest.Config) -> str:
    """Say why decimals are masked; an empty text if they aren't."""
    own = config.option.nbval_current_env
    return why_masked() if own else "the kernel is another environment's"
