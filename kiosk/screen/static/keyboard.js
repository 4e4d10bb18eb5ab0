// The keyboard on the screen and the fields that it types into. A physical keyboard types into the same fields.
// No drag, no long press: each key is a button. Tab goes field, field, keyboard, sending key; Down goes from a field to
// the keyboard that types into it, where arrows move and a key of its own goes on to the next field.
// A PIN stays in its field until it is posted, for half a minute without a key at the longest, and is heard as masks.

const FORGET_MS = 30000;
// What a kind of field does not hold.
const STRANGE = {
  digits: /[^0-9]/g, pin: /[^0-9]/g, code: /[^0-9A-Za-z-]/g, plate: /[^0-9A-Za-z]/g, person: /[^0-9A-Za-z_-]/g,
};

const board = () => document.querySelector("#kiosk .keyboard");
const seen = (one) => one.offsetParent !== null;
const fields = () => [...document.querySelectorAll("#kiosk input.field")].filter(seen);
const keys = () => [...(board() ? board().querySelectorAll("button.key") : [])].filter(seen);

let target = "";
let forget = 0;

function field() {
  const all = fields();
  return all.find((one) => one.id === target) || all[0] || null;
}

// --- typing ----------------------------------------------------------------------------------------------------

function fitting(one, typed) {
  let told = typed;
  if (one.dataset.case === "upper") told = told.toUpperCase();
  if (one.dataset.case === "lower") told = told.toLowerCase();
  const strange = STRANGE[one.dataset.pad];
  if (strange) told = told.replace(strange, "");
  return told.slice(0, one.maxLength > 0 ? one.maxLength : undefined);
}

function type(letter) {
  const one = field();
  if (!one) return;
  one.value = letter === null ? one.value.slice(0, -1) : fitting(one, one.value + letter);
  typed(one);
}

function typed(one) {
  if (one.type !== "password") return;
  const say = document.getElementById("say");
  if (say) say.textContent = one.value ? Array(one.value.length).fill(one.dataset.mask).join(" ") : one.dataset.empty;
  clearTimeout(forget);
  forget = setTimeout(wipe, FORGET_MS);
}

function wipe(root = document) {
  for (const one of root.querySelectorAll('input[type="password"]')) one.value = "";
}

document.addEventListener("input", (event) => {
  const one = event.target;
  if (!(one instanceof HTMLInputElement) || !one.classList.contains("field")) return;
  const told = fitting(one, one.value);
  if (told !== one.value) {
    const at = one.selectionStart;
    one.value = told;
    one.setSelectionRange(at, at);
  }
  typed(one);
});

document.addEventListener("click", (event) => {
  const key = event.target.closest(".keyboard button.key");
  if (!key) return;
  if (key.dataset.types !== undefined) type(key.dataset.types);
  else if (key.dataset.rubs !== undefined) type(null);
  else if (key.dataset.nexts !== undefined) following();
  else if (key.dataset.flips !== undefined) board().classList.toggle("flipped");
  if (key.type === "button") roam(key, false);
});

// The next place to fill in, round and round: whoever cannot drag gets to what the keyboard covers. Whoever is on the
// keyboard with the focus stays there, types into the next field, and hears which one it is.
function following() {
  const from = field();
  if (!from) return;
  const at = document.activeElement;
  const all = [...from.form.querySelectorAll("input:not([type=hidden])")].filter(seen);
  const here = all.indexOf(all.includes(at) ? at : from);
  const group = at instanceof HTMLInputElement && at.type === "radio" ? at.name : "";
  const next = [...all.slice(here + 1), ...all.slice(0, here)].find((one) => one.type !== "radio" || one.name !== group);
  if (!next) return;
  if (!at.closest(".keyboard") || !next.classList.contains("field")) { next.focus(); return; }
  aim(next);
  const say = document.getElementById("say");
  if (say) say.textContent = next.labels[0].textContent;
}

// A finger on a key must not take the focus from the field: what was read out as focused stays so.
document.addEventListener("pointerdown", (event) => {
  const key = event.target.closest(".keyboard button.key");
  if (key && key.type === "button") event.preventDefault();
});

