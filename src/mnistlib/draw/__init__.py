"""A pad to draw digits on, in a browser, and the networks that answer.

What runs in the browser is in ``web``: the book's site and a notebook show the same.
"""

from pathlib import Path

from mnistlib.draw.preparation import prepare

__all__ = ["WEB", "prepare"]

WEB = Path(__file__).with_name("web")
