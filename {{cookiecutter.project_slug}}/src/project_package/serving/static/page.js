// The page: read the overview and the schema of requests, fill in the form, and send it.

import { columnChart, showAnswer, showTable } from "./answer.js";
import { element, shortened, words } from "./dom.js";
import { makeField } from "./form.js";

const REFRESH_MS = 15_000;
const LOG_MS = 6_000; // a new prediction is in the log, and the server reads that again
const PROBLEMS = {
  champion: "A newer version cannot be loaded: the one before answers.",
  challenger: "The version that is tried beside this one cannot be loaded.",
  model_store: "The store of models cannot be reached: new versions do not arrive.",
  state: "The store of earlier events cannot be used: requests that need it are refused.",
  log: "Answers are not logged at the moment.",
};
let token = ""; // of the API key; only here
let field; // the form's root
const shown = {}; // what each part of the page shows, as JSON

const byId = (id) => document.getElementById(id);
const headers = (more = {}) => (token ? { ...more, Authorization: `Bearer ${token}` } : more);

/** Fetch a route; ask for a key when the server wants one. */
async function ask(route, options = {}) {
  const response = await fetch(route, { ...options, headers: headers(options.headers) }).catch(() => {
    throw new Error("The server does not answer.");
  });
  if (response.status === 401 || response.status === 403) {
    byId("key").hidden = false;
    byId("key").querySelector("input").focus();
    throw new Error(token ? (await response.json()).detail : "");
  }
  return response;
}

/** Return whether a part shows something new. Otherwise it is not built again: a focused link would
 * lose its focus, and screen readers would repeat an alert. */
function isNew(part, value) {
  const before = shown[part];
  shown[part] = JSON.stringify(value);
  return shown[part] !== before;
}

function showProblems(...texts) {
  if (!isNew("problems", texts)) return;
  byId("problems").replaceChildren(...texts.filter(Boolean).map((text) => element("p", { className: "alert" }, text)));
}

/** Read what the server says of itself, and show it. */
async function refresh() {
  const response = await ask("v1/overview");
  if (!response.ok) throw new Error((await response.json()).detail);
  const overview = await response.json();
  byId("key").hidden = true;
  showHeader(overview);
  showQuality(overview);
  showRecent(overview.recent);
  showDocuments(overview.documents);
  showProblems(...overview.degraded.map((part) => PROBLEMS[part] ?? `${words(part)} cannot be used.`));
  return overview;
}

function showHeader({ name, model_version, trained, since, summary }) {
  const title = summary?.title ?? name;
  document.title = title;
  byId("title").textContent = title;
  byId("question").textContent = summary?.question ?? "";
  const began = since ? `answers since ${since.slice(0, 10)}, ` : "";
  byId("kicker").textContent = `${name} · version ${model_version} ${began}trained on ${trained.slice(0, 10)}`;
}

function showQuality({ summary, news, model_version }) {
  if (!isNew("quality", [summary, news, model_version])) return;
  const texts = [];
  if (summary) {
    texts.push(element("p", { className: "headline" }, summary.headline));
    texts.push(element("ul", {}, ...summary.findings.map((text) => element("li", {}, text))));
    const scores = Object.entries(summary.scores).map(([answers, score]) => ({ answers, score }));
    texts.push(element("div", { className: "part" }, element("p", {}, summary.measure), showTable(scores, "Scores")));
    texts.push(element("h3", {}, "What it is for"), element("p", {}, summary.use));
  }
  texts.push(element("h3", {}, "Monitoring"));
  if (news) {
    const of = news.version === model_version ? "" : ` of version ${news.version}`;
    texts.push(element("p", { className: "small" }, `What monitoring found${of} until ${news.until.slice(0, 16).replace("T", " ")} UTC.`));
    texts.push(element("ul", { className: news.alarms.length ? "alarms" : "" }, ...news.sentences.map((text) => element("li", {}, text))));
  } else {
    texts.push(element("p", {}, "There are no findings: ", element("code", {}, "ml monitor"), " has not run, or the model store cannot be reached."));
  }
  byId("quality-text").replaceChildren(...texts);
  byId("quality").hidden = false;
}

function showRecent(recent) {
  if (!isNew("recent", recent)) return;
  const text = byId("recent-text");
  byId("recent").hidden = false;
  if (!recent) {
    text.replaceChildren(element("p", {}, "There is nothing to show: answers are not logged, or the log cannot be read."));
    return;
  }
  const total = `${shortened(recent.answers)} ${recent.answers === 1 ? "answer" : "answers"} in the last hour`;
  const minutes = recent.minutes.map((value, index) => ({ label: `${60 - index} min ago: ${shortened(value)}`, value }));
  const figures = [chart("Answers by minute", minutes, total, ["an hour ago", "now"])];
  for (const { name, is_number, bars } of recent.outputs) {
    if (!is_number) {
      const rows = bars.map(({ label, share }) => ({ value: label, share }));
      figures.push(element("figure", {}, element("h3", {}, words(name)), showTable(rows, name)));
      continue;
    }
    const values = bars.map(({ label, share }) => ({ label: `${label}: ${shortened(100 * share)} %`, value: share }));
    const ends = bars.length ? [bars[0].label, bars.at(-1).label] : [];
    if (bars.length) figures.push(chart(words(name), values, `Shares of the values of ${words(name)}`, ends));
  }
  text.replaceChildren(element("p", { className: "headline" }, `${total}.`), ...(recent.answers ? figures : []));
}

