"use strict";
(() => {
  const $ = (selector, under = document) => under.querySelector(selector);
  const $$ = (selector, under = document) => [...under.querySelectorAll(selector)];
  const root = document.documentElement;
  root.classList.add("js");

  // A cell's evidence is the text of a noscript element until somebody opens it: a browser that runs this takes no time for it.
  const evidence = (id) => {
    const element = document.getElementById(id);
    if (!element) return null;
    if (element.localName !== "noscript") {
      const copy = element.cloneNode(true);
      copy.removeAttribute("id");
      return copy;
    }
    const template = document.createElement("template");
    template.innerHTML = element.textContent;
    return template.content.firstElementChild;
  };

  const panel = $("#panel");
  const table = $("table.matrix");
  if (!table) return;
  const heads = $$("thead th", table);
  const kernels = heads.map((head) => head.textContent);
  const columns = heads.map((head, column) => ({ head, name: kernels[column], shown: true }));
  const rows = $$("tbody tr", table).map((tr) => {
    const test = tr.cells[0].textContent;
    return { tr, test, suite: test.split("::")[0], shown: true, cells: [] };
  });
  const byNumber = new Map();
  const byName = new Map();
  const all = [];
  rows.forEach((row, y) => {
    columns.forEach((column, x) => {
      const td = row.tr.cells[x + 1];
      const link = td.firstElementChild;
      if (link.localName !== "a") {
        row.cells.push({ td, link: null, x, y, matches: false, shown: true });
        return;
      }
      const number = Number(link.hash.slice("#cell-".length));
      const word = link.textContent;
      const text = `${row.test} ${column.name} ${word} ${link.title}`.toLowerCase();
      const cell = { td, link, x, y, number, word, text, matches: true, shown: true, dim: false };
      row.cells.push(cell);
      all.push(cell);
      byNumber.set(number, cell);
      byName.set(`${row.test}@${column.name}`, cell);
    });
  });
  const failures = $$("#failures li[data-cell]").map((item) => ({ item, cell: byNumber.get(Number(item.dataset.cell)) }));

  const text = $("#find");
  const suite = $("#suite");
  const kernel = $("#kernel");
  const verdicts = $$("#verdicts input");
  const compact = $("#compact");
  const shown = $("#shown");

  // What the address says after its `#`, so that a view can be sent to somebody.
  const address = (open) => {
    const words = new URLSearchParams();
    if (text.value.trim()) words.set("text", text.value.trim());
    if (suite.value) words.set("suite", suite.value);
    if (kernel.value) words.set("kernel", kernel.value);
    const chosen = verdicts.filter((box) => box.checked).map((box) => box.value);
    if (chosen.length) words.set("verdict", chosen.join(","));
    if (compact.checked !== compact.defaultChecked) words.set("view", compact.checked ? "compact" : "wide");
    if (open) words.set("cell", `${rows[open.y].test}@${columns[open.x].name}`);
    return `#${words}`;
  };
  const remember = (open) => history.replaceState(null, "", address(open));

  const filter = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = new Set(verdicts.filter((box) => box.checked).map((box) => box.value));
    let count = 0;
    const inColumn = columns.map(() => false);
    for (const row of rows) {
      const rowFits = !suite.value || row.suite === suite.value;
      let any = false;
      for (const cell of row.cells) {
        if (!cell.link) continue;
        cell.matches = rowFits
          && (!kernel.value || columns[cell.x].name === kernel.value)
          && (!chosen.size || chosen.has(cell.word))
          && words.every((word) => cell.text.includes(word));
        if (cell.matches) {
          count += 1;
          any = true;
          inColumn[cell.x] = true;
        }
      }
      if (row.shown !== any) {
        row.shown = any;
        row.tr.hidden = !any;
      }
    }
    columns.forEach((column, x) => {
      if (column.shown === inColumn[x]) return;
      column.shown = inColumn[x];
      column.head.hidden = !column.shown;
      for (const row of rows) row.cells[x].td.hidden = !column.shown;
    });
    for (const cell of all) {
      if (cell.dim === cell.matches) {
        cell.dim = !cell.matches;
        cell.td.classList.toggle("dim", cell.dim);
      }
    }
    let listed = 0;
    for (const { item, cell } of failures) {
      item.hidden = !!cell && !cell.matches;
      if (!item.hidden) listed += 1;
    }
    const none = $("#no-failure");
    if (none) none.hidden = listed > 0;
    shown.textContent = count === all.length
      ? `${count} ${count === 1 ? "cell" : "cells"}`
      : `${count} of ${all.length} cells`;
    $("#none").hidden = count > 0;
    $("#reset").disabled = count === all.length && address().length < 2;
    if (!usable(resting)) first();
  };

  // One cell of the table takes part in the order of the Tab key; the arrow keys go on from there.
  let resting = null;
  const rest = (cell) => {
    if (resting) resting.link.tabIndex = -1;
    resting = cell || null;
    if (resting) resting.link.tabIndex = 0;
  };
  const usable = (cell) => cell && cell.link && columns[cell.x].shown && rows[cell.y].shown;
  const first = () => rest(all.find(usable));
  const step = (from, dx, dy) => {
    for (let x = from.x + dx, y = from.y + dy; rows[y] && rows[y].cells[x]; x += dx, y += dy) {
      if (usable(rows[y].cells[x])) return rows[y].cells[x];
    }
    return null;
  };
  const end = (from, dx, dy) => {
    let last = null;
    for (let next = step(from, dx, dy); next; next = step(next, dx, dy)) last = next;
    return last;
  };
  const moves = {
    ArrowLeft: (cell) => step(cell, -1, 0),
    ArrowRight: (cell) => step(cell, 1, 0),
    ArrowUp: (cell) => step(cell, 0, -1),
    ArrowDown: (cell) => step(cell, 0, 1),
    Home: (cell) => end(cell, -1, 0),
    End: (cell) => end(cell, 1, 0),
    PageUp: (cell) => end(cell, 0, -1),
    PageDown: (cell) => end(cell, 0, 1),
  };
  for (const cell of all) cell.link.tabIndex = -1;
  table.addEventListener("keydown", (event) => {
    const link = event.target.closest("td a");
    const move = moves[event.key];
    if (!link || !move || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const to = move(byNumber.get(Number(link.hash.slice("#cell-".length))));
    if (!to) return;
    rest(to);
    to.link.focus();
    to.td.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
  table.addEventListener("focusin", (event) => {
    const link = event.target.closest("td a");
    if (link) rest(byNumber.get(Number(link.hash.slice("#cell-".length))));
  });

  let open = null;
  const copied = (button, done) => {
    button.textContent = done ? "Copied" : "Select it by hand";
    $("#said").textContent = button.textContent;
  };
  const show = (cell) => {
    const content = cell && evidence(`cell-${cell.number}`);
    if (!content) return;
    open = cell;
    const about = evidence(`about-${content.dataset.test}`);
    $("#evidence-of").replaceChildren(content, ...(about ? [about] : []));
    for (const code of $$("dd code", panel)) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Copy";
      button.setAttribute("aria-label", `Copy: ${code.textContent}`);
      button.addEventListener("click", () => {
        const to = navigator.clipboard;
        if (!to) return copied(button, false);
        to.writeText(code.textContent).then(() => copied(button, true), () => copied(button, false));
      });
      code.after(" ", button);
    }
    if (!panel.open) panel.showModal();
    $("#evidence-of").scrollTop = 0;
    const title = $("h4", panel);
    title.id = "panel-title";
    title.tabIndex = -1;
    title.focus();
    remember(cell);
  };
  const neighbour = (by) => {
    const matching = all.filter((cell) => cell.matches);
    const at = matching.indexOf(open);
    return at < 0 ? null : matching[at + by];
  };
  $("#close").addEventListener("click", () => panel.close());
  $("#previous").addEventListener("click", () => show(neighbour(-1)));
  $("#next").addEventListener("click", () => show(neighbour(1)));
  panel.addEventListener("close", () => {
    const cell = open;
    open = null;
    remember(null);
    if (cell && usable(cell)) {
      rest(cell);
      cell.link.focus();
    }
  });
  panel.addEventListener("click", (event) => {
    if (event.target === panel) panel.close();
  });
  panel.addEventListener("keydown", (event) => {
    if (event.target.closest("input, textarea") || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "n") show(neighbour(1));
    if (event.key === "p") show(neighbour(-1));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || panel.open || event.target.closest("input, select, textarea")) return;
    event.preventDefault();
    text.focus();
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#cell-']");
    if (!link || event.ctrlKey || event.shiftKey || event.metaKey) return;
    event.preventDefault();
    show(byNumber.get(Number(link.hash.slice("#cell-".length))));
  });

  const narrow = () => {
    table.classList.toggle("compact", compact.checked);
  };
  const changed = () => {
    filter();
    remember(open);
  };
  text.addEventListener("input", changed);
  for (const control of [suite, kernel, ...verdicts]) control.addEventListener("change", changed);
  compact.addEventListener("change", () => {
    narrow();
    remember(open);
  });
  $("#reset").addEventListener("click", () => {
    text.value = "";
    suite.value = "";
    kernel.value = "";
    for (const box of verdicts) box.checked = false;
    changed();
    text.focus();
  });

  const follow = () => {
    const hash = location.hash.slice(1);
    const numbered = hash.match(/^cell-(\d+)$/);
    if (numbered) return show(byNumber.get(Number(numbered[1])));
    if (hash && !hash.includes("=")) return undefined;
    const words = new URLSearchParams(hash);
    text.value = words.get("text") || "";
    suite.value = words.get("suite") || "";
    kernel.value = words.get("kernel") || "";
    const chosen = (words.get("verdict") || "").split(",");
    for (const box of verdicts) box.checked = chosen.includes(box.value);
    compact.checked = words.has("view") ? words.get("view") === "compact" : compact.defaultChecked;
    narrow();
    filter();
    const cell = byName.get(words.get("cell"));
    if (cell) show(cell);
    return undefined;
  };
  window.addEventListener("hashchange", follow);
  narrow();
  filter();
  follow();
})();
