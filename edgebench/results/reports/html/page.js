// Sorts, filters and groups the rows, shows the row of a point in a figure, and draws the samples of a row's processes.
"use strict";
const table = document.getElementById("rows");
if (table) {
  const STEP = 200; // rows shown first; as many follow whenever the reader scrolls near the end
  const WORTHLESS = new Set(["INVALID", "FAILED", "MISSING"]);
  const SAMPLES = "One line per process, in order, in ms: minimum to maximum (line), 10 to 90 % (pale), 25 to 75 %"
    + " (dark), median (tick). Dashed: p50. The axis is logarithmic.";

  const body = table.tBodies[0];
  const scroll = table.parentElement;
  const tip = document.getElementById("tip");
  const count = document.getElementById("count");
  const controls = document.getElementById("controls");
  const heads = [...table.tHead.rows[0].cells];
  const headings = heads.map((cell) => cell.textContent.trim());
  const rows = [body, document.getElementById("rest").content].flatMap((part) => [...part.querySelectorAll("tr.row")]);
  const byNumber = new Map(rows.map((row) => [row.dataset.row, row]));
  const marks = new Map(rows.map((row) => [row.dataset.row, []]));
  const groups = read("groups");
  const collator = new Intl.Collator("en", { numeric: true });
  const state = { column: -1, isDown: false, shown: STEP, found: rows, lit: [] };
  let processes; // samples of the processes per row; parsed on first use

  for (const mark of document.querySelectorAll(".drawing [data-row]")) marks.get(mark.dataset.row).push(mark);
  rows.forEach((row, place) => { row.place = place; row.tabIndex = 0; });
  heads.forEach(makeSortable);
  controls.hidden = false;
  controls.addEventListener("input", refresh);
  controls.addEventListener("submit", (event) => event.preventDefault());
  scroll.addEventListener("scroll", showMore, { passive: true });
  body.addEventListener("click", (event) => toggle(event.target.closest("tr.row")));
  body.addEventListener("keydown", (event) => { if (event.key === "Enter") toggle(event.target.closest("tr.row")); });
  document.addEventListener("pointerover", point);
  document.addEventListener("click", (event) => { if (markAt(event)) point(event); });
  addEventListener("beforeprint", () => { for (const group of document.querySelectorAll("details.group")) group.open = true; });
  document.documentElement.classList.add("js");
  show();

  function read(id) {
    return JSON.parse(document.getElementById(id).textContent);
  }

  function chosen(id) {
    return document.getElementById(id)?.value ?? "";
  }

  function make(tag, words = "", className = "") {
    const element = document.createElement(tag);
    element.textContent = words;
    element.className = className;
    return element;
  }

  // Filter.

  function isWanted() {
    const words = chosen("words").toLowerCase().split(/\s+/).filter(Boolean);
    const [precision, verdict, group] = ["precision", "verdict", "group"].map(chosen);
    return (row) => (!precision || row.dataset.precision === precision) && (!verdict || row.dataset.verdict === verdict)
      && (!group || row.dataset.group === group) && words.every((word) => wordsOf(row).includes(word));
  }

  function wordsOf(row) {
    return row.words ??= `${groups[row.dataset.group]} ${row.textContent}`.toLowerCase();
  }

  // Sort by group, then by the column. Unusable rows and empty cells come last in both directions.

  function togetherBy(row) {
    const { group, precision } = row.dataset;
    return { precision: `${group} ${precision}`, group }[chosen("together")] ?? "";
  }

  function placesOfGroups() {
    const places = new Map();
    for (const row of rows) if (!places.has(togetherBy(row))) places.set(togetherBy(row), places.size);
    return places;
  }

  function keyOf(row) {
    if (state.column < 0) return row.place;
    const words = row.cells[state.column].textContent;
    return heads[state.column].classList.contains("text") ? words : Number.parseFloat(words.replace(/^[[(]/, ""));
  }

  function compare(one, other) {
    const sign = state.isDown ? -1 : 1;
    if (typeof one === "string") return sign * collator.compare(one, other);
    return Number.isNaN(one) || Number.isNaN(other) ? Number.isNaN(one) - Number.isNaN(other) : sign * (one - other);
  }

  function sorted(found) {
    const places = placesOfGroups();
    const keyed = found.map((row) =>
      ({ row, group: places.get(togetherBy(row)), isLast: WORTHLESS.has(row.dataset.verdict), key: keyOf(row) }));
    keyed.sort((a, b) => a.group - b.group || a.isLast - b.isLast || compare(a.key, b.key) || a.row.place - b.row.place);
    return keyed.map(({ row }) => row);
  }

  function makeSortable(cell, column) {
    const button = make("button");
    button.type = "button";
    button.append(...cell.childNodes);
    cell.append(button);
    button.addEventListener("click", () => {
      // The best value comes first: the lowest time or size, the highest accuracy.
      state.isDown = state.column === column ? !state.isDown : "more" in cell.dataset;
      state.column = column;
      for (const other of heads) other.removeAttribute("aria-sort");
      cell.setAttribute("aria-sort", state.isDown ? "descending" : "ascending");
      refresh();
    });
  }

  // On the page.

  // Rank the rows that are shown together. Rows of different groups are not comparable: each keeps its group's rank.
  function rank() {
    const place = headings.indexOf("#");
    if (place < 0) return;
    const together = new Map();
    for (const row of rows) {
      const key = chosen("together") ? togetherBy(row) : row.dataset.group;
      if (!together.has(key)) together.set(key, []);
      together.get(key).push(row);
    }
    for (const several of together.values()) {
      const ordered = several.filter((row) => Number.parseInt(row.dataset.rank)) // a row without a time has none
        .sort((one, other) => Number.parseInt(one.dataset.rank) - Number.parseInt(other.dataset.rank));
      let first = 0;
      ordered.forEach((row, index) => {
        const own = Number.parseInt(row.dataset.rank);
        if (own !== Number.parseInt(ordered[first].dataset.rank)) first = index;
        const next = ordered[index + 1];
        const isTied = first < index || (next && Number.parseInt(next.dataset.rank) === own);
        row.cells[place].textContent = `${first + 1}${isTied ? "=" : ""}`;
      });
    }
  }

  function refresh() {
    rank();
    state.found = sorted(rows.filter(isWanted()));
    state.shown = STEP;
    dim(new Set(state.found));
    show();
    scroll.scrollTop = 0;
  }

  function dim(kept) {
    for (const row of rows) {
      if (Boolean(row.isOut) !== kept.has(row)) continue;
      row.isOut = !kept.has(row);
      for (const mark of marks.get(row.dataset.row)) mark.classList.toggle("off", row.isOut);
    }
  }

  function show() {
    const lines = [];
    let last = "";
    for (const row of state.found.slice(0, state.shown)) {
      if (togetherBy(row) !== last) lines.push(headingOf(row));
      last = togetherBy(row);
      lines.push(row);
      if (row.detail) lines.push(row.detail);
    }
    body.replaceChildren(...lines);
    const more = state.shown < state.found.length ? `, the first ${state.shown} shown: scroll for more` : "";
    count.textContent = `${state.found.length} of ${rows.length} rows${more}`;
  }

  function headingOf(row) {
    const line = make("tr", "", "heading");
    const cell = line.appendChild(make("th"));
    const precision = chosen("together") === "precision" ? `${row.dataset.precision} · ` : "";
    cell.colSpan = headings.length;
    cell.append(make("span", precision + groups[row.dataset.group]));
    return line;
  }

  function showMore() {
    if (state.shown >= state.found.length || scroll.scrollTop + 2 * scroll.clientHeight < scroll.scrollHeight) return;
    state.shown += STEP;
    show();
  }

  // Show a point's whole row beside it in a figure.

  function markAt(event) {
    return event.target.closest?.(".drawing [data-row]");
  }

  function point(event) {
    const mark = markAt(event);
    for (const element of state.lit) element.classList.remove("lit");
    state.lit = mark ? [byNumber.get(mark.dataset.row), ...marks.get(mark.dataset.row)] : [];
    for (const element of state.lit) element.classList.add("lit");
    tip.hidden = !mark;
    if (!mark) return;
    tip.replaceChildren(...whole(byNumber.get(mark.dataset.row)));
    const { width, height } = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(8, Math.min(event.clientX + 14, innerWidth - width - 8))}px`;
    tip.style.top = `${Math.max(8, Math.min(event.clientY + 14, innerHeight - height - 8))}px`;
  }

  function whole(row) {
    const cells = [...row.cells].map((cell) => cell.textContent);
    const list = make("dl");
    headings.slice(0, -1).forEach((name, column) => list.append(make("dt", name), make("dd", cells[column])));
    return [make("p", groups[row.dataset.group]), list, make("p", cells.at(-1))];
  }

  // Show the samples of a row's processes below it.

  function toggle(row) {
    if (!row || getSelection().toString()) return;
    row.detail?.remove();
    row.detail = row.detail ? undefined : detailOf(row);
    if (row.detail) row.after(row.detail);
  }

  function detailOf(row) {
    processes ??= read("processes");
    const runs = (processes[row.dataset.row] ?? []).map((run, place) => ({ run, place })).filter(({ run }) => run.length);
    const line = make("tr", "", "detail");
    const cell = line.appendChild(make("td"));
    const box = cell.appendChild(make("div"));
    cell.colSpan = headings.length;
    box.innerHTML = runs.length ? distribution(runs) : ""; // safe: made of numbers only
    const reasons = row.cells[row.cells.length - 1].textContent.trim();
    if (reasons) box.append(make("p", reasons));
    box.append(make("p", runs.length ? SAMPLES : "No samples: no process was timed.", "note"));
    return line;
  }

  function distribution(numbered) {
    const runs = numbered.map(({ run }) => run);
    const wide = Math.max(340, Math.min(720, scroll.clientWidth - 20)); // drawn in its final width, so that text keeps its size
    const [line, left, top] = [13, 34, 8];
    const bottom = top + line * runs.length;
    const low = Math.max(1e-6, Math.min(...runs.map((run) => run[0]))) / 1.03;
    const high = Math.max(low, ...runs.map((run) => run[6])) * 1.03;
    const x = (value) => (left + Math.log(Math.max(value, low) / low) / Math.log(high / low) * (wide - left - 10)).toFixed(1);
    const lines = numbered.map(({ run, place }, index) => process(run, place + 1, x, left, top + line * (index + .5)));
    const ticks = ticksOf(low, high).map((tick) => `<path class="grid" d="M${x(tick)} ${top}V${bottom}"/>`
      + `<text class="tick" x="${x(tick)}" y="${bottom + 14}" text-anchor="middle">${tick}</text>`);
    const middle = `<path class="p50" d="M${x(median(runs.map((run) => run[3])))} ${top}V${bottom}"/>`;
    return `<svg class="drawing" viewBox="0 0 ${wide} ${bottom + 20}" role="img" aria-label="samples of each process">`
      + `${ticks.join("")}${middle}${lines.join("")}</svg>`;
  }

  function process(run, number, x, left, y) {
    const band = (from, to, half, opacity) => `<rect class="band" fill-opacity="${opacity}" x="${x(run[from])}"`
      + ` y="${y - half}" width="${(x(run[to]) - x(run[from])).toFixed(1)}" height="${2 * half}"/>`;
    return `<text class="tick" x="${left - 8}" y="${y + 4}" text-anchor="end">${number}</text>`
      + `<path class="span" d="M${x(run[0])} ${y}H${x(run[6])}"/>${band(1, 5, 3, .35)}${band(2, 4, 4, 1)}`
      + `<path class="middle" d="M${x(run[3])} ${y - 5}v10"/>`;
  }

  function median(values) {
    const ordered = [...values].sort((a, b) => a - b);
    return (ordered[(ordered.length - 1) >> 1] + ordered[ordered.length >> 1]) / 2;
  }

  function ticksOf(low, high) {
    const factors = high < 3 * low ? [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8] : high < 12 * low ? [1, 2, 3, 5, 7] : [1, 2, 5];
    const powers = Array.from({ length: Math.ceil(Math.log10(high / low)) + 1 }, (_, n) => Math.floor(Math.log10(low)) + n);
    const ticks = powers.flatMap((power) => factors.map((factor) => Number((factor * 10 ** power).toPrecision(3))));
    return ticks.filter((tick) => tick >= low && tick <= high);
  }
}
