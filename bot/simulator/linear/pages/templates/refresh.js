// Every two seconds the page is fetched again and what changed is put in place. A part in which somebody writes, or
// has opened something, is left alone until they are done.
const seen = new Map();
const remember = (part) => seen.set(part.id, part.outerHTML);
const parts = (root) => [...root.querySelectorAll("[data-live], [data-list] > [id]")];
const busy = (part) =>
  part.contains(document.activeElement) ||
  part.matches("details[open]") || part.querySelector("details[open]") ||
  [...part.querySelectorAll("textarea, input:not([type=hidden])")].some((field) => field.value !== field.defaultValue) ||
  [...part.querySelectorAll("option")].some((option) => option.selected && !option.defaultSelected && option.index > 0);

parts(document).forEach(remember);

function put(fresh, list) {
  const old = document.getElementById(fresh.id);
  const html = fresh.outerHTML;
  if (!old) {
    list.append(fresh);
  } else if (seen.get(fresh.id) !== html && !busy(old)) {
    old.replaceWith(fresh);
  } else {
    return;
  }
  seen.set(fresh.id, html);
}

async function refresh() {
  if (document.hidden) return;
  const response = await fetch(location.href, { cache: "no-store" });
  if (!response.ok) return;
  const next = new DOMParser().parseFromString(await response.text(), "text/html");
  document.title = next.title;
  const news = parts(next);
  const ids = new Set(news.map((part) => part.id));
  for (const fresh of news) put(fresh, document.getElementById(fresh.parentElement.id));
  for (const part of parts(document)) if (!ids.has(part.id) && !busy(part)) part.remove();
}

setInterval(() => refresh().catch((reason) => console.warn("The page could not be refreshed:", reason)), 2000);
