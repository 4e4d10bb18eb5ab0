// Keeps the fleet fresh.  What cannot be refreshed is not shown as if it were: the page says since when, and turns pale.
const rows = document.getElementById("rows");
const fresh = document.getElementById("fresh");
const lost = document.getElementById("lost");
const every = Number(fresh.dataset.every);
let asOf = fresh.querySelector("time").textContent;

function say(words) {
  if (lost.textContent !== words) lost.textContent = words;
  lost.hidden = words === "";
  rows.classList.toggle("stale", words !== "");
}

async function refresh() {
  if (document.hidden) return;
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), every);
  try {
    const answer = await fetch("/fleet/rows", { headers: { accept: "text/x-fragment" }, signal: stop.signal, redirect: "error" });
    if (answer.status === 401) return say(`Your session ended. This is how the fleet was at ${asOf}: sign in again.`);
    if (!answer.ok) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html").body.firstElementChild;
    const held = rows.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const across = rows.querySelector(".wide")?.scrollLeft ?? 0;
    asOf = page.dataset.asOf;
    rows.replaceChildren(page);
    const wide = rows.querySelector(".wide");
    if (wide) wide.scrollLeft = across;
    if (held) rows.querySelector(`a[href="${CSS.escape(held)}"]`)?.focus({ preventScroll: true });
    fresh.querySelector("time").textContent = asOf;
    say("");
  } catch {
    say(`The hub does not answer. This is how the fleet was at ${asOf}; how it is now, nobody knows.`);
  } finally {
    clearTimeout(timer);
  }
}

setInterval(refresh, every);
document.addEventListener("visibilitychange", refresh);
