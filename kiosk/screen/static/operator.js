// The way of the people who work here into the kiosk, and the parts of their menu that need no server: which part of
// the menu is open, and questions that stay open over a redraw.

const TOUCHES = 5;          // in the top right corner
const WITHIN_MS = 3000;
const CORNER_PX = 140;

// --- the way in --------------------------------------------------------------------------------------------------

let touches = [];

// Only where the kernel would take it is there a form to send.
function call() {
  touches = [];
  const form = document.querySelector("#call-operator form");
  if (form) form.requestSubmit();
}

document.addEventListener("pointerdown", (event) => {
  const corner = event.clientX >= innerWidth - CORNER_PX && event.clientY <= CORNER_PX;
  if (!corner || event.target.closest("button")) { touches = []; return; }
  const now = performance.now();
  touches = [...touches.filter((then) => now - then < WITHIN_MS), now];
  if (touches.length >= TOUCHES) call();
});

document.addEventListener("keydown", (event) => {
  const chord = event.ctrlKey && event.altKey && !event.metaKey && event.code === "KeyO";
  const lock = event.key === "F12" && !event.ctrlKey && !event.altKey;
  if (!chord && !lock) return;
  event.preventDefault();
  if (!event.repeat) call();
});

// --- the parts of the menu -----------------------------------------------------------------------------------------

let part = "";

function menu() {
  const row = document.querySelector("#kiosk .tabs");
  if (!row) { part = ""; return; }
  const tabs = [...row.querySelectorAll("button")];
  row.hidden = false;
  row.setAttribute("role", "tablist");
  for (const tab of tabs) {
    tab.setAttribute("role", "tab");
    document.getElementById(tab.getAttribute("aria-controls")).setAttribute("role", "tabpanel");
  }
  open(tabs.find((tab) => tab.id === part) || tabs[0]);
}

function open(chosen) {
  part = chosen.id;
  for (const tab of chosen.closest(".tabs").querySelectorAll("button")) {
    tab.setAttribute("aria-selected", String(tab === chosen));
    tab.tabIndex = tab === chosen ? 0 : -1;
    document.getElementById(tab.getAttribute("aria-controls")).hidden = tab !== chosen;
  }
}

document.addEventListener("click", (event) => {
  const tab = event.target.closest(".tabs button");
  if (tab) { open(tab); document.getElementById("main").scrollTop = 0; dispatchEvent(new Event("resize")); }
});

// Before the page's own keys: within the row of parts, and within an open question.
window.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const question = document.querySelector(".question:popover-open");
  if (question) { within(question, event); return; }
  const tab = document.activeElement && document.activeElement.closest(".tabs button");
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!tab || !by) return;
  event.preventDefault();
  event.stopPropagation();
  const tabs = [...tab.closest(".tabs").querySelectorAll("button")];
  const way = getComputedStyle(tab).direction === "rtl" ? -by : by;
  const next = tabs[(tabs.indexOf(tab) + way + tabs.length) % tabs.length];
  open(next);
  next.focus();
}, { capture: true });

function within(question, event) {
  const answers = [...question.querySelectorAll("button")];
  const at = answers.indexOf(document.activeElement);
  const ways = { ArrowDown: 1, ArrowRight: 1, 8: 1, ArrowUp: -1, ArrowLeft: -1, 2: -1, Tab: event.shiftKey ? -1 : 1 };
  if (event.key === "Escape") question.hidePopover();
  else if (ways[event.key]) answers[(at + ways[event.key] + answers.length) % answers.length].focus();
  else if (event.key === "5" && at >= 0) answers[at].click();
  else if (event.key === "Enter" || event.key === " ") { event.stopPropagation(); return; }
  else return;
  event.preventDefault();
  event.stopPropagation();
}

document.addEventListener("kiosk:drawn", (event) => {
  const asked = event.detail.before.querySelector(".question[data-open]");
  const sameStep = event.detail.before.dataset.step === document.getElementById("kiosk").dataset.step;
  menu();
  const again = asked && sameStep && document.getElementById(asked.id);
  if (again) queueMicrotask(() => again.showPopover());
});

// A popover that is taken from the page forgets that it was open.
document.addEventListener("toggle", (event) => {
  if (event.target.classList.contains("question") && event.target.isConnected) {
    event.target.toggleAttribute("data-open", event.newState === "open");
  }
}, { capture: true });

menu();
