// Asks the server that this page comes from, and nobody else.

const SHOWN_CLASSES = 5;
const HEAT_SIGNATURE = "explain";
// What models take as files, and the words of the page for it.
const FILES = {
  image_bytes: {
    heading: "Photos",
    label: "Choose photos, or drop them here",
    accept: "image/*",
  },
  sound_bytes: {
    heading: "Sounds",
    label: "Choose WAV files, or drop them here",
    accept: "audio/*,.wav",
  },
};
// What models of tables take: a row, with a field for each column.
const ROW = "a row of a table";
const byId = (id) => document.getElementById(id);

// An answer says which version gave it, and which classes that has. A server may load
// another version at any moment.
const VERSION_HEADER = "zootune-model-version";
const CLASSES_HEADER = "zootune-classes-digest";
const MOST_CHANGES = 5;

let token = "";
// What is known of the model that is chosen: its name, and of the version that answered
// last: its number, its classes, what it takes.
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
  return (await askWhose(path, body)).answer;
}

// The answer, and whose it is: a text that is the same for the same classes of the same
// version.
async function askWhose(path, body) {
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  let response;
  try {
    response = await fetch(path, {
      method: body === undefined ? "GET" : "POST",
      headers,
      body: body === undefined ? undefined : asJson(body),
      credentials: "omit",
    });
  } catch {
    throw new Refused(0, "The server does not answer.");
  }
  const answer = await response.json().catch(() => ({}));
  const version = response.headers.get(VERSION_HEADER);
  const whose = `${version} ${response.headers.get(CLASSES_HEADER)}`;
  if (response.ok) return { answer, version, whose };
  if (response.status === 401) wantToken();
  throw new Refused(response.status, answer.error ?? `HTTP ${response.status}`);
}

