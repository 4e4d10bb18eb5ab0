// The page of the citizen screen. It swaps in what the server drew, posts what a person chose, counts down, and
// beeps. It works out no amount and keeps no state of the checkout: whatever it shows about money came in one piece
// from the server, and a button says in which session and step it was drawn.

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
  const mould = document.createElement("template");
  mould.innerHTML = told.html.trim();
  const next = mould.content.firstElementChild;
  const same = next.dataset.screen === before.dataset.screen && next.dataset.session === before.dataset.session;
  const scrolled = same ? document.getElementById("main").scrollTop : 0;
  before.replaceWith(next);
  shown = next;
  posting = false;
  document.documentElement.lang = told.language;
  document.title = told.title;
  lost.textContent = next.dataset.lost;
  if (say.textContent !== told.announcement) say.textContent = told.announcement;
  const digits = document.getElementById("digits");
  if (digits && typed && same && next.dataset.step === before.dataset.step) digits.value = typed.value;
  takeTime(asked && same);
  const again = same && focused ? document.getElementById(focused) : null;
  (again || digits || document.getElementById("title") || next).focus({ preventScroll: true });
  document.getElementById("main").scrollTop = scrolled;
  fit();
  further();
}

// What does not fit is reached by touch, and by a button for whoever cannot drag.
function further() {
  const main = document.getElementById("main");
  const old = document.getElementById("further");
  const below = main.scrollHeight - main.clientHeight - main.scrollTop;
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
  more.addEventListener("click", () => main.scrollBy({ top: main.clientHeight * 0.7 * Number(more.dataset.way) }));
  shown.querySelector(".actions").prepend(more);
  fit();
}

// A row that is too narrow for its buttons gets the place of the languages, which stand on the other screens too.
function fit() {
  shown.classList.remove("tight");
  const row = shown.querySelector(".actions");
  const right = Math.max(0, ...[...row.querySelectorAll("button")].map((one) => one.getBoundingClientRect().right));
  shown.classList.toggle("tight", right > innerWidth || row.scrollWidth > row.clientWidth);
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
  const form = event.target.closest("form.act");
  if (!form) return;
  event.preventDefault();
  if (posting) return;               // a double tap: the first one counts
  posting = true;
  shown.classList.add("sent");
  post(new URLSearchParams(new FormData(form)));
});

async function post(fields) {
  let problem = true;
  try {
    const answer = await fetch("/intent", { method: "POST", body: fields, headers: { Accept: "application/json" } });
    problem = !answer.ok;
  } catch (error) {
    console.warn("intent not sent:", error.message);
  }
  if (problem) { await refresh(); }
  // The next snapshot draws new buttons. Where the kernel had nothing to change, they come back after a moment.
  setTimeout(() => { if (posting) { posting = false; shown.classList.remove("sent"); } }, problem ? 0 : 1200);
}

// --- keys ------------------------------------------------------------------------------------------------------

function choices() {
  return [...shown.querySelectorAll("button, #digits")].filter((one) => !one.disabled && one.offsetParent !== null);
}

function move(by) {
  const all = choices();
  if (!all.length) return;
  const at = all.indexOf(document.activeElement);
  const next = at < 0 ? (by > 0 ? 0 : all.length - 1) : (at + by + all.length) % all.length;
  all[next].focus();
}

function leave() {
  for (const intent of ["do-cancel", "do-back", "do-decline_excess", "do-dismiss"]) {
    const button = document.getElementById(intent);
    if (button) { button.click(); return; }
  }
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const digits = document.getElementById("digits");
  const onButton = document.activeElement instanceof HTMLButtonElement;
  if (event.key === "Escape") { event.preventDefault(); leave(); return; }
  if (digits) {
    if (document.activeElement === digits) return;            // the field does the rest, Enter submits its form
    if (/^[0-9A-Za-z-]$/.test(event.key)) { event.preventDefault(); digits.focus(); type(event.key); }
    else if (event.key === "Backspace") { event.preventDefault(); type(null); }
    else if (event.key === "Enter" && !onButton) { event.preventDefault(); digits.form.requestSubmit(); }
    return;
  }
  if (event.key === "8" || event.key === "ArrowDown") { event.preventDefault(); move(1); }
  else if (event.key === "2" || event.key === "ArrowUp") { event.preventDefault(); move(-1); }
  else if (event.key === "5" && onButton) { event.preventDefault(); document.activeElement.click(); }
  else if ((event.key === "5" || event.key === "Enter") && !onButton) {
    const main = shown.querySelector(".actions .primary") || shown.querySelector(".actions .button");
    if (main) { event.preventDefault(); main.click(); }
  }
});

function type(digit) {
  const digits = document.getElementById("digits");
  if (!digits) return;
  digits.value = digit === null ? digits.value.slice(0, -1) : (digits.value + digit).slice(0, 64);
  digits.setCustomValidity("");
}

document.addEventListener("click", (event) => {
  const key = event.target.closest("button.key");
  if (!key) return;
  if (key.dataset.digit !== undefined) type(key.dataset.digit);
  else if (key.dataset.erase !== undefined) type(null);
});

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
