// Searches while somebody types: the page of the query so far is asked for, and its results take the place of those that are shown. The
// last word counts as the beginning of one. An answer to what was typed before is given up.
"use strict";

const field = document.getElementById("q");
const operator = document.getElementById("operator");
const said = document.getElementById("said");
const form = field.form;
let timer;
let asking = new AbortController();
let draft = false; // the address in the history is that of a query that is being typed

field.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(() => show(address(typed(field.value)), true), 80);
});
operator.addEventListener("change", () => show(address(field.value), false));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  show(address(field.value), false);
});

// Back and forward: the page of that address, in the form as in the results.
addEventListener("popstate", () => {
  const parameters = new URLSearchParams(location.search);
  field.value = parameters.get("q") ?? "";
  operator.checked = parameters.get("operator") === "and";
  draft = false;
  replace(location.href, false);
});

// typed makes a prefix of the last word, where it is a plain one.
function typed(query) {
  const last = /(^|[\s(:])([\p{L}\p{N}]{2,})$/u.exec(query);
  const quotes = (query.match(/"/g) || []).length;
  return last && quotes % 2 === 0 && !["AND", "OR", "NOT"].includes(last[2]) ? query + "*" : query;
}

function address(query) {
  const parameters = new URLSearchParams();
  if (query.trim()) parameters.set("q", query);
  if (query.trim() && operator.checked) parameters.set("operator", "and");
  const text = parameters.toString();
  return text ? "/?" + text : "/";
}

// show asks for the page of a query and remembers it: what is typed in one go is one entry of the history.
async function show(url, typing) {
  const entry = address(field.value);
  if (!(await replace(url, typing))) return;
  const same = location.pathname + location.search === entry;
  if (!same) history[draft ? "replaceState" : "pushState"](null, "", entry);
  draft = typing && (draft || !same);
}

// replace puts the results of another page in the place of those that are shown. It returns whether it did.
async function replace(url, typing) {
  clearTimeout(timer);
  asking.abort();
  const mine = (asking = new AbortController());
  const shown = document.getElementById("results");
  shown.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(url, { headers: { Accept: "text/html" }, signal: mine.signal });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    if (mine.signal.aborted) return false;
    const results = page.getElementById("results");
    if (!results) throw new Error("not the page");
    const wrong = response.status === 400;
    if (wrong && typing) return false; // what is only half typed need not be right yet
    field.setAttribute("aria-invalid", String(wrong));
    shown.replaceChildren(...results.childNodes);
    // Who hears the page is told how many there are, and not all of them; what is wrong is told as an alert.
    said.textContent = shown.querySelector("[role=alert]") ? "" : shown.querySelector("h1").textContent;
    document.title = page.title;
    return true;
  } catch {
    // Given up, or nobody is there: what is shown stays while somebody types. Who asked for it is told by the browser.
    if (!typing && !mine.signal.aborted) location.assign(url);
    return false;
  } finally {
    if (mine === asking) shown.setAttribute("aria-busy", "false");
  }
}
