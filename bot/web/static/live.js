// Live output, and the times of a page. Everything is put in as text, never as markup.
"use strict";

const MOST_PIECES = 300;

function watch(section) {
  const idle = section.querySelector("[data-idle]");
  const source = new EventSource(section.dataset.live);
  let panes = new Map();
  let fresh = false;
  source.addEventListener("begin", () => { fresh = true; });
  source.addEventListener("runs", (event) => {
    const runs = JSON.parse(event.data);
    if (fresh) {
      for (const old of section.querySelectorAll(".pane")) old.remove();
      panes = new Map();
      fresh = false;
    }
    const wanted = new Set(runs.map((run) => run.id));
    for (const [id, pane] of panes) if (!wanted.has(id)) { pane.remove(); panes.delete(id); }
    for (const run of runs) if (!panes.has(run.id)) panes.set(run.id, open(section.querySelector(".panes"), run));
    idle.hidden = runs.length > 0;
  });
  source.addEventListener("piece", (event) => {
    const piece = JSON.parse(event.data);
    const pane = panes.get(piece.run);
    if (pane) add(pane.querySelector(".transcript"), piece);
  });
}

function open(place, run) {
  const pane = document.createElement("article");
  pane.className = "pane";
  const title = document.createElement("h3");
  const link = document.createElement("a");
  link.href = "/runs/" + run.id;
  link.textContent = run.ticket;
  const doing = document.createElement("span");
  doing.className = "end runs";
  doing.textContent = run.doing.replaceAll("_", " ");
  title.append(link, " ", doing);
  const log = document.createElement("div");
  log.className = "transcript";
  log.setAttribute("role", "log");
  log.setAttribute("aria-live", "off");
  log.setAttribute("aria-label", "Output of " + run.ticket);
  log.tabIndex = 0;
  pane.append(title, log);
  place.append(pane);
  return pane;
}

function add(log, piece) {
  const follows = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const line = document.createElement("div");
  line.className = "piece " + piece.kind + (piece.inner ? " inner" : "");
  if (piece.name) {
    const name = document.createElement("b");
    name.textContent = piece.name;
    line.append(name, " ");
  }
  line.append(piece.text);
  log.append(line);
  while (log.childElementCount > MOST_PIECES) log.firstElementChild.remove();
  if (follows) log.scrollTop = log.scrollHeight;
}

function ago(moment) {
  const seconds = Math.max(0, (Date.now() - Date.parse(moment)) / 1000);
  for (const [size, word] of [[86400, "d"], [3600, "h"], [60, "min"]])
    if (seconds >= size) return Math.floor(seconds / size) + " " + word + " ago";
  return "just now";
}

function tell() {
  for (const one of document.querySelectorAll("time")) {
    one.title ||= one.textContent;
    one.textContent = ago(one.dateTime);
  }
}

const opened = new Set();
let across = 0;
document.addEventListener("htmx:beforeSwap", () => { across = document.querySelector(".scroll")?.scrollLeft ?? 0; });
document.addEventListener("toggle", (event) => {
  if (event.target.id) event.target.open ? opened.add(event.target.id) : opened.delete(event.target.id);
}, true);
document.addEventListener("htmx:afterSettle", () => {
  for (const id of opened) { const one = document.getElementById(id); if (one) one.open = true; }
  const scroll = document.querySelector(".scroll");
  if (scroll) scroll.scrollLeft = across;
  tell();
});
document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.status === 401) location.reload();
});
for (const log of document.querySelectorAll(".pane .transcript")) log.scrollTop = log.scrollHeight;
for (const section of document.querySelectorAll("[data-live]")) watch(section);
tell();
setInterval(tell, 10000);