function chart(title, bars, text, ends) {
  const scale = element("p", { className: "ends" }, ...ends.map((end) => element("span", {}, end)));
  return element("figure", {}, element("h3", {}, title), columnChart(bars, text), scale);
}

function showDocuments(names) {
  if (!isNew("documents", names)) return;
  const titles = { "report.html": "Report on its test", "card.md": "Model card", "monitor.html": "Monitoring", "checklist.html": "ML Test Score" };
  const items = names.map((name) => {
    const link = element("a", { href: `v1/documents/${name}` }, titles[name] ?? name);
    link.addEventListener("click", (event) => token && save(event, name)); // a link cannot send a key
    return element("li", {}, link);
  });
  byId("documents").replaceChildren(...items, byId("documents").lastElementChild);
}

/** Download a document with the key. */
async function save(event, name) {
  event.preventDefault();
  try {
    const response = await ask(`v1/documents/${name}`);
    if (!response.ok) throw new Error((await response.json()).detail);
    const link = element("a", { href: URL.createObjectURL(await response.blob()), download: name });
    link.click();
    URL.revokeObjectURL(link.href);
  } catch (error) {
    showProblems(error.message);
    byId("problems").scrollIntoView();
  }
}

/** Make the form from the OpenAPI document, filled in with an example. */
async function showForm(example) {
  const api = await (await fetch("openapi.json")).json();
  const definitions = api.components.schemas;
  const body = api.paths["/v1/predict"].post.requestBody.content["application/json"].schema;
  field = makeField("", body.properties.instances.items, true, definitions);
  field.set({ ...example, explain: true }); // where requests have it
  byId("request").replaceChildren(field.node, element("button", {}, "Ask"));
  byId("ask").hidden = false;
  if ("/v1/chat/completions" in api.paths) (await import("./chat.js")).showChat(ask, byId("ask"));
}

async function send(event) {
  event.preventDefault();
  field.clear();
  const instance = field.read();
  const image = byId("request").querySelector(".drop img:not([hidden])")?.src ?? "";
  const button = byId("request").querySelector("button:last-child");
  button.disabled = true;
  try {
    const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ instances: [instance] }) };
    const response = await ask("v1/predict", options);
    const content = await response.json();
    showCurl(instance, image);
    if (response.ok) showPrediction(content, image);
    else showRefusal(content.detail);
  } catch (error) {
    showRefusal(error.message || "The server needs a key.");
  } finally {
    button.disabled = false;
  }
}

function showPrediction({ predictions, prediction_ids, model_version, versions }, image) {
  const origin = `Version ${versions?.[0] ?? model_version}, prediction ${prediction_ids[0]}`;
  byId("answer").replaceChildren(...showAnswer(predictions[0], image), element("p", { className: "small" }, origin));
  setTimeout(() => refresh().catch(() => {}), LOG_MS);
}

/** Show why a request is refused: by the fields at fault, and the rest above the answer. */
function showRefusal(detail) {
  const errors = Array.isArray(detail) ? detail : [{ loc: [], msg: String(detail) }];
  const others = [];
  let first = null;
  for (const { loc, msg } of errors) {
    const text = msg.replace("Value error, ", ""); // Pydantic's words
    const input = field.refuse(text, loc.slice(3)); // after body, instances, 0
    first ??= input;
    if (!input) others.push(`${loc.slice(3).join(".")} ${text}`.trim());
  }
  const texts = others.length ? others : ["Correct the fields that are marked."];
  byId("answer").replaceChildren(...texts.map((text) => element("p", { className: "alert" }, text)));
  first?.focus();
}

/** Show a request as a command; the key is a variable, and an image a file. */
function showCurl(instance, image) {
  const key = token ? ` -H "Authorization: Bearer $KEY"` : "";
  const url = new URL("v1/predict", document.baseURI).href;
  const data = image
    ? `-H 'Content-Type: image/png' --data-binary @image.png`
    : `--json '${JSON.stringify({ instances: [instance] }).replaceAll("'", `'\\''`)}'`;
  byId("curl").querySelector("code").textContent = `curl -sS --fail-with-body${key} ${data} ${url}`;
  byId("curl").hidden = false;
}

/** Refresh the page, and make the form if there is none yet. */
async function start() {
  try {
    const overview = await refresh();
    if (!field) await showForm(overview.example);
  } catch (error) {
    showProblems(error.message);
  }
}

byId("request").addEventListener("submit", send);
byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  token = byId("token").value.trim();
  showProblems(); // the same refusal of another key is new
  start();
});
byId("curl").querySelector("button").addEventListener("click", () => {
  navigator.clipboard?.writeText(byId("curl").querySelector("code").textContent);
});
setInterval(() => !document.hidden && byId("key").hidden && start(), REFRESH_MS);
await start();
