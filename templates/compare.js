"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const [kind, a, b] = ["kind", "a", "b"].map((id) => document.getElementById(id));
  const summary = document.getElementById("summary");
  const figure = document.getElementById("difference");
  const table = document.getElementById("pairs");
  const column = { models: 1, allocators: 2, reconstructions: 3 };
  const percent = (share) => (100 * share).toFixed(2);
  const svg = (name, attributes, parent) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    parent.append(element);
    return element;
  };
  const element = (name, content, parent, className) => {
    const made = document.createElement(name);
    made.append(content);
    if (className) made.className = className;
    parent.append(made);
    return made;
  };

  const offer = () => {
    for (const select of [a, b]) select.replaceChildren(...data[kind.value].map((name) => new Option(name)));
    b.selectedIndex = Math.min(1, b.options.length - 1);
  };

  // All that a case is besides what is compared.
  const pairs = () => {
    const at = column[kind.value];
    const rest = (item) => item.slice(0, 5).filter((_, index) => index !== at).join(" ");
    const of = (select) => new Map(data.cases.filter((item) => item[at] === select.selectedIndex).map((item) => [rest(item), item]));
    const [first, second] = [of(a), of(b)];
    const both = [...first.keys()].filter((key) => second.has(key)).map((key) => [first.get(key), second.get(key)]);
    both.sort((x, y) => x[1][5] - x[0][5] - (y[1][5] - y[0][5]));
    return { both, alone: [first.size - both.length, second.size - both.length] };
  };

  const chart = (both) => {
    figure.querySelector("svg")?.remove();
    const differences = both.map(([x, y]) => 100 * (y[5] - x[5]));
    const reach = Math.max(1, ...differences.map(Math.abs));
    const drawing = svg("svg", { viewBox: "0 0 640 200", role: "group", "aria-label": "Differences in order; the table below has the numbers" }, figure);
    const y = (value) => 96 - (value / reach) * 84;
    const grid = svg("g", { class: "grid" }, drawing);
    for (const value of [reach, 0, -reach]) {
      svg("path", { d: `M52,${y(value)}H632` }, grid);
      svg("text", { x: 46, y: y(value), dy: "3.5", "text-anchor": "end" }, grid).textContent = value.toFixed(value ? 1 : 0);
    }
    both.forEach(([x, second], index) => {
      const value = differences[index];
      const left = 60 + (both.length > 1 ? (index / (both.length - 1)) * 564 : 282);
      const link = svg("a", { href: second[7], tabindex: -1, class: value < 0 ? "series s1" : "series s0" }, drawing);
      svg("path", { d: value < 0 ? `M${left},${y(value)}m-4,-3h8l-4,7z` : `M${left},${y(value)}m-4,3h8l-4,-7z` }, link);
      const title = `${data.models[second[1]]} at ${Math.round(100 * second[4])} %: ${value.toFixed(2)} points`;
      link.setAttribute("aria-label", title);
      svg("title", {}, link).textContent = title;
    });
    figure.hidden = false;
  };

  const show = () => {
    const { both, alone } = pairs();
    const others = alone[0] + alone[1];
    const missing = others ? ` ${others} cases of one have no counterpart of the other, and do not count.` : "";
    const body = table.tBodies[0];
    body.replaceChildren();
    figure.hidden = table.hidden = !both.length;
    if (!both.length) {
      summary.textContent = `No case of the one differs from a case of the other in nothing else.${missing}`;
      return;
    }
    const differences = both.map(([x, y]) => y[5] - x[5]);
    // Half a point is what the same case may differ by on another machine; seeds tell more, where there are several.
    const noise = ([x, y]) => (x[6] === null || y[6] === null ? 0.005 : 2 * Math.hypot(x[6], y[6]));
    const better = both.filter((pair, index) => differences[index] > noise(pair)).length;
    const worse = both.filter((pair, index) => -differences[index] > noise(pair)).length;
    const mean = differences.reduce((sum, value) => sum + value, 0) / both.length;
    summary.textContent = `Over ${both.length} cases of each, B is ${Math.abs(100 * mean).toFixed(2)} points ${mean < 0 ? "worse" : "better"} on average: better in ${better}, worse in ${worse}, the same within half a point or the spread of seeds in ${both.length - better - worse}.${missing}`;
    chart(both);
    const rest = { allocators: (item) => data.reconstructions[item[3]], reconstructions: (item) => data.allocators[item[2]], models: (item) => `${data.allocators[item[2]]} / ${data.reconstructions[item[3]]}` };
    both.forEach(([x, y], index) => {
      const row = element("tr", "", body);
      element("td", data.settings[y[0]], row);
      element("th", kind.value === "models" ? "both" : data.models[y[1]], row).scope = "row";
      element("td", rest[kind.value](y), row);
      element("td", String(Math.round(1000 * y[4]) / 10), row, "num");
      for (const item of [x, y]) {
        const link = document.createElement("a");
        link.href = item[7];
        link.textContent = percent(item[5]);
        element("td", link, row, "num");
      }
      element("td", (100 * differences[index]).toFixed(2), row, "num main");
    });
  };

  const save = () => {
    const state = new URLSearchParams({ kind: kind.value, a: a.value, b: b.value });
    history.replaceState(null, "", "#" + state);
    show();
  };
  const restore = () => {
    const wanted = new URLSearchParams(location.hash.slice(1));
    if (wanted.get("kind") in column) kind.value = wanted.get("kind");
    offer();
    for (const [select, name] of [[a, "a"], [b, "b"]]) {
      const place = data[kind.value].indexOf(wanted.get(name));
      if (place >= 0) select.selectedIndex = place;
    }
    show();
  };
  kind.addEventListener("change", () => {
    offer();
    save();
  });
  for (const select of [a, b]) select.addEventListener("change", save);
  document.getElementById("swap").addEventListener("click", () => {
    [a.selectedIndex, b.selectedIndex] = [b.selectedIndex, a.selectedIndex];
    save();
  });
  document.getElementById("choice").addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", restore);
  restore();
})();
