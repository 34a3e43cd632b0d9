// Sorts, filters and groups the rows, shows a row beside a drawing's point, and draws the samples of a row's processes.
"use strict";
{
const table = document.getElementById("rows");
const STEP = 200; // rows shown at once, and more whenever the end comes near
const WORTHLESS = new Set(["INVALID", "FAILED"]);
const read = (id) => JSON.parse(document.getElementById(id).textContent);

function start() {
  const body = table.tBodies[0];
  const rest = document.getElementById("rest").content;
  const rows = [body, rest].flatMap((part) => [...part.querySelectorAll("tr.row")]);
  const headings = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
  const byNumber = new Map(rows.map((row, place) => (row.place = place, [row.dataset.row, row])));
  const groups = read("groups");
  const marks = new Map(rows.map((row) => [row.dataset.row, []]));
  for (const mark of document.querySelectorAll(".drawing [data-row]")) marks.get(mark.dataset.row).push(mark);
  const state = { column: -1, down: false, shown: STEP, found: rows };
  const control = (id) => document.getElementById(id)?.value ?? "";

  // A cell's figure is the number that it begins with; rows without one go last, either way.
  const figure = (row, column) => Number.parseFloat(row.cells[column].textContent.replace(/^[[(]/, ""));
  const words = (row) => row.words ??= `${groups[row.dataset.group]} ${row.textContent}`.toLowerCase();
  const together = (row) => ({ precision: `${row.dataset.group} ${row.dataset.precision}`, group: row.dataset.group })[control("together")] ?? "";
  const title = (row) => (control("together") === "precision" ? `${row.dataset.precision} · ` : "") + groups[row.dataset.group];

  function matches() {
    const wanted = control("words").toLowerCase().split(/\s+/).filter(Boolean);
    const [precision, verdict, group] = ["precision", "verdict", "group"].map(control);
    return (row) => (!precision || row.dataset.precision === precision) && (!verdict || row.dataset.verdict === verdict)
      && (!group || row.dataset.group === group) && wanted.every((word) => words(row).includes(word));
  }

  function sorted(found) {
    const { column, down } = state;
    const isText = column >= 0 && table.tHead.rows[0].cells[column].classList.contains("text");
    const keys = new Map(found.map((row) => [row, column < 0 ? row.place : isText ? row.cells[column].textContent : figure(row, column)]));
    const order = new Map();
    if (control("together")) for (const row of rows) if (!order.has(together(row))) order.set(together(row), order.size);
    const collator = new Intl.Collator("en", { numeric: true });
    const compare = (a, b) => {
      const [one, other] = [keys.get(a), keys.get(b)];
      if (isText) return collator.compare(one, other) * (down ? -1 : 1);
      if (Number.isNaN(one) || Number.isNaN(other)) return Number.isNaN(one) - Number.isNaN(other);
      return (one - other) * (down ? -1 : 1);
    };
    const last = (row) => WORTHLESS.has(row.dataset.verdict);
    return found.sort((a, b) => (order.get(together(a)) ?? 0) - (order.get(together(b)) ?? 0)
      || last(a) - last(b) || compare(a, b) || a.place - b.place);
  }

  function heading(row) {
    const line = document.createElement("tr");
    line.className = "heading";
    const cell = line.appendChild(document.createElement("th"));
    cell.colSpan = headings.length;
    cell.appendChild(document.createElement("span")).textContent = title(row);
    return line;
  }

  function show() {
    const lines = [];
    let last = "";
    for (const row of state.found.slice(0, state.shown)) {
      const key = together(row);
      if (key !== "" && key !== last) lines.push(heading(row));
      last = key;
      lines.push(row);
      if (row.detail) lines.push(row.detail);
    }
    body.replaceChildren(...lines);
    const drawn = Math.min(state.shown, state.found.length);
    const part = drawn < state.found.length ? `, the first ${drawn} shown: scroll for more` : "";
    document.getElementById("count").textContent = `${state.found.length} of ${rows.length} rows${part}`;
  }

  function refresh() {
    state.found = sorted(rows.filter(matches()));
    state.shown = STEP;
    const kept = new Set(state.found);
    for (const row of rows) {
      if (row.isOut === !kept.has(row)) continue;
      row.isOut = !kept.has(row);
      for (const mark of marks.get(row.dataset.row)) mark.classList.toggle("off", row.isOut);
    }
    show();
    scroll.scrollTop = 0;
  }

  const scroll = table.parentElement;
  scroll.addEventListener("scroll", () => {
    if (state.shown < state.found.length && scroll.scrollTop + 2 * scroll.clientHeight > scroll.scrollHeight) {
      state.shown += STEP;
      show();
    }
  }, { passive: true });

  [...table.tHead.rows[0].cells].forEach((cell, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...cell.childNodes);
    cell.append(button);
    button.addEventListener("click", () => {
      state.down = state.column === column && !state.down;
      state.column = column;
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      cell.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      refresh();
    });
  });
  const controls = document.getElementById("controls");
  controls.hidden = false;
  controls.addEventListener("input", refresh);
  controls.addEventListener("submit", (event) => event.preventDefault());

  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr.row");
    if (!row || getSelection().toString()) return;
    open(row, !row.detail);
  });
  for (const row of rows) row.tabIndex = 0;
  body.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("tr.row")) open(event.target, !event.target.detail);
  });

  function open(row, wanted) {
    row.detail?.remove();
    row.detail = wanted ? detail(row, headings.length) : undefined;
    if (row.detail) row.after(row.detail);
  }

  // Beside a drawing: the whole row.
  const tip = document.getElementById("tip");
  let lit = [];
  function point(event) {
    const mark = event.target.closest?.(".drawing [data-row]");
    for (const one of lit) one.classList.remove("lit");
    lit = [];
    const row = mark && byNumber.get(mark.dataset.row);
    tip.hidden = !row;
    if (!row) return;
    lit = [row, ...marks.get(mark.dataset.row)];
    for (const one of lit) one.classList.add("lit");
    tip.replaceChildren(...whole(row, headings, groups));
    const { width, height } = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(8, Math.min(event.clientX + 14, innerWidth - width - 8))}px`;
    tip.style.top = `${Math.max(8, Math.min(event.clientY + 14, innerHeight - height - 8))}px`;
  }
  document.addEventListener("pointerover", point);
  document.addEventListener("click", (event) => {
    const mark = event.target.closest?.(".drawing [data-row]");
    if (mark) point(event);
  });
  addEventListener("beforeprint", () => document.querySelectorAll("details.group").forEach((one) => { one.open = true; }));
  document.documentElement.classList.add("js");
  show();
}

function whole(row, headings, groups) {
  const list = document.createElement("dl");
  headings.slice(0, -1).forEach((name, column) => {
    list.appendChild(document.createElement("dt")).textContent = name;
    list.appendChild(document.createElement("dd")).textContent = row.cells[column].textContent;
  });
  const [group, reasons] = ["p", "p"].map((tag) => document.createElement(tag));
  group.textContent = groups[row.dataset.group];
  reasons.textContent = row.cells[headings.length - 1].textContent;
  return [group, list, reasons];
}

let processes;
function detail(row, columns) {
  processes ??= read("processes");
  const line = document.createElement("tr");
  line.className = "detail";
  const cell = line.appendChild(document.createElement("td"));
  cell.colSpan = columns;
  const box = cell.appendChild(document.createElement("div"));
  const runs = (processes[row.dataset.row] ?? []).map((run, place) => ({ place, run })).filter(({ run }) => run.length);
  box.innerHTML = runs.length ? distribution(runs) : "";
  const words = runs.length
    ? "A line a process, in order, in ms: from its least to its largest sample, from 10 to 90 %, from 25 to 75 %, the median. Dashed: p50. The axis is logarithmic."
    : "No samples: no process was timed.";
  box.appendChild(document.createElement("p")).textContent = words;
  box.lastChild.className = "note";
  return line;
}

// Numbers alone go in here: markup cannot.
function distribution(numbered) {
  const runs = numbered.map(({ run }) => run);
  const wide = Math.max(340, Math.min(720, table.parentElement.clientWidth - 20)); // as wide as it is shown: words keep their size
  const [line, left, top] = [13, 34, 8];
  const [low, high] = [Math.max(1e-6, Math.min(...runs.map((run) => run[0]))), Math.max(...runs.map((run) => run[6]))];
  const [from, to] = [Math.log(low / 1.03), Math.log(high * 1.03)];
  const x = (value) => (left + (Math.log(Math.max(value, low)) - from) / (to - from) * (wide - left - 10)).toFixed(1);
  const bottom = top + line * runs.length;
  const medians = runs.map((run) => run[3]).sort((a, b) => a - b);
  const p50 = (medians[(medians.length - 1) >> 1] + medians[medians.length >> 1]) / 2;
  const lines = runs.map((run, place) => {
    const y = top + line * (place + .5);
    return `<text class="tick" x="${left - 8}" y="${y + 4}" text-anchor="end">${numbered[place].place + 1}</text>`
      + `<path class="span" d="M${x(run[0])} ${y}H${x(run[6])}"/>`
      + `<rect class="band" fill-opacity=".35" x="${x(run[1])}" y="${y - 3}" width="${x(run[5]) - x(run[1])}" height="6"/>`
      + `<rect class="band" x="${x(run[2])}" y="${y - 4}" width="${x(run[4]) - x(run[2])}" height="8"/>`
      + `<path class="middle" d="M${x(run[3])} ${y - 5}v10"/>`;
  });
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1)
    for (const factor of high / low < 3 ? [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8] : high / low < 12 ? [1, 2, 3, 5, 7] : [1, 2, 5]) {
      const tick = Number((factor * 10 ** power).toPrecision(3));
      if (tick >= low / 1.03 && tick <= high * 1.03) ticks.push(`<path class="grid" d="M${x(tick)} ${top}V${bottom}"/><text class="tick" x="${x(tick)}" y="${bottom + 14}" text-anchor="middle">${tick}</text>`);
    }
  return `<svg class="drawing" style="min-width:0;max-width:none" viewBox="0 0 ${wide} ${bottom + 20}" role="img" aria-label="samples of each process">`
    + ticks.join("") + `<path class="p50" d="M${x(p50)} ${top}V${bottom}"/>` + lines.join("") + "</svg>";
}

if (table) start();
}
