// Keeps the parts of a page that say how things stand up to date. Everything works without it.
"use strict";

const EVERY = 4000;
const stale = document.getElementById("stale");
let busy = false;

// Whether somebody has begun to fill in something in this part.
function touched(part) {
  return [...part.querySelectorAll("input, select, textarea")].some((field) => {
    if (field.type === "hidden") return false;
    if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
    if (field.tagName === "SELECT") return [...field.options].some((option) => option.selected !== option.defaultSelected) && field.selectedIndex > 0;
    return field.value !== field.defaultValue;
  });
}

function typing() {
  const at = document.activeElement;
  return at && at.matches("input, select, textarea");
}

const FOCUSABLE = "a[href], button, summary, input:not([type=hidden]), select, textarea";

// The element that has the focus, as a place that is found again in a newer form of its part.
function focused(part) {
  const at = document.activeElement;
  if (!at || !part.contains(at)) return null;
  const same = (element) =>
    element.tagName === at.tagName && element.textContent === at.textContent &&
    element.getAttribute("href") === at.getAttribute("href");
  const index = [...part.querySelectorAll(FOCUSABLE)].filter(same).indexOf(at);
  return { same, index };
}

function plain(part) {
  const copy = part.cloneNode(true);
  copy.querySelectorAll("details").forEach((details) => details.removeAttribute("open"));
  return copy.innerHTML;
}

function renew(part, newer) {
  if (touched(part) || plain(part) === plain(newer)) return;
  const open = new Map([...part.querySelectorAll("details[id]")].map((it) => [it.id, it.open]));
  newer.querySelectorAll("details[id]").forEach((details) => {
    if (open.has(details.id)) details.open = open.get(details.id);
  });
  const focus = focused(part);
  part.replaceChildren(...newer.childNodes);
  if (focus) {
    const again = [...part.querySelectorAll(FOCUSABLE)].filter(focus.same);
    (again[focus.index] || document.getElementById("main")).focus({ preventScroll: true });
  }
}

async function refresh() {
  const parts = document.querySelectorAll("[data-live]");
  if (busy || document.hidden || !parts.length || typing()) return;
  busy = true;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "error" });
    if (!answer.ok) throw new Error(answer.statusText);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    stale.hidden = true;
    if (typing()) return;
    for (const part of parts) {
      const newer = page.getElementById(part.id);
      if (newer) renew(part, newer);
    }
  } catch {
    stale.hidden = false;
  } finally {
    busy = false;
  }
}

// A message of what was done is said once: a reload does not say it again.
const here = new URL(location.href);
if (here.searchParams.has("done")) {
  here.searchParams.delete("done");
  history.replaceState(null, "", here);
}

// A chosen file travels in the form itself, so that a preview keeps it. Pasted rows replace it.
const upload = document.getElementById("upload");
if (upload) {
  const form = upload.closest("form");
  const file = upload.querySelector("input[type=file]");
  const { rows, name, content } = form.elements;
  upload.hidden = false;
  file.addEventListener("change", () => {
    const chosen = file.files[0];
    if (!chosen) return;
    const reader = new FileReader();
    const buttons = form.querySelectorAll("button");
    buttons.forEach((button) => { button.disabled = true; });
    reader.addEventListener("loadend", () => {
      content.value = reader.result || "";
      name.value = chosen.name;
      rows.value = "";
      buttons.forEach((button) => { button.disabled = false; });
    });
    reader.readAsDataURL(chosen);
  });
  rows.addEventListener("input", () => {
    content.value = "";
    name.value = "";
    file.value = "";
  });
}

// `/` leads to the search, as on other sites.
document.addEventListener("keydown", (event) => {
  const find = document.getElementById("find");
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || !find || typing()) return;
  event.preventDefault();
  find.focus();
});

// The button that approves says how many are ticked.
document.addEventListener("change", ({ target }) => {
  const form = target.closest && target.closest("form[data-changes]");
  if (!form || target.name !== "only") return;
  const ticked = form.querySelectorAll("input[name=only]:checked").length;
  const button = form.querySelector("button.approve");
  button.disabled = ticked === 0;
  button.textContent = `Approve ${ticked} ${ticked === 1 ? "change" : "changes"}`;
});

// A link to a card that is closed opens it.
function openTarget() {
  const at = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (at && at.tagName === "DETAILS") at.open = true;
}
openTarget();
addEventListener("hashchange", openTarget);

setInterval(refresh, EVERY);
document.addEventListener("visibilitychange", refresh);
