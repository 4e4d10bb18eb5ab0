// The count page stays while somebody counts, and leaves by itself when nobody has touched it for a while: the kiosk's
// browser must come back to the citizens. It tells the kiosk that the browser lives, as the citizen screen does.

const ALIVE_MS = 5000;
const LEAVE_MS = 600000;

let touched = performance.now();

for (const kind of ["pointerdown", "keydown", "input"]) {
  document.addEventListener(kind, () => { touched = performance.now(); }, { capture: true, passive: true });
}

async function alive() {
  try { await fetch("/alive", { method: "POST" }); } catch (error) { console.warn("no heartbeat:", error.message); }
}

setInterval(() => {
  alive();
  if (performance.now() - touched > LEAVE_MS) location.replace("/");
}, ALIVE_MS);

// A double tap posts once.
let sent = false;
document.addEventListener("submit", (event) => {
  if (sent) event.preventDefault();
  sent = true;
});
addEventListener("pageshow", () => { sent = false; });

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") { event.preventDefault(); (document.getElementById("go-list") || document.getElementById("go-home")).click(); }
});
document.addEventListener("contextmenu", (event) => event.preventDefault());

alive();
