// Completes what is typed, and keeps the list of the words looked up in this
// session. Pages are shared by everybody and say nothing of a session, so the
// list is asked for, and a look-up recorded, from here.
"use strict";

const field = document.getElementById("q");
const list = document.getElementById("suggestions");
const aside = document.getElementById("recent");
let timer;
let latest = 0;

field.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(complete, 120);
});

async function complete() {
  const prefix = field.value.trim();
  const mine = ++latest;
  if (!prefix) return list.replaceChildren();
  const answer = await ask("/v1/suggest?limit=8&prefix=" + encodeURIComponent(prefix));
  if (!answer || mine !== latest) return; // an older answer came late
  list.replaceChildren(...answer.body.suggestions.map((s) => new Option(s.word, s.word)));
}

async function recent() {
  const word = document.querySelector("[data-word]")?.dataset.word;
  const answer = word
    ? await ask("/v1/recent", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ word }) })
    : await ask("/v1/recent");
  if (!answer || answer.body.words.length === 0) return;
  aside.querySelector("ul").replaceChildren(...answer.body.words.map((w) => {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = w.href;
    link.textContent = w.word;
    item.append(link);
    return item;
  }));
  if (answer.by) aside.querySelector(".by").textContent = "This list is in the memory of " + answer.by + ".";
  aside.hidden = false;
}

// ask returns the body of an answer as JSON and the replica that gave it, or
// nothing: the page is complete without either.
async function ask(path, options) {
  try {
    const response = await fetch(path, options);
    if (response.ok) return { body: await response.json(), by: response.headers.get("X-Served-By") };
  } catch {
    // away for the moment
  }
}

recent();
