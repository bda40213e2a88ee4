// Searches while somebody types: the page of the query so far is asked for, and its results take the place of those that are shown. The
// last word counts as the beginning of one. An answer to what was typed before is given up.
"use strict";

const field = document.getElementById("q");
const operator = document.getElementById("operator");
const form = field.form;
let timer;
let asking = new AbortController();

field.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(() => show(typed(field.value), false), 80);
});
operator.addEventListener("change", () => show(field.value, true));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(timer);
  show(field.value, true);
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

async function show(query, keep) {
  asking.abort();
  const mine = (asking = new AbortController());
  const shown = document.getElementById("results");
  shown.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(address(query), { headers: { Accept: "text/html" }, signal: mine.signal });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const results = page.getElementById("results");
    if (!results || mine.signal.aborted) return;
    // What is only half typed need not be right yet.
    const wrong = response.status === 400;
    field.setAttribute("aria-invalid", String(wrong && keep));
    if (wrong && !keep) return;
    shown.replaceChildren(...results.childNodes);
    document.title = page.title;
    const url = address(field.value);
    if (keep) history.pushState(null, "", url);
    else history.replaceState(null, "", url);
  } catch {
    // given up, or the server is away for the moment: what is shown stays
  } finally {
    if (mine === asking) shown.setAttribute("aria-busy", "false");
  }
}

addEventListener("popstate", () => location.reload());
