// What happens to a drawing: it is prepared as MNIST's digits were, goes through a network,
// and the network's answer is traced back to the pixels. No library, no build step.
(function (root) {
  "use strict";
  const mnist = (root.mnist = root.mnist || {});
  const SIDE = 28; // pixels of an image
  const BOX = 20; // of the digit in it: its longer side

  // ---- prepare: any picture of ink, 0 to 255, row by row -> 784 pixels, 0 to 1 ----

  // Which of `count` source cells fall, by which share, into each of `parts` equal parts.
  function shares(count, parts) {
    return Array.from({ length: parts }, (_, part) => {
      const from = (part * count) / parts, to = ((part + 1) * count) / parts;
      const cells = [];
      for (let cell = Math.floor(from); cell < to; cell++) {
        const overlap = Math.min(to, cell + 1) - Math.max(from, cell);
        cells.push([cell, (overlap * parts) / count]);
      }
      return cells;
    });
  }

  function boundingBox(ink, width, height) {
    let left = width, right = -1, top = height, bottom = -1;
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        if (ink[y * width + x] > 0) {
          left = Math.min(left, x), right = Math.max(right, x);
          top = Math.min(top, y), bottom = Math.max(bottom, y);
        }
    return right < 0 ? null : { left, top, width: right - left + 1, height: bottom - top + 1 };
  }

  mnist.prepare = function (ink, width, height) {
    const image = new Float32Array(SIDE * SIDE);
    const box = boundingBox(ink, width, height);
    if (!box) return image;
    const shrunk = (side) =>
      Math.max(1, Math.floor((BOX * side) / Math.max(box.width, box.height) + 0.5));
    const columns = shrunk(box.width), rows = shrunk(box.height);
    const across = shares(box.width, columns), down = shares(box.height, rows);
    const small = new Float64Array(rows * columns);
    let mass = 0, massX = 0, massY = 0;
    for (let y = 0; y < rows; y++)
      for (let x = 0; x < columns; x++) {
        let mean = 0;
        for (const [cellY, shareY] of down[y])
          for (const [cellX, shareX] of across[x])
            mean += shareY * shareX * ink[(box.top + cellY) * width + box.left + cellX];
        small[y * columns + x] = mean;
        mass += mean, massX += mean * x, massY += mean * y;
      }
    // The centre of mass goes to the image's centre, by whole pixels, the digit staying inside.
    const place = (centre, size) =>
      Math.min(Math.max(Math.floor(SIDE / 2 - centre + 0.5 + 1e-9), 0), SIDE - size);
    const offsetX = place(massX / mass, columns), offsetY = place(massY / mass, rows);
    const darkest = small.reduce((a, b) => Math.max(a, b));
    for (let y = 0; y < rows; y++)
      for (let x = 0; x < columns; x++)
        image[(y + offsetY) * SIDE + x + offsetX] = small[y * columns + x] / darkest;
    return image;
  };

  // ---- the layers: forward gives the next values, backward the gradient of the last ----

  const layers = {
    dense: {
      forward({ weights, bias }, values) {
        const out = Float64Array.from(bias), units = bias.length;
        values.forEach((value, i) => {
          if (value) for (let j = 0; j < units; j++) out[j] += value * weights[i * units + j];
        });
        return out;
      },
      backward({ weights, bias }, gradient, values) {
        const units = bias.length;
        return values.map((_, i) =>
          gradient.reduce((sum, each, j) => sum + each * weights[i * units + j], 0));
      },
    },

    // Filters without padding, one pixel a step; weights (height, width, channels, filters).
    conv: {
      forward(layer, values) {
        const out = new Float64Array(layer.outSide ** 2 * layer.bias.length);
        out.forEach((_, i) => (out[i] = layer.bias[i % layer.bias.length]));
        eachProduct(layer, (from, weight, to) => (out[to] += values[from] * layer.weights[weight]));
        return out;
      },
      backward(layer, gradient, values) {
        const back = new Float64Array(values.length);
        eachProduct(layer, (from, weight, to) => {
          back[from] += gradient[to] * layer.weights[weight];
        });
        return back;
      },
    },

    // The largest of each two by two; a last odd row or column falls away.
    pool: {
      forward(layer, values) {
        return Float64Array.from(largest(layer, values), (index) => values[index]);
      },
      backward(layer, gradient, values) {
        const back = new Float64Array(values.length);
        largest(layer, values).forEach((index, i) => (back[index] += gradient[i]));
        return back;
      },
    },

    relu: {
      forward: (_, values) => values.map((value) => Math.max(value, 0)),
      backward: (_, gradient, values) => gradient.map((each, i) => (values[i] > 0 ? each : 0)),
    },
  };

  function eachProduct({ side, outSide, channels, size, bias }, visit) {
    const filters = bias.length;
    for (let y = 0; y < outSide; y++)
      for (let x = 0; x < outSide; x++)
        for (let dy = 0; dy < size; dy++)
          for (let dx = 0; dx < size; dx++)
            for (let channel = 0; channel < channels; channel++) {
              const from = ((y + dy) * side + x + dx) * channels + channel;
              const weight = ((dy * size + dx) * channels + channel) * filters;
              const to = (y * outSide + x) * filters;
              for (let filter = 0; filter < filters; filter++)
                visit(from, weight + filter, to + filter);
            }
  }

  function largest({ side, outSide, channels }, values) {
    const indices = [];
    for (let y = 0; y < outSide; y++)
      for (let x = 0; x < outSide; x++)
        for (let channel = 0; channel < channels; channel++) {
          const at = (dy, dx) => ((2 * y + dy) * side + 2 * x + dx) * channels + channel;
          const four = [at(0, 0), at(0, 1), at(1, 0), at(1, 1)];
          indices.push(four.reduce((a, b) => (values[b] > values[a] ? b : a)));
        }
    return indices;
  }

  // ---- a network: {layers: [{kind, ...}]}, its weights bytes times a scale ----

  mnist.unpack = function ({ layers }) {
    return layers.map((layer) => {
      if (!layer.weights) return layer;
      const bytes = Int8Array.from(atob(layer.weights), (each) => each.charCodeAt(0));
      return { ...layer, weights: Float32Array.from(bytes, (each) => each * layer.scale) };
    });
  };

  // Returns the ten logits, and what went into each layer.
  mnist.forward = function (network, image) {
    const inputs = [];
    let values = Float64Array.from(image);
    for (const layer of network) {
      inputs.push(values);
      values = layers[layer.kind].forward(layer, values);
    }
    return { logits: values, inputs };
  };

  mnist.softmax = function (logits) {
    const top = Math.max(...logits);
    const powers = Array.from(logits, (each) => Math.exp(each - top));
    const sum = powers.reduce((a, b) => a + b);
    return powers.map((each) => each / sum);
  };

  // Each pixel times the gradient of a label's logit: how much it spoke for that label.
  mnist.votes = function (network, { logits, inputs }, label) {
    let gradient = Float64Array.from(logits, (_, i) => (i === label ? 1 : 0));
    for (let i = network.length - 1; i >= 0; i--)
      gradient = layers[network[i].kind].backward(network[i], gradient, inputs[i]);
    return gradient.map((each, i) => each * inputs[0][i]);
  };
})(typeof window === "undefined" ? globalThis : window);
