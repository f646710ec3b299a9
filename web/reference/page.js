"use strict";

// Shows the server's OpenAPI document. It builds elements and sets their text, never markup, so
// that nothing in the document can become part of the page's code.

const METHODS = ["post", "get", "put", "patch", "delete"];

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
  const choice = schema.enum || (schema.items && schema.items.enum);
  if (choice) said.push("allowed: " + choice.join(", "));
  if (schema.default !== undefined) said.push("default " + JSON.stringify(schema.default));
  for (const [key, word] of [
    ["minimum", "at least"], ["maximum", "at most"],
    ["minLength", "characters: at least"], ["maxLength", "characters: at most"],
    ["minItems", "items: at least"], ["maxItems", "items: at most"],
    ["maxProperties", "entries: at most"],
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

function method(name) {
  return el("span", { class: "method " + name }, name.toUpperCase());
}

function table(...rows) {
  return el("div", { class: "wide" }, el("table", {}, ...rows));
}

// command gives a curl command that makes the request, with the document's example of its body.
function command(verb, path, op) {
  const body = op.requestBody && op.requestBody.content["application/json"];
  const waits = verb === "post" && (op.parameters || []).some((p) => p.name === "wait");
  const url = location.origin + path.replace("{id}", "$ID").replace("{name}", "default") + (waits ? "?wait=10s" : "");
  const words = ["curl"];
  if (verb !== "get" && !body) words.push("-X " + verb.toUpperCase());
  if (path.endsWith("/events")) words.push("-N");
  words.push(path.includes("{id}") ? '"' + url + '"' : "'" + url + "'");
  let text = words.join(" ");
  if (body && body.example) {
    text += " \\\n  -H 'Content-Type: application/json' -d '" + JSON.stringify(body.example, null, 2).replaceAll("'", "'\\''") + "'";
  }
  return el("pre", {}, el("code", {}, text));
}

function operation(verb, path, op) {
  const card = el("article", { id: op.operationId },
    el("h3", {}, method(verb), el("code", {}, path)),
    el("p", {}, el("strong", {}, op.summary || "")), ...prose(op.description), command(verb, path, op));
  if (op.parameters && op.parameters.length) {
    card.append(el("h4", {}, "Parameters"), table(
      ...op.parameters.map((p) => row(p.name + " (" + p.in + ")", p.schema || {}, p.required, p.description))));
  }
  if (op.requestBody) {
    card.append(el("h4", {}, "Body"), ...content(op.requestBody.content));
  }
  card.append(el("h4", {}, "Answers"), table(
    ...Object.entries(op.responses || {}).map(([status, r]) => el("tr", {},
      el("td", {}, el("code", {}, status)), el("td", {}, r.description || ""), el("td", {}, ...content(r.content))))));
  return card;
}

function schemaCard(name, schema) {
  const required = new Set(schema.required || []);
  return el("article", { id: "schema-" + name },
    el("h3", {}, name), ...prose(schema.description),
    table(...Object.entries(schema.properties || {}).map(([field, s]) => row(field, s, required.has(field)))));
}

// sections groups operations by their tag, in the order in which the document lists the tags.
function sections(doc) {
  const groups = new Map((doc.tags || []).map((tag) => [tag.name, { tag, operations: [] }]));
  for (const [path, item] of Object.entries(doc.paths)) {
    for (const verb of METHODS.filter((m) => item[m])) {
      const name = (item[verb].tags || ["other"])[0];
      if (!groups.has(name)) groups.set(name, { tag: { name }, operations: [] });
      groups.get(name).operations.push([verb, path, item[verb]]);
    }
  }
  return [...groups.values()].filter((group) => group.operations.length);
}

function show(doc) {
  const byId = (id) => document.getElementById(id);
  byId("version").textContent = doc.info.version;
  byId("intro").append(...prose(doc.info.description));
  const index = byId("index");
  const schemas = doc.components.schemas;
  const entry = (to, ...children) => index.append(el("li", {}, el("a", { href: "#" + to }, ...children)));
  for (const { tag, operations } of sections(doc)) {
    byId("operations").append(el("h2", { id: "tag-" + tag.name }, tag.name), ...prose(tag.description));
    index.append(el("li", { class: "group" }, el("a", { href: "#tag-" + tag.name }, tag.name)));
    for (const [verb, path, op] of operations) {
      byId("operations").append(operation(verb, path, op));
      entry(op.operationId, method(verb), el("span", {}, op.summary || path));
    }
  }
  index.append(el("li", { class: "group" }, el("a", { href: "#schemas" }, "schemas")));
  for (const [name, schema] of Object.entries(schemas)) {
    byId("schemas").append(schemaCard(name, schema));
    entry("schema-" + name, el("span", {}, name));
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

fetch("openapi.json")
  .then((response) => {
    if (!response.ok) throw new Error("HTTP " + response.status);
    return response.json();
  })
  .then(show)
  .catch((error) => {
    document.getElementById("intro").append(el("p", { class: "need" }, "The OpenAPI document could not be loaded: " + error.message));
  });
