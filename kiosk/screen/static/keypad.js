// Everything by keys (screens sheet, speech and keypad): 2 and 8 move, 5 or Enter choose, 4 says it again, Escape leaves.
//
// Where a field has the focus, digits and letters type into it, Enter sends its form, and arrows or Tab move on. On
// the screen that asks for a number a digit types wherever the focus is, so that nobody has to find the field first;
// there the arrows move, and 2, 4, 5 and 8 are digits. A question for more time is answered by any key.

let page = null;

// What can be chosen now: in an open sheet only what the sheet and its neighbours hold.
function choices() {
  const sheet = page.shown().querySelector("details.opens[open]");
  const room = sheet || page.shown();
  return [...room.querySelectorAll("button, summary, input:not([type=hidden])")].filter(
    (one) => !one.disabled && one.tabIndex >= 0 && one.checkVisibility() && !one.closest("[inert]"));
}

function move(by) {
  const all = choices();
  if (!all.length) return;
  const at = all.indexOf(document.activeElement);
  const order = at >= 0 ? (at + by + all.length) % all.length : nearest(all, by);
  all[order].focus();
  all[order].scrollIntoView({ block: "nearest" });
}

// From a heading the next choice is the one behind it in the page.
function nearest(all, by) {
  const here = document.activeElement || document.body;
  const behind = all.findIndex((one) => here.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING);
  if (by > 0) return Math.max(behind, 0);
  return behind <= 0 ? all.length - 1 : behind - 1;
}

function leave() {
  const sheet = page.shown().querySelector("details.opens[open]");
  if (sheet) { page.close(sheet); return; }
  for (const intent of ["do-cancel", "do-back", "do-decline_excess", "do-dismiss", "do-sign_out"]) {
    const button = document.getElementById(intent);
    if (button) { button.click(); return; }
  }
}

function wayOn() {
  const row = page.shown().querySelector(".actions");
  return row.querySelector(".primary") || row.querySelector(".button");
}

function pressed(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const hand = document.documentElement.dataset;
  hand.hand = "keys";
  const at = document.activeElement;
  const digits = document.getElementById("digits");
  const sheet = page.shown().querySelector("details.opens[open]");
  const onChoice = at instanceof HTMLButtonElement || (at && at.tagName === "SUMMARY");
  if (event.key === "Escape") { event.preventDefault(); leave(); return; }
  const more = document.getElementById("do-more_time");
  if (more && page.shown().dataset.screen === "timed_out" && !onChoice && !moves(event.key)) {
    event.preventDefault();
    more.click();
    return;
  }
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    move(event.key === "ArrowDown" ? 1 : -1);
    return;
  }
  if (at instanceof HTMLInputElement) return;                 // the field does the rest, Enter submits its form
  if (digits && !sheet) {
    if (/^[0-9A-Za-z-]$/.test(event.key)) { event.preventDefault(); digits.focus(); type(event.key); }
    else if (event.key === "Backspace") { event.preventDefault(); type(null); }
    else if (event.key === "Enter" && !onChoice) { event.preventDefault(); digits.form.requestSubmit(); }
    return;
  }
  if (event.key === "8" || event.key === "2") { event.preventDefault(); move(event.key === "8" ? 1 : -1); }
  else if (event.key === "4") { event.preventDefault(); page.announce(); }
  else if (event.key === "5" && onChoice) { event.preventDefault(); at.click(); }
  else if ((event.key === "5" || event.key === "Enter") && !onChoice && !sheet) {
    const button = wayOn();
    if (button) { event.preventDefault(); button.click(); }
  }
}

const moves = (key) => ["8", "2", "4", "ArrowDown", "ArrowUp", "Tab", "Shift"].includes(key);

function type(digit) {
  const digits = document.getElementById("digits");
  if (!digits) return;
  digits.value = digit === null ? digits.value.slice(0, -1) : (digits.value + digit).slice(0, 64);
  digits.setCustomValidity("");
}

export function install(into) {
  page = into;
  document.addEventListener("keydown", pressed);
  document.addEventListener("pointerdown", () => { document.documentElement.dataset.hand = "touch"; }, { capture: true });
  document.addEventListener("click", (event) => {
    const key = event.target.closest("button.key");
    if (!key) return;
    if (key.dataset.digit !== undefined) type(key.dataset.digit);
    else if (key.dataset.erase !== undefined) type(null);
  });
}
