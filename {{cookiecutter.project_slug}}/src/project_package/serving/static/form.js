// A form from the JSON Schema of a request. Every field is { node, read(), set(value) }: `read`
// returns the value for the request, or undefined for a field that is left out.

import { element, words } from "./dom.js";

let numbers = 0;

/** Make a form field for a schema; `definitions` has the schemas that it refers to. */
export function makeField(name, schema, isRequired, definitions) {
  const resolved = resolve(schema, definitions);
  const { isNullable, kind } = resolved;
  const options = { name, schema: { ...resolved.schema, ...described(schema) }, isRequired, isNullable };
  if (kind === "group") return makeGroup(options, definitions);
  const id = `field-${++numbers}`;
  const control = CONTROLS[kind](options, id);
  const label = element("label", { htmlFor: id }, words(schema.title && !name ? schema.title : name));
  if (!isRequired || isNullable) label.append(element("span", { className: "hint" }, "optional"));
  const help = options.schema.description
    ? element("p", { id: `${id}-help`, className: "help" }, options.schema.description)
    : null;
  const error = element("p", { id: `${id}-error`, className: "error" });
  control.input.setAttribute("aria-describedby", `${id}-help ${id}-error`);
  control.input.required = isRequired && !isNullable;
  const node = element("div", { className: `field ${kind}` }, label, control.node, help, error);
  const show = (message) => {
    error.textContent = message;
    if (message) control.input.setAttribute("aria-invalid", "true");
    else control.input.removeAttribute("aria-invalid");
  };
  const refuse = (message) => {
    show(message);
    control.input.closest("details")?.setAttribute("open", ""); // what is closed takes no focus
    return control.input;
  };
  return { node, read: control.read, set: control.set, clear: () => show(""), refuse };
}

/** Make the fields of an object. */
function makeGroup({ name, schema, isRequired, isNullable }, definitions) {
  const required = schema.required ?? [];
  const fields = Object.entries(schema.properties).map(([key, part]) => [
    key,
    makeField(key, part, required.includes(key), definitions),
  ]);
  const legend = name ? element("legend", {}, words(name)) : null;
  const node = element("fieldset", {}, legend, ...fields.map(([, field]) => field.node));
  const read = () => {
    const entries = fields.map(([key, field]) => [key, field.read()]);
    const given = entries.filter(([, value]) => value !== undefined);
    return given.length || (isRequired && !isNullable) ? Object.fromEntries(given) : undefined;
  };
  const set = (value) => fields.forEach(([key, field]) => field.set(value?.[key]));
  const clear = () => fields.forEach(([, field]) => field.clear());
  const refuse = (message, [key, ...rest] = []) => {
    const found = fields.find(([known]) => known === key);
    return found ? found[1].refuse(message, rest) : null;
  };
  return { node, read, set, clear, refuse };
}

/** Follow references, take the part of a union that is not null, and name the kind of field. */
function resolve(schema, definitions) {
  let found = schema;
  let isNullable = false;
  while (found.$ref || found.anyOf || found.allOf) {
    if (found.$ref) found = definitions[found.$ref.split("/").at(-1)];
    else {
      const parts = (found.anyOf ?? found.allOf).filter((part) => part.type !== "null");
      isNullable ||= parts.length < (found.anyOf ?? parts).length;
      found = parts[0];
    }
  }
  return { schema: found, isNullable, kind: kindOf(found) };
}

function described(schema) {
  return schema.description ? { description: schema.description } : {};
}

function kindOf(schema) {
  if (schema.enum || schema.const !== undefined) return "choice";
  if (schema.type === "object" && schema.properties) return "group";
  if (schema.type === "boolean") return "flag";
  if (schema.type === "number" || schema.type === "integer") return "number";
  if (schema.contentMediaType?.startsWith("image/")) return "image";
  return schema.type === "string" ? "text" : "json";
}

const CONTROLS = {
  choice({ schema, isRequired, isNullable }, id) {
    const values = schema.enum ?? [schema.const];
    const blank = isRequired && !isNullable ? [] : [element("option", { value: "" }, "–")];
    const options = values.map((value, index) => element("option", { value: index }, String(value)));
    const input = element("select", { id }, ...blank, ...options);
    const read = () => (input.value === "" ? undefined : values[Number(input.value)]);
    const set = (value) => (input.value = values.includes(value) ? values.indexOf(value) : blank.length ? "" : 0);
    return { input, node: input, read, set };
  },
  flag({ schema, isRequired, isNullable }, id) {
    if (isNullable) return CONTROLS.choice({ schema: { enum: [true, false] }, isRequired, isNullable }, id);
    const input = element("input", { id, type: "checkbox" });
    return { input, node: input, read: () => input.checked, set: (value) => (input.checked = value ?? schema.default ?? false) };
  },
  number({ schema }, id) {
    const input = element("input", { id, type: "number", step: schema.type === "integer" ? 1 : "any" });
    const read = () => {
      if (input.validity.badInput) return "no number"; // its value is "", and the server refuses this text
      return input.value === "" ? undefined : Number(input.value);
    };
    return { input, node: input, read, set: (value) => (input.value = value ?? schema.default ?? "") };
  },
  text({ schema, isRequired, isNullable }, id) {
    const input = element("input", { id, type: "text", autocomplete: "off", spellcheck: false });
    const read = () => (input.value === "" && !(isRequired && !isNullable) ? undefined : input.value);
    return { input, node: input, read, set: (value) => (input.value = value ?? schema.default ?? "") };
  },
  json({ name, schema }, id) {
    const input = element("textarea", { id, rows: 6, spellcheck: false });
    const text = element("span");
    const summary = element("summary", {}, element("span", { className: "unseen" }, `${words(name)}: `), text);
    const count = () => {
      const value = parsed(input.value);
      text.textContent = Array.isArray(value) ? `${value.length} entries, as JSON` : "As JSON";
    };
    const set = (value) => {
      const shown = value ?? schema.default;
      input.value = shown === undefined || shown === null ? "" : JSON.stringify(shown, null, 1);
      count();
    };
    input.addEventListener("change", count);
    return { input, node: element("details", {}, summary, input), read: () => parsed(input.value), set };
  },
  image(_, id) {
    let content;
    const input = element("input", { id, type: "file", accept: "image/png,image/jpeg" });
    const preview = element("img", { alt: "The image to ask about", hidden: true });
    const show = (value) => {
      content = value;
      preview.hidden = !value;
      if (value) preview.src = value.startsWith("data:") ? value : `data:image/png;base64,${value}`;
    };
    const take = async (file) => file && show(await asDataUrl(file));
    input.addEventListener("change", () => take(input.files[0]));
    const text = element("p", { className: "help" }, "Drop an image here, or choose a file.");
    const node = element("div", { className: "drop" }, preview, input, text);
    node.addEventListener("dragover", (event) => event.preventDefault());
    node.addEventListener("drop", (event) => {
      event.preventDefault();
      take(event.dataTransfer.files[0]);
    });
    return { input, node, read: () => content, set: show };
  },
};

/** Return what JSON says; text that is no JSON as it is, so that the server refuses it. */
function parsed(text) {
  if (!text.trim()) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function asDataUrl(file) {
  return new Promise((resolvePromise, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolvePromise(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}
