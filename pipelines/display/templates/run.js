"use strict";
(() => {
  const root = document.documentElement;
  const element = (id) => document.getElementById(id);
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");

  // The theme of the reader, until the button chooses one.
  const theme = element("theme");
  const isDark = () =>
    root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches;
  const showTheme = () => {
    theme.textContent = isDark() ? "Light" : "Dark";
    theme.setAttribute("aria-label", `Change to the ${isDark() ? "light" : "dark"} theme`);
  };
  theme.hidden = false;
  showTheme();

  // The confusion matrix: a picture of counts, in an order that the reader chooses.
  const matrices = JSON.parse(element("matrices").textContent);
  const canvas = element("matrix");
  const said = element("cell");
  const shown = element("shown");
  const state = { matrix: matrices[0], order: "name", places: [], row: 0, column: 0 };
  const counts = new Map();

  const key = (i, j) => `${i},${j}`;
  const count = (i, j) => counts.get(key(i, j)) || 0;

  const setMatrix = () => {
    const { cells, names } = state.matrix;
    counts.clear();
    for (const [i, j, n] of cells) counts.set(key(i, j), n);
    const errors = names.map(() => 0);
    for (const [i, j, n] of cells) {
      if (i !== j) errors[i] += n;
    }
    state.places = names.map((_, i) => i);
    if (state.order === "errors") {
      state.places.sort((a, b) => errors[b] - errors[a] || a - b);
    }
    draw();
    say();
  };

  // A computed colour, as light-dark() is not one that a canvas takes.
  const computed = (name) => {
    const probe = document.createElement("i");
    probe.style.color = `var(--${name})`;
    document.body.append(probe);
    const value = getComputedStyle(probe).color;
    probe.remove();
    return value;
  };

  // Sizes in CSS pixels: the side of a cell, and the margins of the names.
  const layout = () => {
    const size = state.places.length;
    const room = Math.max(240, element("picture").clientWidth);
    const longest = Math.max(...state.matrix.names.map((name) => name.length));
    const isNamed = size <= 40;
    const margin = isNamed ? Math.min(110, Math.max(24, longest * 7 + 8)) : 4;
    const side = Math.max(isNamed ? 16 : 3, Math.min(44, Math.floor((room - margin) / size)));
    return { size, margin, side, isNamed };
  };

  const draw = () => {
    const { size, margin, side, isNamed } = layout();
    const pixels = margin + size * side + 2;
    const ratio = devicePixelRatio || 1;
    canvas.width = canvas.height = Math.ceil(pixels * ratio);
    canvas.style.width = canvas.style.height = `${pixels}px`;
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    const [ink, line, blue, orange, surface] = ["ink", "grid", "blue", "orange", "surface"]
      .map(computed);
    context.fillStyle = surface;
    context.fillRect(margin, margin, size * side, size * side);
    context.font = `${Math.min(13, side * 0.55 + 3)}px ${getComputedStyle(canvas).fontFamily}`;
    context.textBaseline = "middle";
    const gap = side > 8 ? 1 : 0;
    state.places.forEach((i, y) => {
      const total = state.matrix.totals[i] || 1;
      state.places.forEach((j, x) => {
        const n = count(i, j);
        const left = margin + x * side;
        const top = margin + y * side;
        if (n) {
          // Of a rare mistake the colour must still be seen.
          const share = n / total;
          context.globalAlpha = i === j ? 0.12 + 0.5 * share : 0.3 + 0.45 * share;
          context.fillStyle = i === j ? blue : orange;
          context.fillRect(left, top, side - gap, side - gap);
          context.globalAlpha = 1;
          if (side >= 18) {
            context.fillStyle = ink;
            context.textAlign = "center";
            context.fillText(String(n), left + side / 2, top + side / 2, side - 2);
          }
        } else if (gap) {
          context.fillStyle = line;
          context.globalAlpha = 0.45;
          context.fillRect(left, top, side - gap, side - gap);
          context.globalAlpha = 1;
        }
      });
      if (isNamed) drawNames(context, ink, state.matrix.names[i], margin, side, y);
    });
    context.strokeStyle = ink;
    context.lineWidth = 2;
    context.strokeRect(
      margin + state.column * side, margin + state.row * side, side - gap, side - gap);
  };

  const drawNames = (context, ink, name, margin, side, at) => {
    const text = name.length > 16 ? `${name.slice(0, 15)}...` : name;
    const middle = margin + (at + 0.5) * side;
    context.fillStyle = ink;
    context.textAlign = "right";
    context.fillText(text, margin - 6, middle, margin - 8);
    context.save();
    context.translate(middle, margin - 6);
    context.rotate(-Math.PI / 2);
    context.textAlign = "left";
    context.fillText(text, 0, 0, margin - 8);
    context.restore();
  };

  const atCursor = () => [state.places[state.row], state.places[state.column]];

  const say = () => {
    const [i, j] = atCursor();
    const { names, totals, split } = state.matrix;
    const n = count(i, j);
    said.textContent = i === j
      ? `${names[i]}: ${n} of ${totals[i]} ${split} examples are right.`
      : `${names[i]} taken for ${names[j]}: ${n} of ${totals[i]} ${split} examples.`;
  };

  const add = (parent, tag, text) => {
    const child = document.createElement(tag);
    if (text) child.textContent = text;
    parent.append(child);
    return child;
  };

  const showExamples = () => {
    const cell = key(...atCursor());
    const { listed, figures } = state.matrix;
    shown.replaceChildren();
    const tiles = (figures[cell] || []).map((name) => element(`x-${name}`)).filter(Boolean);
    if (tiles.length) {
      const grid = add(shown, "div");
      grid.className = "tiles";
      for (const tile of tiles) {
        const copy = tile.cloneNode(true);
        copy.removeAttribute("id");
        // An id may stand once; what a copied plot refers to is in the first one.
        for (const part of copy.querySelectorAll("[id]")) part.removeAttribute("id");
        grid.append(copy);
      }
    }
    if (listed[cell]) {
      const list = add(shown, "ul");
      for (const [name, confidence, accepted] of listed[cell]) {
        const about = accepted ? "" : ", not accepted";
        add(list, "li", `${name}, ${confidence.toFixed(3)}${about}`);
      }
      const more = count(...atCursor()) - listed[cell].length - tiles.length;
      if (more > 0) add(shown, "p", `and ${more} more, in predictions.jsonl`);
    }
    if (!shown.childElementCount) {
      const none = count(...atCursor()) ? "No examples of this cell were kept." : "No examples.";
      add(shown, "p", none);
    }
  };

  const move = (row, column) => {
    const last = state.places.length - 1;
    state.row = Math.min(last, Math.max(0, row));
    state.column = Math.min(last, Math.max(0, column));
    draw();
    say();
    const { margin, side } = layout();
    const room = canvas.parentElement;
    const left = margin + state.column * side;
    if (left < room.scrollLeft || left + side > room.scrollLeft + room.clientWidth) {
      room.scrollLeft = left - room.clientWidth / 2;
    }
  };

  const steps = {
    ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
    Home: [0, -Infinity], End: [0, Infinity], PageUp: [-10, 0], PageDown: [10, 0],
  };
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Enter" || event.key === " ") {
      showExamples();
    } else if (steps[event.key]) {
      move(state.row + steps[event.key][0], state.column + steps[event.key][1]);
    } else {
      return;
    }
    event.preventDefault();
  });
  const pointed = (event) => {
    const { margin, side, size } = layout();
    const place = [event.offsetY, event.offsetX].map((x) => Math.floor((x - margin) / side));
    return place.every((x) => x >= 0 && x < size) ? place : null;
  };
  canvas.addEventListener("click", (event) => {
    const place = pointed(event);
    if (place) {
      move(...place);
      showExamples();
    }
  });
  canvas.addEventListener("pointermove", (event) => {
    const place = pointed(event);
    if (place && event.pointerType === "mouse") {
      const names = state.matrix.names;
      const [i, j] = place.map((x) => state.places[x]);
      canvas.title = `${names[i]} > ${names[j]}: ${count(i, j)}`;
    }
  });

  // A group of buttons, one of them pressed.
  const choices = (id, label, values, choose) => {
    const group = element(id);
    add(group, "span", label);
    const buttons = values.map(([value, text], at) => {
      const button = add(group, "button", text);
      button.type = "button";
      button.setAttribute("aria-pressed", String(at === 0));
      button.addEventListener("click", () => {
        for (const other of buttons) {
          other.setAttribute("aria-pressed", String(other === button));
        }
        choose(value);
      });
      return button;
    });
  };
  choices("splits", "Split", matrices.map((m) => [m, m.split]), (matrix) => {
    state.matrix = matrix;
    shown.replaceChildren();
    setMatrix();
  });
  choices("orders", "Order", [["name", "by name"], ["errors", "by errors"]], (order) => {
    state.order = order;
    state.row = state.column = 0;
    shown.replaceChildren();
    setMatrix();
  });

  element("picture").hidden = false;
  setMatrix();
  addEventListener("resize", draw);
  const redraw = () => {
    showTheme();
    draw();
  };
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    redraw();
  });
  prefersDark.addEventListener("change", redraw);
  // Paper is light.
  let before;
  addEventListener("beforeprint", () => {
    before = root.dataset.theme;
    root.dataset.theme = "light";
    redraw();
  });
  addEventListener("afterprint", () => {
    if (before) root.dataset.theme = before;
    else delete root.dataset.theme;
    redraw();
  });
})();
