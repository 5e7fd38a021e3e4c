// Runs page.js against a real server, with just as much of a document as it needs.
// usage: node page_in_node.mjs PAGE_JS URL; asks about each line of its input, and
// prints the classes that the page shows for it.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const [, , script, url] = process.argv;

class Element {
  constructor(kind = "") {
    Object.assign(this, { kind, children: [], listeners: {}, textContent: "" });
    Object.assign(this, { value: "", hidden: false, files: [], style: {} });
    this.classList = { toggle() {}, add() {}, remove() {} };
  }
  addEventListener(kind, listener) { this.listeners[kind] = listener; }
  append(...added) { this.children.push(...added); }
  prepend(...added) { this.children.unshift(...added); }
  replaceChildren(...now) { this.children = now; }
  setAttribute() {}
  focus() {}
  remove() {}
  querySelector() { return null; }
  all(kind) {
    const below = this.children.flatMap((one) => one.all?.(kind) ?? []);
    return this.kind === kind ? [this, ...below] : below;
  }
}

const elements = {};
globalThis.document = {
  getElementById: (id) => (elements[id] ??= new Element()),
  createElement: (kind) => new Element(kind),
  querySelectorAll: () => [],
  addEventListener() {},
};
globalThis.Option = class extends Element {
  constructor(text, value) { super("option"); Object.assign(this, { value }); }
};
const plainFetch = globalThis.fetch;
globalThis.fetch = (path, options) => plainFetch(new URL(path, url), options);
const at = (id) => document.getElementById(id);
const said = () => at("status").textContent;
const until = async (condition) => {
  while (!condition()) await new Promise((done) => setTimeout(done, 20));
};

await import(`data:text/javascript;base64,${readFileSync(script).toString("base64")}`);
await until(said);
console.log(said());
for await (const line of createInterface({ input: process.stdin })) {
  const before = at("results").children.length ?? 0;
  at("status").textContent = "";
  at("text").value = line;
  at("texts").listeners.submit({ preventDefault() {} });
  await until(said);
  const [card] = at("results").children.slice(0, at("results").children.length - before);
  const names = card.all("dt").map((one) => one.textContent);
  const shares = card.all("meter").map((one) => one.value);
  console.log(JSON.stringify({ said: said(), names, shares }));
}
