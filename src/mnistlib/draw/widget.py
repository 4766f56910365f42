"""The drawing pad in a notebook: what is drawn on it goes to Python."""

from __future__ import annotations

import anywidget
import numpy as np
import traitlets

from mnistlib.draw import WEB

SIDE = 280  # of the pad: ten units to each pixel of an image
SCRIPTS = ("network.js", "pad.js", "network-softmax.js", "digits.js")
RENDER = """
function render({ model, el }) {
  const pad = el.appendChild(document.createElement("div"));
  pad.className = "draw-pad";
  pad.addEventListener("drawn", ({ detail }) => {
    model.set("_ink", new DataView(detail.buffer));
    model.save_changes();
  });
  globalThis.mnist.pad(pad);
}
export default { render };
"""


class Pad(anywidget.AnyWidget):
    """A pad to draw on, in JupyterLab and in Colab; softmax regression answers beside it.

    Attributes
    ----------
    drawing : numpy.ndarray
        uint8 ``(280, 280)``, from 0, paper, to 255, ink: what stands on the pad.
    """

    _esm = "\n".join([*((WEB / name).read_text(encoding="utf-8") for name in SCRIPTS), RENDER])
    _css = (WEB / "pad.css").read_text(encoding="utf-8")
    # A buffer comes as a memoryview, which isn't bytes.
    _ink = traitlets.Bytes(bytes(SIDE * SIDE)).tag(sync=True, from_json=lambda ink, _: bytes(ink))

    def __repr__(self) -> str:
        return "Pad()"

    @property
    def drawing(self) -> np.ndarray:
        return np.frombuffer(self._ink, np.uint8).reshape(SIDE, SIDE)
