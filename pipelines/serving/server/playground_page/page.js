// Asks the server that this page comes from, and nobody else.

const SHOWN_CLASSES = 5;
const HEAT_SIGNATURE = "explain";
const byId = (id) => document.getElementById(id);

let token = "";
// What is known of the model that is chosen: its name, its classes, what it takes.
let chosen = null;
// Requests go one after the other, so that each is timed alone and answers keep order.
let queue = Promise.resolve();

class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(path, body) {
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  let response;
  try {
    response = await fetch(path, {
      method: body === undefined ? "GET" : "POST",
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "omit",
    });
  } catch {
    throw new Refused(0, "The server does not answer.");
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  if (response.status === 401) wantToken();
  throw new Refused(response.status, answer.error ?? `HTTP ${response.status}`);
}

const modelPath = (name) => `/v1/models/${encodeURIComponent(name)}`;

function wantToken() {
  byId("access").hidden = false;
  byId("token").focus();
}

function say(text, isProblem = false) {
  byId("status").textContent = text;
  byId("status").classList.toggle("problem", isProblem);
}

async function start() {
  const { models } = await ask("/playground/models");
  byId("access").hidden = true;
  byId("model").replaceChildren(...models.map((name) => new Option(name, name)));
  byId("model").disabled = false;
  await choose(models[0]);
}

async function choose(name) {
  chosen = null;
  byId("photos").hidden = byId("texts").hidden = true;
  const { metadata } = await ask(`${modelPath(name)}/metadata`);
  const signatures = metadata.signature_def.signature_def;
  const takes = Object.keys(signatures.serving_default?.inputs ?? {})[0];
  const gives = signatures.serving_default?.outputs ?? {};
  if (!("probabilities" in gives) || !("classify" in signatures)) {
    throw new Refused(0, `${name} is not an artifact of zoo; this page cannot ask it.`);
  }
  if (takes !== "image_bytes" && takes !== "text") {
    throw new Refused(0, `${name} takes ${takes}; this page has photos and texts.`);
  }
  const explains = HEAT_SIGNATURE in signatures;
  // The names of all classes come with any answer of `classify`.
  const { results } = await ask(`${modelPath(name)}:classify`, {
    signature_name: "classify",
    examples: [{}],
  });
  chosen = { name, classes: results[0].map(([label]) => label), explains };
  byId("photos").hidden = takes !== "image_bytes";
  byId("texts").hidden = takes !== "text";
  byId("looked").hidden = !explains;
  say(`${name} knows ${chosen.classes.length} classes.`);
}

// Runs what may be refused, and says so.
async function trying(action) {
  try {
    await action();
  } catch (error) {
    say(error.message, true);
  }
}

function enqueue(action) {
  queue = queue.then(() => trying(action));
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(new Refused(0, `${file.name} cannot be read.`));
    reader.readAsDataURL(file);
  });
}

async function askOfFile(file) {
  const card = addCard(file.name, URL.createObjectURL(file));
  await answerInto(card, file.name, async () => ({ b64: await base64(file) }));
}

async function askOfText(text) {
  const card = addCard(text, null);
  await answerInto(card, text.slice(0, 40), async () => text);
}

async function answerInto(card, source, read) {
  const { name, classes, explains } = chosen;
  try {
    const instance = await read();
    const started = performance.now();
    const { predictions } = await ask(`${modelPath(name)}:predict`, {
      instances: [instance],
    });
    const milliseconds = Math.round(performance.now() - started);
    const answer = predictions[0];
    showAnswer(card, answer, classes, milliseconds);
    say(`${source}: ${inWords(answer)}, ${milliseconds} ms`);
    if (explains && answer.valid) await showHeat(card, name, instance);
  } catch (error) {
    card.append(line("verdict failed", error.message));
    throw error;
  }
}

