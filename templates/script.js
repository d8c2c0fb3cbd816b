"use strict";
(() => {
  const table = document.getElementById("table");
  const state = new URLSearchParams();

  // Pointing at a technique of a ranking fades the lines of the others.
  for (const key of document.querySelectorAll("th[data-series]")) {
    const lines = key.closest("section").querySelectorAll("g[data-series]");
    const fade = (on) => () => lines.forEach((line) => line.classList.toggle("dim", on && line.dataset.series !== key.dataset.series));
    key.addEventListener("pointerenter", fade(true));
    key.addEventListener("pointerleave", fade(false));
  }
  if (!table) return;

  const rows = [...table.tBodies];
  const filter = document.getElementById("filter");
  const shown = document.getElementById("shown");
  const keys = [...table.tHead.querySelectorAll("button")];

  const save = () => history.replaceState(null, "", "#" + state);

  const applyFilter = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      row.hidden = !words.every((word) => row.dataset.search.includes(word));
      count += !row.hidden;
    }
    shown.textContent = `${count} of ${rows.length} cases`;
  };

  const value = (row, column, numeric) => {
    const text = row.rows[0].cells[column].dataset.v;
    return numeric ? Number(text) : text;
  };

  const applySort = (key, descending) => {
    const heading = key.closest("th");
    const numeric = heading.classList.contains("num");
    const column = heading.cellIndex;
    const order = (a, b) => {
      const [x, y] = [value(a, column, numeric), value(b, column, numeric)];
      if (!numeric) return (descending ? -1 : 1) * x.localeCompare(y);
      // What is not a number comes last either way.
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
      return x === y ? 0 : (x < y) === descending ? 1 : -1;
    };
    keys.forEach((other) => other.closest("th").removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    rows.sort(order);
    table.append(...rows);
  };

  const toggle = (row, open) => {
    const button = row.querySelector("button");
    button.setAttribute("aria-expanded", open);
    document.getElementById(button.getAttribute("aria-controls")).hidden = !open;
  };

  const restore = () => {
    const target = document.getElementById(location.hash.slice(1));
    if (target && target.tagName === "TBODY") {
      if (target.hidden) {
        filter.value = "";
        applyFilter();
      }
      toggle(target, true);
      target.scrollIntoView();
      return;
    }
    if (target) return;
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
  table.addEventListener("click", (event) => {
    const button = event.target.closest("td.open button");
    if (button) toggle(button.closest("tbody"), button.getAttribute("aria-expanded") !== "true");
  });
  window.addEventListener("hashchange", restore);
  applyFilter();
  restore();
})();
