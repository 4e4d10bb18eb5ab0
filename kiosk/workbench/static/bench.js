// The bench: asks for the state of the simulated hardware, draws it, and posts what a person does with it.

const key = document.body.dataset.key;
const by = (id) => document.getElementById(id);
const frame = by("screen");
const bezel = by("bezel");
let seen = 0;            // number of the last event drawn
let shownScreen = null;  // which start of the kiosk the frame shows
let printed = -1;        // pieces of paper drawn
let hanging = 0;
let size = [1080, 1920];

// --- acts --------------------------------------------------------------------------------------------------------

async function act(name, argument) {
  try {
    const answer = await fetch("/act", {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ act: name, argument, key }),
    });
    const said = await answer.json();
    tell(said.told || said.problem, !answer.ok);
  } catch (error) {
    tell("The demonstration has ended.", true);
  }
  refresh();
}

let quiet = 0;
function tell(text, problem) {
  const told = by("told");
  told.textContent = text.charAt(0).toUpperCase() + text.slice(1) + (text.endsWith(".") ? "" : ".");
  told.classList.toggle("problem", problem);
  told.classList.add("on");
  clearTimeout(quiet);
  quiet = setTimeout(() => told.classList.remove("on"), problem ? 4500 : 1800);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.act) act(button.dataset.act, button.dataset.argument);
  if (button.dataset.size) {
    size = button.dataset.size.split("x").map(Number);
    for (const each of document.querySelectorAll("[data-size]")) each.setAttribute("aria-pressed", String(each === button));
    fit();
  }
});

by("free").addEventListener("submit", (event) => {
  event.preventDefault();
  act("scan", by("label").value);
});

// --- the screen --------------------------------------------------------------------------------------------------

function fit() {
  const wide = size[0] > size[1];
  const room = wide ? Math.min(620, innerWidth - 60) : Math.min(innerHeight - 190, 940);
  const scale = Math.max(0.2, Math.min(wide ? room / size[0] : room / size[1], (innerWidth - 56) / size[0]));
  frame.style.width = `${size[0]}px`;
  frame.style.height = `${size[1]}px`;
  frame.style.transform = `scale(${scale})`;
  bezel.style.width = `${size[0] * scale + 26}px`;
  bezel.style.height = `${size[1] * scale + 26}px`;
}
addEventListener("resize", fit);

// --- drawing -----------------------------------------------------------------------------------------------------

function badge(id, text, look) {
  const place = by(id);
  if (place.textContent !== text) place.textContent = text;
  place.className = `badge ${look}`;
}

function draw(state) {
  badge("power", state.trouble ? "a simulator died" : !state.powered ? "no power" : state.running ? "kiosk running" : "kiosk down",
    state.trouble ? "fault" : !state.powered ? "dark" : state.running ? "ok" : "fault");
  enable("cut", "", state.powered);
  enable("restore", "", !state.powered);
  bezel.classList.toggle("off", !state.powered);
  bezel.classList.toggle("starting", state.powered && !state.screen);
  if (state.screen !== shownScreen) {
    if (state.screen && shownScreen !== null) frame.src = "/screen";
    shownScreen = state.screen;
  }
  drawAcceptor(state.acceptor);
  const printer = state.printer;
  badge("printer-status", printer.plugged ? printer.words : "cable out", printer.plugged ? printer.look : "fault");
  by("printer-bytes").textContent = printer.bytes ? `status ${printer.bytes}` : "";
  const scanner = state.scanner.plugged;
  badge("scanner-plug", !state.powered ? "no power" : scanner ? "ready" : "cable out", !state.powered ? "dark" : scanner ? "ok" : "fault");
  for (const [device, plugged] of [["notes", state.acceptor.plugged], ["receipt", printer.plugged], ["scanner", scanner]]) {
    enable("unplug", device, plugged);
    enable("replug", device, !plugged);
  }
  if (printer.mouth) by("printer-mouth").textContent = printer.mouth;
  drawPaper(printer);
  if (state.coins) drawCoins(state.coins);
  if (state.hub) drawHub(state.hub);
  for (const event of state.events) log(event);
}

function enable(name, argument, on) {
  const button = document.querySelector(`button[data-act="${name}"][data-argument="${argument}"]`);
  if (button) button.disabled = !on;
}

