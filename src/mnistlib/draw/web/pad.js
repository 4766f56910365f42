// A pad to draw a digit on, by mouse, pen, finger or keys, and what networks make of it.
(function (root) {
  "use strict";
  const mnist = (root.mnist = root.mnist || {});
  mnist.networks = mnist.networks || {};
  const HERE = document.currentScript ? document.currentScript.src.replace(/[^/]*$/, "") : "";
  const SIDE = 280; // units of the pad, each a tenth of an image's pixel
  const PEN = 28; // how wide a stroke is, in these units: as MNIST's, where the longer side is 200
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const TITLES = { softmax: "Softmax regression", mlp: "One hidden layer", cnn: "Convolutions" };
  const CHAPTERS = { softmax: "06_low_level_tensorflow", mlp: "02_keras_tfds", cnn: "08_cnn" };

  const make = (tag, options = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), options);
    element.append(...children);
    return element;
  };
  const canvas = (side, className) => make("canvas", { width: side, height: side, className });
  const brush = (of) => of.getContext("2d", { willReadFrequently: true });

  // A script gives what a fetch can't where the page is a file: networks and test digits.
  const loading = {};
  const loadScript = (name) =>
    (loading[name] ??= new Promise((resolve, reject) => {
      const failed = () => {
        delete loading[name]; // so that the next try asks again
        reject(new Error(`${name}.js can't be loaded`));
      };
      document.head.append(make("script",
        { src: `${HERE}${name}.js`, onload: resolve, onerror: failed }));
    }));
  async function network(name) {
    if (!mnist.networks[name]) await loadScript(`network-${name}`);
    return (mnist.networks[name].unpacked ??= mnist.unpack(mnist.networks[name]));
  }
  async function digits() {
    if (!mnist.digits) await loadScript("digits");
    return mnist.digits;
  }

  // ---- ink: strokes, lists of points, and test digits, each {pixels, x, y, size} ----

  function drawStroke(to, points, pen) {
    Object.assign(to, { lineWidth: pen, lineCap: "round", lineJoin: "round" });
    to.beginPath();
    to.moveTo(...points[0]);
    for (const point of points.concat([points[0]].slice(points.length - 1))) to.lineTo(...point);
    to.stroke();
  }

  function drawDigit(to, { pixels, x, y, size }) {
    const picture = canvas(28);
    paint(picture, (i) => [0, 0, 0, pixels[i]]);
    to.imageSmoothingEnabled = false; // a test digit stays what it is
    to.drawImage(picture, x, y, 28 * size, 28 * size);
  }

  function paint(picture, colour) {
    const pixels = new ImageData(28, 28);
    for (let i = 0; i < 784; i++) pixels.data.set(colour(i), 4 * i);
    brush(picture).putImageData(pixels, 0, 0);
  }

  // Strokes at the size that a prepared digit has, so that a small drawing isn't all pen.
  function enlarged(strokes) {
    const points = strokes.flat(), [xs, ys] = [0, 1].map((axis) => points.map((each) => each[axis]));
    const [left, top] = [Math.min(...xs), Math.min(...ys)];
    const longer = Math.max(Math.max(...xs) - left, Math.max(...ys) - top);
    const scale = (200 - PEN) / Math.max(longer, 1);
    return strokes.map((stroke) =>
      stroke.map(([x, y]) => [(x - left) * scale + PEN, (y - top) * scale + PEN]));
  }

  function inkOf(picture) {
    const { data } = brush(picture).getImageData(0, 0, SIDE, SIDE);
    return Uint8Array.from({ length: SIDE * SIDE }, (_, i) => data[4 * i + 3]);
  }

  // Without preparation a pixel is the mean of ten by ten units, wherever the digit stands.
  function shrunk(ink) {
    const image = new Float32Array(784);
    ink.forEach((each, i) => {
      const [x, y] = [i % SIDE, Math.floor(i / SIDE)];
      image[Math.floor(y / 10) * 28 + Math.floor(x / 10)] += each / 25500;
    });
    return image;
  }

  // ---- one network's answer ----

  function panel(name) {
    const bars = Array.from({ length: 10 }, (_, label) =>
      make("li", {}, make("span", { textContent: label }), make("meter", { max: 1, value: 0 })));
    bars.forEach((bar, label) => bar.lastChild.setAttribute("aria-label", `digit ${label}`));
    const title = HERE // only the site has pages beside this script
      ? make("a", { href: `${HERE}../notebooks/${CHAPTERS[name]}.html`, textContent: TITLES[name] })
      : TITLES[name];
    const answer = make("strong", { className: "draw-answer", textContent: "\u2013" });
    const votes = canvas(28, "draw-votes");
    votes.setAttribute("role", "img");
    votes.setAttribute("aria-label", `No drawing yet: ${TITLES[name]}`);
    const element = make("section", { className: "draw-network" },
      make("p", {}, title, answer), make("ol", {}, ...bars), votes);
    element.dataset.network = name;

    async function show(image) {
      const layers = await network(name);
      const pass = mnist.forward(layers, image), shares = mnist.softmax(pass.logits);
      const best = shares.indexOf(Math.max(...shares));
      const empty = !image.some((each) => each > 0);
      answer.textContent = empty ? "\u2013" : best;
      bars.forEach((bar, label) => {
        bar.lastChild.value = empty ? 0 : shares[label];
        bar.classList.toggle("draw-best", !empty && label === best);
      });
      const spoke = mnist.votes(layers, pass, best);
      const most = Math.max(...spoke.map(Math.abs)) || 1;
      paint(votes, (i) => {
        const share = spoke[i] / most;
        return [...(share > 0 ? [0, 114, 178] : [213, 94, 0]), 255 * Math.sqrt(Math.abs(share))];
      });
      votes.setAttribute("aria-label",
        `The pixels that spoke for ${best}, blue, and against it, orange: ${TITLES[name]}`);
      return empty ? "" : `${TITLES[name]}: ${best}, ${(100 * shares[best]).toFixed(0)}%`;
    }
    return { element, show };
  }

  // ---- the pad ----

  // Makes a pad of an element. Its data: networks="softmax cnn", what is there at once;
  // more="mlp", what a button adds.
  mnist.pad = function (element) {
    const { networks = "softmax", more = "" } = element.dataset;
    const sheet = canvas(SIDE, "draw-sheet"), seen = canvas(28, "draw-seen");
    sheet.tabIndex = 0;
    sheet.setAttribute("role", "application");
    sheet.setAttribute("aria-label", "Drawing area: draw a digit with mouse, pen or finger. With " +
      "keys: 0 to 9 puts a test digit there, arrows move it, plus and minus change its size (a drawing stays), " +
      "Backspace takes the last back, Escape clears.");
    seen.setAttribute("role", "img");
    seen.setAttribute("aria-label", "What the networks see: 28 by 28 pixels");
    const say = make("output", { className: "draw-say" });
    const prepared = make("input", { type: "checkbox", checked: true });
    const panels = make("div", { className: "draw-networks" });
    const button = (textContent, onclick) => make("button", { type: "button", textContent, onclick });
    const choose = make("select", {}, make("option", { textContent: "a test digit" }),
      ...Array.from({ length: 10 }, (_, label) => make("option", { textContent: label })));
    choose.setAttribute("aria-label", "Put a test digit on the pad");
    let items = [], stroke = null, pointer = null, shown = [], turn = 0;

    const add = (names) => {
      const added = names.split(" ").filter(Boolean).map(panel);
      panels.append(...added.map((each) => each.element));
      shown = shown.concat(added);
    };
    const redraw = () => {
      const to = brush(sheet);
      to.clearRect(0, 0, SIDE, SIDE);
      for (const item of items) Array.isArray(item) ? drawStroke(to, item, PEN) : drawDigit(to, item);
    };
    function ink() {
      if (!prepared.checked || !items.length || !items.every(Array.isArray)) return inkOf(sheet);
      const larger = canvas(SIDE);
      for (const each of enlarged(items)) drawStroke(brush(larger), each, PEN);
      return inkOf(larger);
    }
    async function answer() {
      redraw();
      const mine = ++turn, drawing = ink();
      const pixels = prepared.checked ? mnist.prepare(drawing, SIDE, SIDE) : shrunk(drawing);
      paint(seen, (i) => [0, 0, 0, 255 * pixels[i]]);
      element.dispatchEvent(new CustomEvent("drawn", { detail: inkOf(sheet) }));
      try {
        const answers = [];
        for (const each of shown) answers.push(await each.show(pixels));
        if (mine === turn) say.textContent = answers.filter(Boolean).join("; ") || "Nothing drawn.";
      } catch (error) {
        say.textContent = `No answer: ${error.message}.`;
      }
    }
    const undo = () => (items.pop(), answer());
    const clear = () => ((items = []), answer());
    async function put(label) {
      let pixels;
      try {
        pixels = (await digits())[label].pixels;
      } catch (error) {
        say.textContent = `No test digit: ${error.message}.`;
        return;
      }
      items = [{ pixels: Uint8Array.from(atob(pixels), (each) => each.charCodeAt(0)),
        x: 0, y: 0, size: SIDE / 28 }];
      answer();
    }

    const at = (event) => {
      const box = sheet.getBoundingClientRect();
      return [((event.clientX - box.left) * SIDE) / box.width,
        ((event.clientY - box.top) * SIDE) / box.height];
    };
    sheet.addEventListener("pointerdown", (event) => {
      if (event.button || stroke) return; // one finger draws
      event.preventDefault();
      sheet.focus({ preventScroll: true });
      sheet.setPointerCapture(event.pointerId);
      items.push((stroke = [at(event)]));
      pointer = event.pointerId;
      redraw();
    });
    sheet.addEventListener("pointermove", (event) => {
      if (!stroke || event.pointerId !== pointer) return;
      const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
      stroke.push(...(events.length ? events : [event]).map(at));
      redraw();
    });
    for (const end of ["pointerup", "pointercancel"])
      sheet.addEventListener(end, (event) => {
        if (stroke && event.pointerId === pointer) (stroke = null), answer();
      });
    sheet.addEventListener("keydown", (event) => {
      const last = items[items.length - 1];
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (/^[0-9]$/.test(event.key)) put(Number(event.key));
      else if (event.key === "Backspace") undo();
      else if (event.key === "Escape") clear();
      else if (ARROWS[event.key] && last && !Array.isArray(last)) {
        last.x += 10 * ARROWS[event.key][0], last.y += 10 * ARROWS[event.key][1];
        answer();
      } else if ("+-".includes(event.key) && last && !Array.isArray(last)) {
        const before = last.size, step = event.key === "+" ? 1 : -1;
        last.size = Math.min(Math.max(before + step, 2), 10);
        last.x += 14 * (before - last.size), last.y += 14 * (before - last.size);
        answer();
      } else return;
      event.preventDefault();
    });
    choose.onchange = () => (choose.selectedIndex && put(choose.selectedIndex - 1),
      (choose.selectedIndex = 0), sheet.focus());
    prepared.onchange = answer;

    add(networks);
    const further = more && button("Ask two more networks", () => (further.remove(), add(more), sheet.focus(), answer()));
    element.replaceChildren(
      make("div", { className: "draw-paper" }, sheet,
        make("p", { className: "draw-tools" }, button("Undo", undo), button("Clear", clear), choose),
        make("p", { className: "draw-tools" }, seen, make("label", {}, prepared, " prepared as MNIST was"))),
      make("div", { className: "draw-answers" }, panels, make("p", { className: "draw-key",
        textContent: "Blue pixels spoke for the answer, orange ones against it." }), further || "", say));
    element.classList.add("draw-ready");
    return answer;
  };

  const start = () => document.querySelectorAll(".draw-pad:not(.draw-ready)").forEach(mnist.pad);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})(window);
