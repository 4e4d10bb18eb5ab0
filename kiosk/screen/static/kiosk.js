// The page of the citizen screen. It swaps in what the server drew, posts what a person chose, counts down, and
// beeps. It works out no amount and keeps no state of the checkout: whatever it shows about money came in one piece
// from the server, and a button says in which session and step it was drawn. Keys are in keypad.js.

import { install } from "./keypad.js";

const ASK_MS = 20000;      // a question that ends by itself is heard when this much is left (WCAG 2.2.1)
const LOST_MS = 13000;     // two missed beats and a bit: the stream is dead
const GRACE_MS = 2500;     // a stream that broke off gets so long to come back
const ALIVE_MS = 5000;     // heartbeat to the server

const say = document.getElementById("say");
const alarm = document.getElementById("alarm");
const lost = document.getElementById("lost");

let shown = document.getElementById("kiosk");
let endsAt = null;
let asked = false;
let heard = performance.now();
let stream = null;
let posting = false;

// --- drawing ---------------------------------------------------------------------------------------------------

function draw(told) {
  const before = shown;
  const focused = document.activeElement && document.activeElement.id;
  const typed = document.getElementById("digits");
  const opened = before.querySelector("details.opens[open]");
  const mould = document.createElement("template");
  mould.innerHTML = told.html.trim();
  const next = mould.content.firstElementChild;
  const same = next.dataset.screen === before.dataset.screen && next.dataset.session === before.dataset.session;
  const scrolled = same ? room().scrollTop : 0;
  before.replaceWith(next);
  shown = next;
  document.dispatchEvent(new CustomEvent("kiosk:drawn", { detail: { before, same } }));
  posting = false;
  document.documentElement.lang = told.language;
  document.documentElement.dir = told.direction;
  document.title = told.title;
  lost.textContent = next.dataset.lost;
  if (heardLast !== told.announcement) announce(told.announcement);
  const digits = document.getElementById("digits");
  if (digits && typed && same && next.dataset.step === before.dataset.step) digits.value = typed.value;
  takeTime(asked && same);
  // A sheet stays open while its screen stays; a new screen is never covered.
  const sheet = same && opened ? document.getElementById(opened.id) : null;
  if (sheet) sheet.open = true;
  fit();
  room().scrollTop = scrolled;
  further();
  const again = same && focused ? document.getElementById(focused) : null;
  const first = digits || document.getElementById("title") || document.getElementById("main");
  for (const one of [again, first]) {
    if (one) one.focus({ preventScroll: true });
    if (one && document.activeElement === one) break;
  }
}

// What a screen says stays in the region until the next one; the same words once more need the region empty between.
let heardLast = "";
function announce(words) {
  heardLast = words;
  if (say.textContent !== words) { say.textContent = words; return; }
  say.textContent = "";
  requestAnimationFrame(() => { say.textContent = words; });
}

// What scrolls: the middle of the page, or on a small panel with large text the middle and its buttons together.
function room() {
  const stage = document.getElementById("stage");
  return getComputedStyle(stage).overflowY === "auto" ? stage : document.getElementById("main");
}

// What does not fit is reached by touch, and by a button for whoever cannot drag.
function further() {
  const main = room();
  const old = document.getElementById("further");
  const below = main.scrollHeight - main.clientHeight - main.scrollTop;
  main.classList.toggle("goes-on", below >= 24);
  if (below < 24 && main.scrollTop < 24) { if (old) old.remove(); return; }
  const more = old || document.createElement("button");
  const down = below >= 24;
  more.textContent = down ? "↓" : "↑";
  more.setAttribute("aria-label", down ? shown.dataset.further : shown.dataset.back);
  more.dataset.way = down ? "1" : "-1";
  if (old) return;
  more.type = "button";
  more.className = "further";
  more.id = "further";
  more.addEventListener("click", () => room().scrollBy({ top: room().clientHeight * 0.7 * Number(more.dataset.way) }));
  shown.querySelector(".actions").prepend(more);
  fit();
}

// A row that is too narrow for its buttons gets the place of the languages, which the sheet offers too; then it wraps.
function fit() {
  shown.classList.remove("tight", "wraps");
  const row = shown.querySelector(".actions");
  for (const way of ["tight", "wraps"]) {
    const edges = [...row.querySelectorAll("button")].map((one) => one.getBoundingClientRect());
    const over = edges.some((edge) => edge.right > innerWidth || edge.left < 0);
    const cut = [...row.querySelectorAll(".button")].some((one) => one.scrollWidth > one.clientWidth + 1);
    shown.classList.toggle(way, over || cut || row.scrollWidth > row.clientWidth + 1);
  }
}

document.addEventListener("scroll", further, { capture: true, passive: true });
addEventListener("resize", () => { fit(); further(); });

// --- time ------------------------------------------------------------------------------------------------------

function takeTime(rung) {
  const ends = shown.dataset.ends;
  endsAt = ends === undefined ? null : performance.now() + Number(ends);
  asked = rung;
  tick();
}

function tick() {
  if (endsAt === null) return;
  const left = Math.max(0, endsAt - performance.now());
  const seconds = String(Math.ceil(left / 1000));
  const places = shown.querySelectorAll("[data-seconds]");
  for (const place of places) if (place.textContent !== seconds) place.textContent = seconds;
  // A screen that shows the time left asks a question: it is heard as well as seen.
  if (places.length && left <= ASK_MS && !asked) {
    asked = true;
    beep();
    ring(document.getElementById("title").textContent);
  }
}

