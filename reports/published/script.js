"use strict";
(() => {
  // Pointing at a name fades the lines of the others.
  for (const key of document.querySelectorAll("th[data-series], li[data-series]")) {
    const lines = key.closest("section, .curves").querySelectorAll("g[data-series]");
    const fade = (on) => () => lines.forEach((line) => line.classList.toggle("dim", on && line.dataset.series !== key.dataset.series));
    key.addEventListener("pointerenter", fade(true));
    key.addEventListener("pointerleave", fade(false));
  }

  const table = document.getElementById("table");
  if (!table) return;
  const state = new URLSearchParams();
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const filter = document.getElementById("filter");
  const shown = document.getElementById("shown");
  const keys = [...table.tHead.querySelectorAll("button")];
  const texts = new Map();
  const textOf = (row) => {
    if (!texts.has(row)) texts.set(row, [...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase());
    return texts.get(row);
  };

  const save = () => history.replaceState(null, "", "#" + state);

  const applyFilter = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      row.hidden = words.length > 0 && !words.every((word) => textOf(row).includes(word));
      count += !row.hidden;
    }
    shown.textContent = `${count} of ${rows.length} cases`;
  };

  const applySort = (key, descending) => {
    const heading = key.closest("th");
    const numeric = heading.classList.contains("num");
    const column = heading.cellIndex;
    const value = (row) => {
      const cell = row.cells[column];
      return numeric ? Number(cell.dataset.v) : cell.textContent;
    };
    const values = new Map(rows.map((row) => [row, value(row)]));
    const order = (a, b) => {
      const [x, y] = [values.get(a), values.get(b)];
      if (!numeric) return (descending ? -1 : 1) * x.localeCompare(y);
      // What is not a number comes last either way.
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
      return x === y ? 0 : (x < y) === descending ? 1 : -1;
    };
    keys.forEach((other) => other.closest("th").removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    rows.sort(order);
    body.append(...rows);
  };

  const restore = () => {
    if (document.getElementById(location.hash.slice(1))) return;
    const wanted = new URLSearchParams(location.hash.slice(1));
    for (const name of ["q", "sort", "order"]) {
      state.delete(name);
      if (wanted.has(name)) state.set(name, wanted.get(name));
    }
    filter.value = state.get("q") ?? "";
    applyFilter();
    const key = keys.find((key) => key.dataset.key === state.get("sort"));
    if (key) applySort(key, state.get("order") === "down");
  };

  filter.addEventListener("input", () => {
    if (filter.value) state.set("q", filter.value);
    else state.delete("q");
    applyFilter();
    save();
  });
  for (const key of keys) {
    key.addEventListener("click", () => {
      const sorted = key.closest("th").getAttribute("aria-sort");
      const descending = sorted ? sorted === "ascending" : key.closest("th").classList.contains("num");
      state.set("sort", key.dataset.key);
      state.set("order", descending ? "down" : "up");
      applySort(key, descending);
      save();
    });
  }
  window.addEventListener("hashchange", restore);
  restore();
})();