// Tables that sort by a click on a head: numbers by size, words by letter, what is missing last.
function sorted(table, column, order) {
  const body = table.tBodies[0], value = (row) => row.cells[column].dataset.v;
  const numeric = [...body.rows].every((row) => value(row) === "" || !Number.isNaN(Number(value(row))));
  const compare = (a, b) => {
    const x = value(a), y = value(b);
    if (x === "" || y === "") return (x === "") - (y === "");
    return (numeric ? Number(x) - Number(y) : x.localeCompare(y)) * (order === "up" ? 1 : -1);
  };
  body.append(...[...body.rows].sort(compare));
}

for (const table of document.querySelectorAll("table.sortable")) {
  for (const button of table.querySelectorAll("button.sort")) {
    button.addEventListener("click", () => {
      const head = button.parentElement, was = head.getAttribute("aria-sort"), first = button.dataset.first;
      const order = was === null ? first : was === "descending" ? "up" : "down";
      for (const other of table.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", order === "up" ? "ascending" : "descending");
      sorted(table, head.cellIndex, order);
    });
  }
}