function ring(words) { alarm.textContent = ""; requestAnimationFrame(() => { alarm.textContent = words; }); }

let audio = null;
function beep() {
  try {
    audio = audio || new AudioContext();
    const now = audio.currentTime;
    for (const [start, pitch] of [[0, 660], [0.22, 880]]) {
      const tone = audio.createOscillator();
      const level = audio.createGain();
      tone.frequency.value = pitch;
      level.gain.setValueAtTime(0.0001, now + start);
      level.gain.exponentialRampToValueAtTime(0.3, now + start + 0.02);
      level.gain.exponentialRampToValueAtTime(0.0001, now + start + 0.2);
      tone.connect(level).connect(audio.destination);
      tone.start(now + start);
      tone.stop(now + start + 0.21);
    }
    document.documentElement.dataset.beeps = String(Number(document.documentElement.dataset.beeps || 0) + 1);
  } catch (error) {
    console.warn("no sound:", error.message);
  }
}

setInterval(tick, 250);

// --- intents ---------------------------------------------------------------------------------------------------

document.addEventListener("submit", (event) => {
  const mode = event.target.closest("form.mode");
  if (mode) {
    event.preventDefault();
    send("/mode", new URLSearchParams(new FormData(mode))).then(refresh);
    return;
  }
  const form = event.target.closest("form.act");
  if (!form) return;
  event.preventDefault();
  if (posting) return;               // a double tap: the first one counts
  posting = true;
  shown.classList.add("sent");
  post(new URLSearchParams(new FormData(form)));
});

async function post(fields) {
  const problem = !(await send("/intent", fields));
  if (problem) { await refresh(); }
  // The next snapshot draws new buttons. Where the kernel had nothing to change, they come back after a moment.
  setTimeout(() => { if (posting) { posting = false; shown.classList.remove("sent"); } }, problem ? 0 : 1200);
}

async function send(where, fields) {
  try {
    const answer = await fetch(where, { method: "POST", body: fields, headers: { Accept: "application/json" } });
    return answer.ok;
  } catch (error) {
    console.warn("not sent:", error.message);
    return false;
  }
}

// --- sheets ----------------------------------------------------------------------------------------------------

// One sheet at a time; what it covers is out of reach until it closes, and the focus goes in and comes back.
document.addEventListener("toggle", (event) => {
  const sheet = event.target;
  if (!sheet.matches || !sheet.matches("details.opens") || !sheet.isConnected) return;
  if (sheet.open) for (const other of shown.querySelectorAll("details.opens[open]")) if (other !== sheet) other.open = false;
  const open = Boolean(shown.querySelector("details.opens[open]"));
  for (const part of shown.querySelectorAll("main, .actions, .languages")) part.inert = open;
  if (sheet.open) {
    const inside = document.activeElement && document.activeElement.closest(".sheet");
    if (!inside) sheet.querySelector("h2").focus({ preventScroll: true });
    if (sheet.id === "sheet-help") announce([...sheet.querySelectorAll("p")].map((one) => one.textContent).join(" "));
  }
}, { capture: true });

function close(sheet) { sheet.open = false; sheet.querySelector("summary").focus(); }

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-closes]");
  if (button) close(document.getElementById(button.dataset.closes));
});

install({ shown: () => shown, announce: () => announce(heardLast), close });

// A browser's own bubble ("please fill in") has no place here: an empty number simply does not go.
document.addEventListener("invalid", (event) => event.preventDefault(), { capture: true });
document.addEventListener("contextmenu", (event) => event.preventDefault());
document.addEventListener("dragstart", (event) => event.preventDefault());

// --- the line to the server ----------------------------------------------------------------------------------------

function follow() {
  if (stream) stream.close();
  stream = new EventSource("/events?seen=" + encodeURIComponent(shown.dataset.id));
  stream.addEventListener("screen", (event) => { found(); draw(JSON.parse(event.data)); });
  stream.addEventListener("beat", found);
  stream.addEventListener("open", found);
  stream.addEventListener("error", () => {
    if (stream.readyState === EventSource.CLOSED) lose();
    else heard = Math.min(heard, performance.now() - LOST_MS + GRACE_MS);   // it tries again by itself, for a moment
  });
}

function found() {
  heard = performance.now();
  if (!lost.hidden) { lost.hidden = true; document.body.classList.remove("is-lost"); }
}

function lose() { lost.hidden = false; document.body.classList.add("is-lost"); }

async function refresh() {
  try {
    const answer = await fetch("/fragment", { headers: { Accept: "application/json" } });
    if (!answer.ok) { lose(); return false; }
    const told = await answer.json();
    found();
    if (told.id !== shown.dataset.id) draw(told);
    return true;
  } catch (error) {
    lose();
    return false;
  }
}

setInterval(async () => {
  if (performance.now() - heard > LOST_MS || stream.readyState === EventSource.CLOSED) {
    lose();
    if (await refresh()) follow();
  }
}, 1000);

async function alive() {
  try { await fetch("/alive", { method: "POST" }); } catch (error) { console.warn("no heartbeat:", error.message); }
}
setInterval(alive, ALIVE_MS);

alive();
takeTime(false);
(document.getElementById("digits") || document.getElementById("title") || shown).focus({ preventScroll: true });
fit();
further();
follow();