// --- which field, which keys -----------------------------------------------------------------------------------

function aim(one, move = true) {
  target = one.id;
  for (const other of document.querySelectorAll("#kiosk input.field")) other.classList.toggle("is-aimed", other === one);
  const keyboard = board();
  if (!keyboard) return;
  keyboard.dataset.pad = one.dataset.pad || "code";
  if (!keys().some((key) => key.tabIndex === 0 && key.type === "button")) {
    const first = keys().find((key) => key.type === "button");
    if (first) roam(first, false);
  }
  if (!move) return;
  // Twice: the row of buttons may grow by one as the page scrolls, and the page shrinks.
  requestAnimationFrame(() => uncover(one));
  setTimeout(() => uncover(one), 150);
}

// The keyboard lies over the lower part of the page; the field in use is moved out from under it.
function uncover(one) {
  const keyboard = board();
  const main = document.getElementById("main");
  if (!keyboard || !main || !one.isConnected) return;
  const line = one.closest(".field-line, .choice") || one;
  const top = (what) => what.getBoundingClientRect().top;
  // The keyboard gives way as far as its form lets it, so one step may uncover more to do.
  for (let steps = 0; steps < 8; steps += 1) {
    const hidden = line.getBoundingClientRect().bottom + 12 - top(keyboard);
    const before = main.scrollTop;
    if (hidden > 0) main.scrollBy({ top: hidden });
    if (hidden <= 0 || main.scrollTop === before) break;
  }
  const above = top(main) + 4 - top(one);
  if (above > 0) main.scrollBy({ top: -above });
}

function roam(key, focus = true) {
  for (const other of board().querySelectorAll("button.key")) {
    if (other.type === "button") other.tabIndex = other === key ? 0 : -1;
  }
  if (focus) key.focus();
}

document.addEventListener("focusin", (event) => {
  if (!(event.target instanceof HTMLInputElement)) return;
  if (event.target.classList.contains("field")) aim(event.target);
  else requestAnimationFrame(() => uncover(event.target));
});

// The nearest key in a direction, by where the keys really are: rows differ from panel to panel.
function nearest(from, way) {
  const [x, y] = middle(from);
  let best = null;
  let least = Infinity;
  for (const key of keys()) {
    if (key === from) continue;
    const [u, v] = middle(key);
    const along = { ArrowRight: u - x, ArrowLeft: x - u, ArrowDown: v - y, ArrowUp: y - v }[way];
    const across = way === "ArrowRight" || way === "ArrowLeft" ? Math.abs(v - y) : Math.abs(u - x);
    if (along < 8) continue;
    const far = along + across * 4;
    if (far < least) { least = far; best = key; }
  }
  return best;
}

function middle(one) {
  const box = one.getBoundingClientRect();
  return [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
}

function step(from, by) {
  const stops = [...fields(), ...keys().filter((key) => key.tabIndex === 0)];
  const next = stops[stops.indexOf(from) + by];
  if (next) next.focus();
  return Boolean(next);
}

function descend() {
  const key = keys().find((one) => one.tabIndex === 0);
  if (key) key.focus();
  return Boolean(key);
}

// Before the page's own keys: where a form is filled in, letters and digits are typed and move nothing.
window.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector(".question:popover-open")) return;
  const one = field();
  if (!one) return;
  const at = document.activeElement;
  const inField = at instanceof HTMLInputElement && at.classList.contains("field");
  const onKey = at instanceof HTMLButtonElement && Boolean(at.closest(".keyboard"));
  const digits = document.getElementById("digits");
  if (!inField && !onKey && digits && seen(digits)) return;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    if (onKey) {
      const next = nearest(at, event.key);
      if (next) roamOrFocus(next);
      else if (event.key === "ArrowUp") one.focus();
      else return;
    } else if (inField) {
      // Down goes to the keys that type into this very field; Tab goes to the next one.
      if (event.key === "ArrowUp" ? !step(at, -1) : !descend()) return;
    } else return;
    take(event);
  } else if (onKey && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
    const next = nearest(at, event.key);
    if (next) roamOrFocus(next);
    take(event);
  } else if (/^[0-9A-Za-z-]$/.test(event.key) && !inField) {
    type(event.key);
    if (!onKey) one.focus();
    take(event);
  } else if (event.key === "Backspace" && !inField) {
    type(null);
    take(event);
  }
}, { capture: true });