// As JSON.stringify, but NaN stays NaN, which servers of models read as missing.
function asJson(value) {
  if (typeof value === "number" && Number.isNaN(value)) return "NaN";
  if (Array.isArray(value)) return `[${value.map(asJson).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const fields = Object.entries(value).map(([key, x]) => `${JSON.stringify(key)}:${asJson(x)}`);
  return `{${fields.join(",")}}`;
}

const modelPath = (name) => `/v1/models/${encodeURIComponent(name)}`;
const versionPath = (name, version) => `${modelPath(name)}/versions/${version}`;

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
  byId("photos").hidden = byId("texts").hidden = byId("rows").hidden = true;
  use(await describe(name, null));
  say(`${name} knows ${chosen.classes.length} classes.`);
}

// What is known of a version, or of the one that answers now.
async function describe(name, version) {
  const path = version === null ? modelPath(name) : versionPath(name, version);
  const found = await askWhose(`${path}/metadata`);
  const { model_spec: spec, metadata } = found.answer;
  const signatures = metadata.signature_def.signature_def;
  const inputs = signatures.serving_default?.inputs ?? {};
  const takes = "table" in signatures ? ROW : Object.keys(inputs)[0];
  const columns = Object.keys(inputs)
    .sort()
    .map((column) => ({ column, isNumber: inputs[column].dtype === "DT_FLOAT" }));
  const gives = signatures.serving_default?.outputs ?? {};
  if ("values" in gives) {
    throw new Refused(0, `${name} answers with numbers; this page shows classes.`);
  }
  if ("anomaly_score" in gives) {
    throw new Refused(0, `${name} answers with anomaly scores; this page shows classes.`);
  }
  if (!("probabilities" in gives) || !("classify" in signatures)) {
    throw new Refused(0, `${name} is not an artifact of zoo; this page cannot ask it.`);
  }
  if (!(takes in FILES) && takes !== "text" && takes !== ROW) {
    throw new Refused(
      0,
      `${name} takes ${takes}; this page has photos, sounds, texts and rows of tables.`,
    );
  }
  const classes = metadata.class_names ?? (await namesOf(name, spec.version));
  const explains = HEAT_SIGNATURE in signatures;
  const { whose } = found;
  return { name, version: spec.version, whose, classes, takes, columns, explains };
}

// The names of all classes come with any answer of `classify`.
async function namesOf(name, version) {
  const { results } = await ask(`${versionPath(name, version)}:classify`, {
    signature_name: "classify",
    examples: [{}],
  });
  return results[0].map(([label]) => label);
}

function use(model) {
  chosen = model;
  byId("photos").hidden = !(model.takes in FILES);
  if (model.takes in FILES) {
    const { heading, label, accept } = FILES[model.takes];
    byId("photos-heading").textContent = heading;
    byId("drop").querySelector("label").textContent = label;
    byId("files").accept = accept;
  }
  byId("texts").hidden = model.takes !== "text";
  byId("rows").hidden = model.takes !== ROW;
  if (model.takes === ROW) showColumns(model.columns);
  byId("looked").hidden = !model.explains;
}

// A field for each column; what was typed stays where another version has the column.
function showColumns(columns) {
  const typed = new Map(fieldsOfRow().map((field) => [field.dataset.column, field.value]));
  const labels = columns.map(({ column, isNumber }, i) => {
    const label = element("label", "", `${column}, ${isNumber ? "a number" : "a category"}`);
    const field = element("input");
    label.htmlFor = field.id = `column-${i}`;
    field.type = "text";
    field.autocomplete = "off";
    field.spellcheck = false;
    field.dataset.column = column;
    field.value = typed.get(column) ?? "";
    if (isNumber) field.inputMode = "decimal";
    label.append(field);
    return label;
  });
  byId("columns").replaceChildren(...labels);
}

const fieldsOfRow = () => [...byId("columns").querySelectorAll("input")];

// The cells of a row by column. A category is sent as it was typed.
function rowOf(typed, columns) {
  const cells = columns.map(({ column, isNumber }) => {
    const text = typed[column] ?? "";
    if (!isNumber) return [column, text];
    const number = text.trim() === "" ? NaN : Number(text);
    if (text.trim() !== "" && !Number.isFinite(number)) {
      throw new Refused(0, `${column} takes a number, such as 3.5; ${text} is none.`);
    }
    return [column, number];
  });
  return Object.fromEntries(cells);
}

// An answer, and the model as it was when it gave that answer.
async function predict(name, instance) {
  for (let i = 0; i < MOST_CHANGES; i += 1) {
    const { answer, version, whose } = await askWhose(`${modelPath(name)}:predict`, {
      instances: [instance],
    });
    if (chosen?.name === name && chosen.whose === whose) return { answer, model: chosen };
    try {
      const model = await describe(name, version);
      if (model.whose !== whose) continue;
      if (chosen?.name === name) use(model);
      return { answer, model };
    } catch (error) {
      if (error.status !== 404) throw error; // that version is gone again
    }
  }
  throw new Refused(0, "Versions come and go too fast to say what was answered.");
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
  const isPhoto = chosen.takes === "image_bytes";
  const card = addCard(file.name, isPhoto ? URL.createObjectURL(file) : null);
  await answerInto(card, file.name, async () => ({ b64: await base64(file) }));
}

async function askOfText(text) {
  const card = addCard(text, null);
  await answerInto(card, text.slice(0, 40), async () => text);
}

async function askOfRow(typed) {
  const filled = Object.entries(typed).filter(([, text]) => text !== "");
  const source = filled.map(([column, text]) => `${column} ${text}`).join(", ");
  const card = addCard(source || "an empty row", null);
  await answerInto(card, source.slice(0, 40), async () => rowOf(typed, chosen.columns));
}

async function answerInto(card, source, read) {
  const { name } = chosen;
  try {
    const instance = await read();
    const started = performance.now();
    const { answer: found, model } = await predict(name, instance);
    const milliseconds = Math.round(performance.now() - started);
    const answer = found.predictions[0];
    showAnswer(card, answer, model.classes, milliseconds);
    say(`${source}: ${inWords(answer)}, ${milliseconds} ms`);
    if (model.explains && answer.valid) await showHeat(card, model, instance, answer);
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

async function showHeat(card, model, instance, answer) {
  // Of the version that gave the answer; if it is gone, there is nothing to show.
  const found = await ask(`${versionPath(model.name, model.version)}:predict`, {
    signature_name: HEAT_SIGNATURE,
    instances: [instance],
  }).catch((error) => {
    if (error.status === 404) return null;
    throw error;
  });
  if (found === null) return;
  const { rows, label } = likeliestMap(found.predictions[0], model, answer);
  const canvas = element("canvas", "heat");
  drawHeat(canvas, rows);
  canvas.hidden = !byId("heat").checked;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `It looked most at ${brightestPlace(rows)}.`);
  card.querySelector(".seen")?.append(canvas);
  card.append(line("source place", `For ${label}, it looked most at ${brightestPlace(rows)}.`));
}

// With several labels each one has a map; the likeliest is shown.
function likeliestMap({ heat_map: map, label }, model, answer) {
  if (label !== undefined) return { rows: map, label };
  const shares = answer.probabilities;
  const most = shares.indexOf(Math.max(...shares));
  return { rows: map[most], label: model.classes[most] };
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

byId("rows").addEventListener("submit", (event) => {
  event.preventDefault();
  const typed = Object.fromEntries(
    fieldsOfRow().map((field) => [field.dataset.column, field.value]),
  );
  if (chosen) enqueue(() => askOfRow(typed));
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
  const first = byId("rows").hidden ? null : fieldsOfRow()[0];
  (first ?? byId(byId("photos").hidden ? "text" : "files")).focus();
});

trying(start);
