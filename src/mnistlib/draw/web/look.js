// Two figures of chapter 2 to try instead of to look at. Without this script the pictures stay.
(function () {
  "use strict";

  const make = (tag, options = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), options);
    element.append(...children);
    return element;
  };

  // Puts something to try in the place of a figure's picture.
  function replacePicture(figure, ...elements) {
    const picture = figure.querySelector("img");
    (picture.closest("a") || picture).hidden = true;
    figure.prepend(make("div", { className: "look" }, ...elements));
  }

  // As tf.data does it: one of the buffer comes out at random, the next example takes its place.
  function shuffled(count, size) {
    const buffer = Array.from({ length: size }, (_, i) => i), order = [];
    for (let next = size; buffer.length; next++) {
      const i = Math.floor(Math.random() * buffer.length);
      order.push(buffer[i]);
      if (next < count) buffer[i] = next;
      else buffer.splice(i, 1);
    }
    return order;
  }

  function shuffleFigure(figure) {
    const COUNT = 600, SIDE = 300;
    const plot = make("canvas", { width: COUNT, height: COUNT, className: "look-plot" });
    const size = make("input", { type: "range", min: 0, max: 100, value: 50 });
    const say = make("output");
    const deal = () => {
      // Even steps of the slider multiply the buffer.
      const length = Math.round(COUNT ** (size.value / 100));
      const to = plot.getContext("2d"), order = shuffled(COUNT, length);
      to.clearRect(0, 0, COUNT, COUNT);
      to.fillStyle = "#0072b2";
      order.forEach((place, i) => to.fillRect(i - 2, COUNT - place - 2, 4, 4));
      const early = Math.max(...order.map((place, i) => place - i));
      say.textContent = `Buffer ${length} of ${COUNT}: an example comes out at most ${early} places early.`;
    };
    plot.style.width = plot.style.height = `${SIDE}px`;
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", "Place in the file, upwards, against place in the shuffled order");
    size.oninput = deal;
    replacePicture(figure, plot, make("label", {}, "Length of the buffer ", size),
      make("button", { type: "button", textContent: "Shuffle again", onclick: deal }), say);
    deal();
  }

  // `mistakes` has a label and an answer for each image of a sheet, one below the other.
  function confusionFigure(figure, mistakes) {
    const sheet = make("img", { src: `data:image/png;base64,${mistakes.png}` });
    const say = make("output"), images = make("div", { className: "look-images" });
    const of = (label, answer) => mistakes.labels.flatMap((each, i) =>
      each === label && mistakes.answers[i] === answer ? [i] : []);
    const show = (label, answer) => {
      const chosen = of(label, answer);
      say.textContent = `Label ${label}, answered ${answer}: ${chosen.length}.`;
      images.replaceChildren(...chosen.map((i) => {
        const picture = make("canvas", { width: 28, height: 28 });
        picture.setAttribute("role", "img");
        picture.setAttribute("aria-label", `A ${label}, answered ${answer}`);
        picture.getContext("2d").drawImage(sheet, 0, 28 * i, 28, 28, 0, 0, 28, 28);
        return picture;
      }));
    };
    const most = Math.max(...Array.from({ length: 100 }, (_, i) => of(Math.floor(i / 10), i % 10).length));
    const cell = (label, answer) => {
      const count = of(label, answer).length;
      if (!count) return make("td");
      const button = make("button", { type: "button", textContent: count,
        onclick: () => show(label, answer) });
      button.setAttribute("aria-label", `${count} with label ${label}, answered ${answer}`);
      button.style.background = `rgba(0, 114, 178, ${(0.6 * count) / most})`;
      return make("td", {}, button);
    };
    const digits = [...Array(10).keys()];
    const head = make("tr", {}, make("td"),
      ...digits.map((answer) => make("th", { scope: "col", textContent: answer })));
    const rows = digits.map((label) => make("tr", {}, make("th", { scope: "row", textContent: label }),
      ...digits.map((answer) => cell(label, answer))));
    say.textContent = "Choose a number to see those digits.";
    replacePicture(figure, make("table", { className: "look-mistakes" }, make("tbody", {}, head, ...rows)), say, images);
  }

  function start() {
    const shuffle = document.getElementById("fig-shuffle");
    if (shuffle) shuffleFigure(shuffle);
    for (const data of document.querySelectorAll("script.look-images")) {
      const mistakes = JSON.parse(data.textContent);
      confusionFigure(document.getElementById(mistakes.figure), mistakes);
    }
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
