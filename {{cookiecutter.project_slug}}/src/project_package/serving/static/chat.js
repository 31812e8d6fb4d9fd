// A conversation with the agent: streamed answers, citations, approvals, and “this did not help”.

import { element } from "./dom.js";

const ROUTE = "v1/chat/completions";
const json = { "Content-Type": "application/json" };

/** Show the conversation before a section; `ask` fetches a route with the key. */
export function showChat(ask, section) {
  const talk = element("div", { className: "talk", role: "log" });
  const user = element("input", { id: "chat-user", autocomplete: "off", maxLength: 64 });
  const text = element("input", { id: "chat-text", autocomplete: "off", required: true, maxLength: 2000 });
  const form = element("form", { className: "send" },
    element("p", {}, element("label", { htmlFor: "chat-text" }, "Message"), text),
    element("p", {}, element("label", { htmlFor: "chat-user" }, "Customer (there is no sign-in here)"), user),
    element("button", {}, "Send"));
  const title = element("h2", { id: "chat-title" }, "Talk to the agent");
  section.before(element("section", { id: "chat", "aria-labelledby": "chat-title" }, title, talk, form));
  let thread; // of the conversation; another customer begins a new one
  user.addEventListener("change", () => { thread = undefined; });

  /** Send a request, and show its answer as it arrives. */
  async function send(body) {
    const customer = user.value.trim() || undefined;
    const waiting = element("p", { className: "small" }, "…");
    const shown = element("div", { className: "said" }, waiting);
    for (const row of talk.querySelectorAll(".approval")) row.remove(); // another message declines it
    talk.append(shown);
    form.querySelector("button").disabled = true;
    try {
      const request = { ...body, stream: true, thread_id: thread, user: customer };
      const response = await ask(ROUTE, { method: "POST", headers: json, body: JSON.stringify(request) });
      if (response.status === 404) thread = undefined; // it was erased
      if (!response.ok) throw new Error(reason((await response.json()).detail));
      waiting.remove();
      for await (const chunk of chunksOf(response)) {
        if (customer === (user.value.trim() || undefined)) thread = chunk.thread_id;
        showChunk(shown, chunk);
      }
    } catch (error) {
      waiting.remove();
      shown.append(element("p", { className: "alert" }, error.message || "The server needs a key."));
    } finally {
      form.querySelector("button").disabled = false;
      shown.scrollIntoView({ block: "nearest" });
    }
  }

  /** Add what a chunk has to a message. */
  function showChunk(shown, { choices, citations, prediction_ids, approval }) {
    const { content } = choices[0].delta;
    if (content) textOf(shown).append(content);
    for (const passage of citations) shown.append(showPassage(passage));
    if (approval) {
      const decide = (approve) => () => send({ approve, approval_id: approval.id });
      shown.append(buttons("approval", ["Yes, do it", decide(true)], ["No", decide(false)]));
    }
    if (citations.length) shown.append(buttons("", ["This did not help", (row) => label(prediction_ids, row)]));
  }

  /** Store that another document should answer, which is not known, as a label of the predictions. */
  async function label(ids, row) {
    const labels = ids.map((id) => ({ prediction_id: id, label: { documents: ["?"] } }));
    const response = await ask("v1/labels", { method: "POST", headers: json, body: JSON.stringify({ labels }) }).catch(() => null);
    const done = response?.ok ? "Thank you: this is stored as a label." : "This cannot be stored: it needs a prediction log, and a key with the scope labels.";
    row.replaceChildren(element("span", { className: "small" }, done));
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    talk.append(element("p", { className: "asked" }, text.value));
    send({ messages: [{ role: "user", content: text.value }] });
    text.value = "";
    text.focus();
  });
}

/** Return the paragraph of a message that grows as its sentences arrive. */
function textOf(shown) {
  if (!shown.querySelector(".text")) shown.append(element("p", { className: "text" }));
  return shown.querySelector(".text");
}

/** Yield the chunks of a stream of server-sent events. */
async function* chunksOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let part = await reader.read(); ; part = await reader.read()) {
    if (part.done) throw new Error("The answer is not complete.");
    const events = (rest + part.value).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const data = event.replace(/^data: /, "");
      if (data === "[DONE]") return;
      yield JSON.parse(data);
    }
  }
}

/** Show a passage that opens, with its source. */
function showPassage({ document: name, title, page, link, text }) {
  const source = [name, page ? `page ${page}` : "", link].filter(Boolean).join(", ");
  const heading = element("summary", {}, title);
  return element("details", { className: "passage" }, heading, element("p", {}, text), element("p", { className: "small" }, source));
}

/** Show buttons in a row, which disappear when one is used. */
function buttons(name, ...actions) {
  const row = element("p", { className: `actions ${name}` });
  for (const [text, run] of actions) {
    const button = element("button", { type: "button" }, text);
    button.addEventListener("click", () => {
      row.replaceChildren();
      run(row);
    });
    row.append(button);
  }
  return row;
}

/** Return why a request is refused as a text. */
function reason(detail) {
  return Array.isArray(detail) ? detail.map(({ msg }) => msg.replace("Value error, ", "")).join(" ") : String(detail);
}
