"use strict";

// The theme labels neither its two side bars, nor the level of its menu headings, nor the search
// results. Screen readers need these labels.
function nameParts() {
  const found = document.querySelector("#search-results");
  if (found) found.insertAdjacentHTML("beforebegin", "<h1>Search</h1>");
  document.querySelector(".sidebar-drawer")?.setAttribute("aria-label", "Pages");
  document.querySelector(".toc-drawer")?.setAttribute("aria-label", "On this page");
  for (const caption of document.querySelectorAll("p.caption[role=heading]")) {
    caption.setAttribute("aria-level", "2");
  }
}

// Each cell gets the name of its column, which a phone shows above it (site.css). The roles restore
// those that a browser drops when a table is not laid out as one.
function nameCells(table) {
  const columns = [...table.querySelectorAll("thead th")].map((cell) => cell.textContent.trim());
  const roles = {
    table: [table],
    rowgroup: table.querySelectorAll("thead, tbody"),
    row: table.querySelectorAll("tr"),
    columnheader: table.querySelectorAll("th"),
    cell: table.querySelectorAll("td"),
  };
  for (const [role, elements] of Object.entries(roles)) {
    for (const element of elements) element.setAttribute("role", role);
  }
  for (const row of table.querySelectorAll("tbody tr")) {
    [...row.children].forEach((cell, number) => {
      if (columns[number]) cell.dataset.column = columns[number];
    });
  }
}

document.addEventListener("DOMContentLoaded", () => {
  nameParts();
  document.querySelectorAll("table.docutils").forEach(nameCells);
});