function inWords(answer) {
  if (!answer.valid) return "cannot be read";
  const verdict = answer.accepted ? "accepted" : "not accepted";
  return `${answer.label}, ${percent(answer.confidence)}, ${verdict}`;
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;

function element(kind, className, text) {
  const made = document.createElement(kind);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

const line = (className, text) => element("p", className, text);

function addCard(source, imageAddress) {
  const card = element("li", "answer");
  if (imageAddress) card.append(preview(source, imageAddress));
  card.append(line("source", source));
  byId("results").prepend(card);
  byId("answers").hidden = false;
  return card;
}

function preview(source, address) {
  const figure = element("figure", "seen");
  const image = element("img");
  image.alt = source;
  // What a browser cannot show, the server may read all the same.
  image.addEventListener("error", () => figure.remove());
  image.src = address;
  figure.append(image);
  return figure;
}

function showAnswer(card, answer, classes, milliseconds) {
  if (!answer.valid) {
    card.append(line("verdict invalid", "Broken: this cannot be read."));
  } else {
    card.append(element("h3", "label", answer.label));
    card.append(verdict(answer));
    card.append(classList(answer, classes));
  }
  card.append(line("source latency", `answered in ${milliseconds} ms`));
}

function verdict(answer) {
  if (answer.accepted) return line("verdict accepted", "Accepted");
  const why =
    answer.ood_score > 1 ? "it is unlike the training data" : "the confidence is low";
  return line("verdict unsure", `Not accepted: ${why}`);
}

function classList(answer, classes) {
  const rows = classes
    .map((name, i) => [name, answer.probabilities[i]])
    .sort((one, other) => other[1] - one[1])
    .slice(0, SHOWN_CLASSES);
  const list = element("dl", "classes");
  for (const [name, probability] of rows) {
    const meter = element("meter");
    meter.value = probability;
    meter.setAttribute("aria-label", `probability of ${name}`);
    const value = element("dd");
    value.append(meter, element("span", "", percent(probability)));
    list.append(element("dt", "", name), value);
  }
  return list;
}

async function showHeat(card, name, instance) {
  const { predictions } = await ask(`${modelPath(name)}:predict`, {
    signature_name: HEAT_SIGNATURE,
    instances: [instance],
  });
  const { heat_map: rows, label } = predictions[0];
  const canvas = element("canvas", "heat");
  drawHeat(canvas, rows);
  canvas.hidden = !byId("heat").checked;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `It looked most at ${brightestPlace(rows)}.`);
  card.querySelector(".seen")?.append(canvas);
  card.append(line("source place", `For ${label}, it looked most at ${brightestPlace(rows)}.`));
}

// The map is of the whole photo, which the model stretches to a square.
function drawHeat(canvas, rows) {
  canvas.height = rows.length;
  canvas.width = rows[0].length;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(canvas.width, canvas.height);
  rows.flat().forEach((heat, i) => {
    pixels.data.set([255, 220 * (1 - heat), 0, 150 * heat], 4 * i);
  });
  context.putImageData(pixels, 0, 0);
}

function brightestPlace(rows) {
  const flat = rows.flat();
  const most = Math.max(...flat);
  if (!(most > 0)) return "no place in particular";
  const at = flat.indexOf(most);
  const width = rows[0].length;
  const third = (position, size) => Math.floor((3 * (position + 0.5)) / size);
  const vertical = ["top", "middle", "bottom"][third(Math.floor(at / width), rows.length)];
  const horizontal = ["left", "centre", "right"][third(at % width, width)];
  return `the ${vertical} ${horizontal}`;
}

function takeFiles(files) {
  if (!chosen) return;
  for (const file of files) enqueue(() => askOfFile(file));
}

byId("files").addEventListener("change", (event) => {
  takeFiles([...event.target.files]);
  event.target.value = ""; // or the same file could not be chosen again
});

const drop = byId("drop");
for (const kind of ["dragenter", "dragover"]) {
  drop.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
for (const kind of ["dragleave", "drop"]) {
  drop.addEventListener(kind, () => drop.classList.remove("over"));
}
// A file that is dropped beside the field must not replace the page.
for (const kind of ["dragover", "drop"]) {
  document.addEventListener(kind, (event) => event.preventDefault());
}
drop.addEventListener("drop", (event) => takeFiles([...event.dataTransfer.files]));

byId("texts").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = byId("text").value;
  if (chosen) enqueue(() => askOfText(text));
});

byId("access").addEventListener("submit", (event) => {
  event.preventDefault();
  token = byId("token").value.trim();
  trying(start);
});

byId("model").addEventListener("change", (event) => {
  trying(() => choose(event.target.value));
});

byId("heat").addEventListener("change", (event) => {
  for (const canvas of document.querySelectorAll("canvas.heat")) {
    canvas.hidden = !event.target.checked;
  }
});

byId("clear").addEventListener("click", () => {
  for (const image of document.querySelectorAll(".seen img")) {
    URL.revokeObjectURL(image.src);
  }
  byId("results").replaceChildren();
  byId("answers").hidden = true;
  say("");
  byId(byId("photos").hidden ? "text" : "files").focus();
});

trying(start);