function roamOrFocus(key) { if (key.type === "button") roam(key); else key.focus(); }

function take(event) { event.preventDefault(); event.stopPropagation(); }

// --- sending ---------------------------------------------------------------------------------------------------

// Enter in a field, or the sending key, goes to the first field that is still empty instead of sending half a form.
let invalid = false;
document.addEventListener("invalid", (event) => {
  event.preventDefault();
  if (invalid || !(event.target instanceof HTMLInputElement)) return;
  invalid = true;
  event.target.focus();
  queueMicrotask(() => { invalid = false; });
}, { capture: true });

// The page's script has posted the form by now; a form that the browser sends itself leaves the page anyway.
document.addEventListener("submit", (event) => { if (event.defaultPrevented) wipe(event.target); });
addEventListener("pagehide", () => wipe());

// --- a redraw of the same screen ---------------------------------------------------------------------------------

// How a number is typed: on the keypad, with letters, or as a plate. The page is drawn with the keypad; what was chosen
// stays while the screen does.
let way = "number";

function ways() {
  const row = document.querySelector("#kiosk .ways");
  if (!row) { way = "number"; return; }
  const typing = row.closest(".typing");
  const pad = document.getElementById("digits").form;
  const letters = document.getElementById("by-letters");
  row.hidden = false;
  for (const button of row.querySelectorAll("button")) button.hidden = button.dataset.way === way;
  pad.hidden = way !== "number";
  letters.hidden = way === "number";
  typing.classList.toggle("with-letters", way !== "number");
  if (way === "number") return;
  const one = letters.querySelector("input.field");
  const label = letters.querySelector("label[data-other]");
  label.dataset.plate = label.dataset.plate || label.textContent;
  label.textContent = way === "plate" ? label.dataset.plate : label.dataset.other;
  one.dataset.pad = way === "plate" ? "plate" : "code";
  one.maxLength = way === "plate" ? 16 : 64;
  letters.querySelector('input[name="intent"]').value = way === "plate" ? "enter_plate" : "enter_number";
}

document.addEventListener("click", (event) => {
  const button = event.target.closest(".ways button");
  if (!button) return;
  way = button.dataset.way;
  ways();
  const digits = document.getElementById("digits");
  const one = document.querySelector("#by-letters input.field");
  one.value = "";
  digits.value = "";
  (way === "number" ? digits : one).focus();
  dispatchEvent(new Event("resize"));
});

document.addEventListener("kiosk:drawn", (event) => {
  if (!event.detail.same) way = "number";
  ways();
  const { before, same } = event.detail;
  const now = document.getElementById("kiosk");
  const sameStep = same && before.dataset.step === now.dataset.step;
  for (const one of fields()) {
    const old = before.querySelector(`#${CSS.escape(one.id)}`);
    if (!old || !same || (one.dataset.keep === "step" && !sameStep)) continue;
    // What the kiosk filled in anew (a box that was scanned) is newer than what was typed.
    if (one.defaultValue === old.defaultValue) one.value = old.value;
  }
  wipe(before);
  const stay = same && document.activeElement && now.contains(document.activeElement);
  queueMicrotask(() => begin(Boolean(stay)));
});

function begin(stay) {
  const all = fields();
  const digits = document.getElementById("digits");
  if (!all.length || (digits && seen(digits))) return;
  const at = document.activeElement;
  if (at instanceof HTMLElement && (at.closest(".keyboard") || at.classList.contains("field"))) {
    if (at.classList.contains("field")) aim(at);
    return;
  }
  // What was just told comes before what is asked next.
  const told = document.querySelector("#kiosk [data-first]");
  if (told && !stay) { aim(all.find((one) => !one.value) || all[0], false); told.focus(); return; }
  if (!stay) (all.find((one) => !one.value) || all[0]).focus({ preventScroll: true });
}

ways();
queueMicrotask(() => begin(false));
