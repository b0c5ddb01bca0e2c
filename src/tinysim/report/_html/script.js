"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // The theme follows the system until the button is pressed.
  const root = document.documentElement;
  const theme = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
  const tell = () => theme.setAttribute("aria-pressed", String(isDark()));
  theme.hidden = false;
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    tell();
  });
  system.addEventListener("change", tell);
  tell();

  // Tables: a heading sorts its column, numbers from the largest, and turns round when pressed again.
  for (const table of all("table.sortable")) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const valueOf = (row, column) => {
      const cell = row.cells[column];
      return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
    };
    all("thead th", table).forEach((heading, column) => {
      heading.querySelector("button").addEventListener("click", () => {
        const isNumber = rows.length > 0 && typeof valueOf(rows[0], column) === "number";
        const before = heading.getAttribute("aria-sort");
        const first = isNumber ? "descending" : "ascending";
        const second = isNumber ? "ascending" : "descending";
        const order = before === first ? second : first;
        for (const other of all("thead th", table)) other.setAttribute("aria-sort", "none");
        heading.setAttribute("aria-sort", order);
        const sign = order === "ascending" ? 1 : -1;
        const compare = (a, b) => (isNumber ? a - b : a.localeCompare(b, "en", { numeric: true }));
        const sorted = rows.slice().sort(
          (a, b) => sign * compare(valueOf(a, column), valueOf(b, column)));
        body.append(...sorted);
      });
    });
  }

  const filter = document.getElementById("filter");
  const shown = document.getElementById("shown");
  const layers = [...document.getElementById("layer-table").tBodies[0].rows];
  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/);
    let count = 0;
    for (const row of layers) {
      const name = row.querySelector("th").title;
      const text = (name + " " + row.textContent).toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      count += row.hidden ? 0 : 1;
    }
    shown.textContent = count === layers.length
      ? `${count} layers` : `${count} of ${layers.length} layers`;
  });
  // A link to a layer that is filtered away shows all of them again.
  addEventListener("hashchange", () => {
    const row = document.querySelector("tr:target");
    if (row && row.hidden) {
      filter.value = "";
      filter.dispatchEvent(new Event("input"));
      row.scrollIntoView();
    }
  });

  // The flame graph: one frame fills the width, what calls it lies above, the rest is out of sight.
  const flame = document.querySelector(".flame");
  if (flame) {
    const chosen = document.querySelector(".chosen");
    const frames = all(".frame", flame).map((node) => ({
      node,
      start: Number(node.dataset.start),
      width: Number(node.dataset.width),
      depth: Number(node.dataset.depth),
    }));
    const tiny = 1e-6;
    let zoomed = frames[0];
    const show = (frame) => {
      zoomed = frame;
      for (const one of frames) {
        const left = (one.start - frame.start) / frame.width;
        const right = left + one.width / frame.width;
        one.node.hidden = right <= tiny || left >= 1 - tiny;
        const low = Math.max(0, left);
        one.node.style.left = `${100 * low}%`;
        one.node.style.width = `${100 * (Math.min(1, right) - low)}%`;
      }
      fit();
      chosen.textContent = frame === frames[0] ? "" : frame.node.title;
    };
    const fit = () => {
      for (const one of frames) {
        one.node.classList.toggle("narrow", one.node.clientWidth < 28);
      }
    };
    const visible = () => frames.filter((one) => !one.node.hidden);
    const inside = (one, other) =>
      one.start >= other.start - tiny && one.start + one.width <= other.start + other.width + tiny;
    const next = (frame, key) => {
      const around = visible();
      const row = around.filter((one) => one.depth === frame.depth);
      const at = row.indexOf(frame);
      if (key === "ArrowLeft") return row[at - 1];
      if (key === "ArrowRight") return row[at + 1];
      const step = key === "ArrowDown" ? 1 : -1;
      return around.find((one) => one.depth === frame.depth + step
        && (step > 0 ? inside(one, frame) : inside(frame, one)));
    };
    const focus = (frame) => {
      for (const one of frames) one.node.tabIndex = one === frame ? 0 : -1;
      frame.node.focus();
    };
    flame.addEventListener("click", (event) => {
      const frame = frames.find((one) => one.node === event.target);
      if (frame) {
        show(frame === zoomed ? frames[0] : frame);
        focus(frame);
      }
    });
    flame.addEventListener("keydown", (event) => {
      const frame = frames.find((one) => one.node === event.target);
      if (event.key === "Escape") {
        show(frames[0]);
      } else if (frame && event.key.startsWith("Arrow")) {
        event.preventDefault();
        const found = next(frame, event.key);
        if (found) focus(found);
      }
    });
    addEventListener("resize", fit);
    fit();
  }
})();
