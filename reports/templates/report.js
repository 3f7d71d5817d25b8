"use strict";
(function () {
  const root = document.documentElement;
  root.classList.add("script");
  const all = (where, what) => Array.from(where.querySelectorAll(what));

  // Tables: a click on a heading sorts, another one turns the order round.
  for (const table of all(document, "table.sortable")) {
    all(table, "thead th").forEach((th, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = th.textContent;
      th.textContent = "";
      th.append(button);
      button.addEventListener("click", () => {
        const down = th.getAttribute("aria-sort") !== "descending";
        all(table, "thead th").forEach((other) => other.removeAttribute("aria-sort"));
        th.setAttribute("aria-sort", down ? "descending" : "ascending");
        const value = (tr) => {
          const text = tr.cells[column].textContent.trim();
          const number = parseFloat(text.replace(/[,\s%]/g, ""));
          return Number.isNaN(number) ? text.toLowerCase() : number;
        };
        const sign = down ? -1 : 1;
        const compare = (a, b) => {
          const x = value(a), y = value(b);
          if (typeof x !== typeof y) return typeof x === "number" ? -1 : 1;
          return sign * (x < y ? -1 : x > y ? 1 : 0);
        };
        const body = table.tBodies[0];
        body.append(...Array.from(body.rows).sort(compare));
      });
    });
  }

  // Samples: a search field and a choice of source over all of them.
  const search = document.getElementById("search");
  const source = document.getElementById("source");
  const found = document.getElementById("found");
  const rows = all(document, document.getElementById("samples") ? "#samples article.row" : "article.row");
  let filter = () => {};
  if (search && source) {
    const texts = rows.map((row) => row.textContent.toLowerCase());
    const folds = all(document, "#samples details.samples");
    const open = folds.map((fold) => fold.open);
    for (const name of Array.from(new Set(rows.map((row) => row.dataset.source))).sort()) {
      const option = document.createElement("option");
      option.textContent = option.value = name;
      source.append(option);
    }
    filter = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      rows.forEach((row, n) => {
        const fits = words.every((word) => texts[n].includes(word)) && (!source.value || row.dataset.source === source.value);
        row.hidden = !fits;
        shown += fits ? 1 : 0;
      });
      const active = words.length > 0 || source.value !== "";
      folds.forEach((fold, n) => {
        const any = all(fold, "article.row").some((row) => !row.hidden);
        fold.hidden = active && !any;
        fold.open = active ? any : open[n];
      });
      found.textContent = active ? shown + " of " + rows.length + " rows" : rows.length + " rows";
    }
    search.addEventListener("input", filter);
    source.addEventListener("change", filter);
    filter();
  }

  // Keys: / searches, j and k go from row to row and from page to page, x notes why a row is left out, Escape
  // clears.
  rows.forEach((row) => { row.tabIndex = -1; });
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "Escape" && event.target === search) { search.value = ""; filter(); search.blur(); return; }
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/" && search) { event.preventDefault(); search.focus(); return; }
    const here = rows.filter((row) => row.offsetParent !== null);
    const at = here.indexOf(document.activeElement);
    if (event.key === "x") {
      const row = here[at] || (here.length === 1 ? here[0] : null);
      const notes = row ? all(document, "input[name=note]").filter((note) => row.compareDocumentPosition(note) & Node.DOCUMENT_POSITION_FOLLOWING) : [];
      if (notes.length) { event.preventDefault(); notes[0].focus(); }
      return;
    }
    if (event.key !== "j" && event.key !== "k") return;
    const down = event.key === "j";
    const page = document.querySelector(down ? "a[rel=next]" : "a[rel=prev]");
    const next = here[down ? at + 1 : at - 1];
    if (page && (!next || here.length === 1)) { page.click(); return; }
    const to = next || here[down ? 0 : here.length - 1];
    if (to) { to.focus(); to.scrollIntoView({ block: "start" }); }
  });
})();