function drawAcceptor(unit) {
  badge("acceptor-status", unit.plugged ? (unit.status || "NO POWER").replaceAll("_", " ").toLowerCase() : "cable out", unit.plugged ? unit.look : "fault");
  by("acceptor-words").textContent = unit.words + (unit.inside ? `: ${unit.inside}` : "");
  for (const note of document.querySelectorAll(".note")) note.classList.toggle("unready", !unit.ready);
  const rows = unit.box.map((part) => [`${part.count} × ${part.value}`, "", ""]);
  rows.push(["In the box", unit.total, "total"]);
  const wanted = JSON.stringify(rows);
  const box = by("box");
  if (box.dataset.shown !== wanted) {
    box.dataset.shown = wanted;
    box.replaceChildren(...rows.map(([name, value, look]) => {
      const row = document.createElement("div");
      row.className = look;
      const term = document.createElement("dt");
      const told = document.createElement("dd");
      term.textContent = name;
      told.textContent = value;
      row.append(term, told);
      return row;
    }));
  }
  by("box-more").textContent = [unit.returned && `given back so far: ${unit.returned}`, unit.collected && `collected: ${unit.collected}`].filter(Boolean).join(" · ");
}

function drawCoins(coins) {
  badge("slot-status", coins.plugged ? coins.slot.words : "cable out", coins.plugged ? coins.slot.look : "fault");
  by("slot-more").textContent = [`taken: ${coins.slot.total}`, coins.slot.returned && `fell through: ${coins.slot.returned}`].filter(Boolean).join(" · ");
  badge("hopper-status", coins.plugged ? coins.words : "cable out", coins.plugged ? coins.look : "fault");
  by("hopper-inside").textContent = coins.inside;
  by("hopper-cup").textContent = coins.cup;
  enable("unplug", "coins", coins.plugged);
  enable("replug", "coins", !coins.plugged);
}

function drawHub(hub) {
  badge("hub-network", hub.network === "joined" ? (hub.connected ? "connected" : "not connected") : hub.network,
    hub.network === "cut" ? "fault" : hub.network === "stalled" || !hub.connected ? "warn" : "ok");
  by("hub-words").textContent = hub.words;
  by("hub-facts").textContent = `${hub.committed} facts committed, ${hub.unsynced || "none"} not yet at the hub`;
  for (const mode of ["cut", "stalled", "joined"]) enable("network", mode, hub.network !== mode);
}

function drawPaper(printer) {
  if (printer.receipts === printed && printer.hanging === hanging) return;
  const paper = by("paper");
  by("no-paper").hidden = printer.receipts > 0 || printer.hanging > 0;
  for (let at = Math.max(printed, 0); at < printer.receipts; at += 1) paper.prepend(piece(`/paper/${at}.png`, `Piece ${at + 1}`));
  const old = by("hanging");
  if (old) old.remove();
  if (printer.hanging) {
    const now = piece(`/paper/hanging.png?lines=${printer.hanging}`, "Coming out");
    now.id = "hanging";
    paper.prepend(now);
  }
  printed = printer.receipts;
  hanging = printer.hanging;
}

function piece(source, words) {
  const figure = document.createElement("figure");
  const picture = document.createElement("img");
  const caption = document.createElement("figcaption");
  picture.src = source;
  picture.alt = `Printed paper: ${words}`;
  caption.textContent = words;
  figure.append(picture, caption);
  return figure;
}

function log(event) {
  if (event.number <= seen) return;
  seen = event.number;
  const line = document.createElement("li");
  const at = document.createElement("time");
  const text = document.createElement("span");
  at.textContent = event.at;
  text.textContent = event.text;
  text.className = event.kind;
  line.append(at, text);
  by("log").prepend(line);
}

// --- asking ------------------------------------------------------------------------------------------------------

let asking = false;
async function refresh() {
  if (asking) return;
  asking = true;
  try {
    const answer = await fetch(`/state?after=${seen}`);
    if (answer.ok) draw(await answer.json());
  } catch (error) {
    badge("power", "the demonstration has ended", "dark");
  }
  asking = false;
}

fit();
refresh();
setInterval(refresh, 500);
