"use strict";
// The page's controls. Without them it shows the same numbers: the first rows of each
// table, the study's own target, costs in sample gradients.

const STEP = 100; // rows shown at first, and more at each press of the button

const byText = new Intl.Collator("en", { numeric: true }).compare;

// The rows of a table's data, which has columns: a list of cells, or of different
// cells, and which of them is at each row.
function unpackRows(columns) {
  const whole = columns.map((column) =>
    Array.isArray(column) ? column : column.at.map((place) => column.of[place]),
  );
  return whole[0].map((_, row) => whole.map((column) => column[row]));
}

// A cell as the page's data has it: a text, or [text, sorted by, note].
function makeCell(packed, kind, rowsOf) {
  const [shown, value = null, note = ""] = Array.isArray(packed) ? packed : [packed];
  const cell = document.createElement("td");
  if (kind) cell.className = kind;
  if (value !== null) cell.dataset.v = value;
  const inner = document.createElement(rowsOf ? "a" : "span");
  inner.textContent = shown;
  if (rowsOf) inner.href = `${rowsOf}#row=${Number(shown) + 1}`;
  else if (kind === "name") Object.assign(inner, { className: "clamp", title: shown.length > 40 ? shown : "" });
  cell.append(inner);
  if (note) cell.append(Object.assign(document.createElement("small"), { textContent: note }));
  return cell;
}

class SortedTable {
  constructor(table) {
    this.table = table;
    this.body = table.tBodies[0];
    this.heads = [...table.tHead.rows[0].cells];
    this.kinds = this.heads.map((head) => head.classList[0] ?? "");
    this.rows = [...this.body.rows].map((element) => ({ element }));
    const rest = document.getElementById(table.dataset.rest);
    if (rest) for (const cells of unpackRows(JSON.parse(rest.textContent))) this.rows.push({ cells });
    this.found = this.rows;
    this.limit = STEP;
    if (this.rows.length > 1) this.heads.forEach((head, place) => this.addButton(head, place));
    if (this.rows.length > 5) this.addTools();
  }

  addButton(head, place) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => this.sort(place));
    head.setAttribute("aria-sort", "none");
    head.append(button);
  }

  addTools() {
    const tools = document.createElement("div");
    tools.className = "control tools";
    const label = document.createElement("label");
    label.textContent = "Filter ";
    this.filter = Object.assign(document.createElement("input"), { type: "search" });
    this.filter.addEventListener("input", () => this.search());
    label.append(this.filter);
    this.status = document.createElement("span");
    this.status.setAttribute("role", "status");
    tools.append(label, this.status);
    const scroll = this.table.closest(".scroll");
    scroll.before(tools);
    this.more = document.createElement("button");
    this.more.type = "button";
    this.more.className = "more-rows";
    this.more.addEventListener("click", () => {
      this.limit += STEP;
      this.show();
    });
    scroll.after(this.more);
    this.show();
  }

  element(row) {
    if (!row.element) {
      row.element = document.createElement("tr");
      row.element.append(...row.cells.map((cell, i) => makeCell(cell, this.kinds[i], this.heads[i].dataset.rowsOf)));
    }
    return row.element;
  }

  // What a row is sorted by: "" is not known, and comes last either way.
  key(row, place) {
    if (row.element) {
      const cell = row.element.cells[place];
      return cell.dataset.v ?? cell.textContent;
    }
    const cell = row.cells[place];
    return Array.isArray(cell) ? cell[1] ?? cell[0] : cell;
  }

  words(row) {
    row.words ??= (row.element ? row.element.textContent : row.cells.flat().join(" ")).toLowerCase();
    return row.words;
  }

  sort(place) {
    const head = this.heads[place];
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of this.heads) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const numbers = this.kinds[place] === "n";
    const keyed = this.rows.map((row) => {
      const key = this.key(row, place);
      return { row, key: numbers && key !== "" ? Number(key) : key };
    });
    keyed.sort((a, b) => {
      if (a.key === "" || b.key === "") return (a.key === "") - (b.key === "");
      const order = numbers ? Math.sign(a.key - b.key) || 0 : byText(a.key, b.key);
      return down ? -order : order;
    });
    this.rows = keyed.map((each) => each.row);
    this.search();
  }

  search() {
    const asked = (this.filter?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    this.found = this.rows.filter((row) => asked.every((word) => this.words(row).includes(word)));
    this.limit = STEP;
    this.show();
  }

  show() {
    const shown = this.found.slice(0, this.limit);
    this.body.replaceChildren(...shown.map((row) => this.element(row)));
    if (!this.status) return;
    const left = this.found.length - shown.length;
    this.status.textContent = `${this.found.length} of ${this.rows.length} rows`;
    if (left) this.status.textContent += `, ${shown.length} shown`;
    this.more.hidden = !left;
    this.more.textContent = `Show ${Math.min(left, STEP)} more rows`;
  }
}

// All unit controls of the page are one; style sheets do the showing.
function joinUnits() {
  const controls = document.querySelectorAll(".units input");
  for (const control of controls) {
    control.addEventListener("change", () => {
      for (const other of controls) other.checked = other.value === control.value;
    });
  }
}

function setPlace(mark, places) {
  mark.hidden = places.some(([, place]) => place === null);
  for (const [name, place] of places) mark.style.setProperty(name, place);
}

function moveTargets(part) {
  const { labels, cells } = JSON.parse(part.querySelector("script").textContent);
  const range = part.querySelector("input");
  const body = part.querySelector("tbody");
  range.closest(".control").hidden = false;
  range.addEventListener("input", () => {
    const place = Number(range.value);
    range.setAttribute("aria-valuetext", labels[place]);
    part.querySelector("output strong").textContent = labels[place];
    const rows = [...body.rows];
    for (const row of rows) {
      const [bill, interval, rank, chance, passes, at, from, to] = cells[place][row.dataset.arm];
      const [, billCell, axis, rankCell, chanceCell, passesCell] = row.cells;
      billCell.querySelector("b").textContent = bill;
      billCell.querySelector("small").textContent = interval;
      rankCell.textContent = rank;
      chanceCell.textContent = chance;
      passesCell.textContent = passes;
      setPlace(axis.querySelector(".dot"), [["--at", at]]);
      setPlace(axis.querySelector(".bar"), [["--from", from], ["--to", to]]);
    }
    const order = (row) => Number(row.cells[3].textContent) || Infinity;
    body.replaceChildren(...rows.sort((a, b) => order(a) - order(b) || a.dataset.arm - b.dataset.arm));
  });
  range.dispatchEvent(new Event("input"));
}

// On a narrow screen a figure is as wide as the screen, or as wide as on a large one.
function addFullSize(figure) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "full-size" });
  const which = Object.assign(document.createElement("span"), { className: "unseen", textContent: ` of ${figure.id}` });
  button.append("Full size", which);
  button.setAttribute("aria-pressed", "false");
  button.addEventListener("click", () => {
    button.setAttribute("aria-pressed", String(figure.classList.toggle("at-full-size")));
  });
  figure.querySelector("figcaption").prepend(button);
}

for (const figure of document.querySelectorAll("figure")) addFullSize(figure);
for (const table of document.querySelectorAll("table.sorted")) new SortedTable(table);
for (const part of document.querySelectorAll(".targets")) moveTargets(part);
joinUnits();
document.documentElement.classList.add("scripted");
