"use strict";

// Shows the server's OpenAPI document. It builds elements and sets their text, never markup, so
// that nothing in the document can become part of the page's code.

const METHODS = ["get", "post", "put", "patch", "delete"];

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name, value);
  }
  node.append(...children.filter((c) => c !== null && c !== undefined));
  return node;
}

// prose shows text with `code` in backticks and paragraphs between empty lines.
function prose(text) {
  return (text || "").split(/\n\n+/).map((paragraph) => {
    const p = el("p");
    paragraph.split("`").forEach((part, i) => p.append(i % 2 ? el("code", {}, part) : part));
    return p;
  });
}

function refName(schema) {
  return schema.$ref ? schema.$ref.split("/").pop() : null;
}

// typeOf describes a schema in a few words, with links to those that have a name.
function typeOf(schema) {
  const name = refName(schema);
  if (name) {
    return el("a", { href: "#schema-" + name }, name);
  }
  if (schema.anyOf) {
    const span = el("span");
    schema.anyOf.forEach((s, i) => span.append(i ? " or " : "", typeOf(s)));
    return span;
  }
  const type = [].concat(schema.type || "any").filter((t) => t !== "null").join(" or ");
  if (type === "array") {
    return el("span", {}, "array of ", typeOf(schema.items || {}));
  }
  if (type === "object" && typeof schema.additionalProperties === "object") {
    return el("span", {}, "map to ", typeOf(schema.additionalProperties));
  }
  return el("span", {}, type + (schema.format ? " (" + schema.format + ")" : ""));
}

function bounds(schema) {
  const said = [];
  if (schema.enum) said.push("one of " + schema.enum.join(", "));
  if (schema.default !== undefined) said.push("default " + JSON.stringify(schema.default));
  for (const [key, word] of [
    ["minimum", "at least"], ["maximum", "at most"],
    ["minLength", "characters at least"], ["maxLength", "characters at most"],
    ["minItems", "items at least"], ["maxItems", "items at most"],
    ["maxProperties", "entries at most"],
  ]) {
    if (schema[key] !== undefined) said.push(word + " " + schema[key]);
  }
  return said.join("; ");
}

function row(name, schema, required, description) {
  const limits = bounds(schema);
  return el("tr", {},
    el("td", {}, el("code", {}, name), required ? el("span", { class: "need" }, " required") : null),
    el("td", {}, typeOf(schema)),
    el("td", {}, description || schema.description || "", limits ? el("div", { class: "soft" }, limits) : null));
}

function content(map) {
  const out = [];
  for (const [media, { schema }] of Object.entries(map || {})) {
    out.push(el("div", {}, el("code", {}, media), ": ", typeOf(schema || {})));
  }
  return out;
}

function operation(method, path, op) {
  const card = el("article", { id: op.operationId },
    el("h3", {}, el("span", { class: "method" }, method.toUpperCase()), el("code", {}, path)),
    el("p", {}, el("strong", {}, op.summary || "")), ...prose(op.description));
  if (op.parameters && op.parameters.length) {
    card.append(el("h4", {}, "Parameters"), el("table", {},
      ...op.parameters.map((p) => row(p.name + " (" + p.in + ")", p.schema || {}, p.required, p.description))));
  }
  if (op.requestBody) {
    card.append(el("h4", {}, "Body"), ...content(op.requestBody.content));
  }
  card.append(el("h4", {}, "Answers"), el("table", {},
    ...Object.entries(op.responses || {}).map(([status, r]) => el("tr", {},
      el("td", {}, el("code", {}, status)), el("td", {}, r.description || ""), el("td", {}, ...content(r.content))))));
  return card;
}

function schemaCard(name, schema) {
  const required = new Set(schema.required || []);
  return el("article", { id: "schema-" + name },
    el("h3", {}, name), ...prose(schema.description),
    el("table", {}, ...Object.entries(schema.properties || {}).map(([field, s]) => row(field, s, required.has(field)))));
}

function show(doc) {
  const byId = (id) => document.getElementById(id);
  byId("version").textContent = doc.info.version;
  byId("intro").append(...prose(doc.info.description));
  const index = byId("index");
  for (const [path, item] of Object.entries(doc.paths)) {
    for (const method of METHODS.filter((m) => item[m])) {
      const op = item[method];
      byId("operations").append(operation(method, path, op));
      index.append(el("li", {}, el("a", { href: "#" + op.operationId }, el("span", { class: "method" }, method.toUpperCase()), op.summary || path)));
    }
  }
  for (const [name, schema] of Object.entries(doc.components.schemas)) {
    byId("schemas").append(schemaCard(name, schema));
  }
  byId("filter").addEventListener("input", (event) => {
    const words = event.target.value.toLowerCase();
    for (const li of index.children) {
      li.hidden = !li.textContent.toLowerCase().includes(words);
    }
  });
  if (location.hash) {
    const target = byId(decodeURIComponent(location.hash.slice(1)));
    if (target) target.scrollIntoView();
  }
}

fetch("/openapi.json")
  .then((response) => {
    if (!response.ok) throw new Error("HTTP " + response.status);
    return response.json();
  })
  .then(show)
  .catch((error) => {
    document.getElementById("intro").append(el("p", { class: "need" }, "The OpenAPI document could not be loaded: " + error.message));
  });
