// The rows of a table. A row keeps its HTML element, so that it keeps the keyboard's focus.

function open(el, model) {
  const frame = node(el, "div", { class: "table" });
  const table = node(frame, "table");
  const head = node(node(table, "thead"), "tr");
  const body = node(table, "tbody");
  const headings = {};
  for (const [sort, text] of [["key", "user"], ["count", "clicks"]]) {
    const cell = node(head, "th", { scope: "col", class: sort === "count" ? "number" : "" });
    const button = node(cell, "button", { type: "button" }, text);
    button.onclick = () => tell(model, { sort });
    headings[sort] = button;
  }
  node(head, "th", { scope: "col" }, "value");
  const detail = speaker(el);
  const note = node(el, "p", { class: "faint" });
  const complain = complainer(el);
  const known = new Map();

  function make(key) {
    const row = document.createElement("tr");
    const button = node(node(row, "th", { scope: "row" }), "button", { type: "button" }, key);
    button.onclick = () => tell(model, { select: key });
    node(row, "td", { class: "number" });
    node(row, "td");
    return row;
  }

  function write(cell, text) {
    if (cell.textContent !== text) cell.textContent = text;
  }

  return (data) => {
    const focused = document.activeElement;
    const rows = data.rows || [];
    const keys = new Set(rows.map(([key]) => key));
    for (const [key, row] of known) {
      if (keys.has(key)) continue;
      row.remove();
      known.delete(key);
    }
    rows.forEach(([key, clicks, value], index) => {
      if (!known.has(key)) known.set(key, make(key));
      const row = known.get(key);
      if (body.children[index] !== row) body.insertBefore(row, body.children[index] || null);
      write(row.children[1], number(clicks));
      write(row.children[2], value);
      row.classList.toggle("selected", key === data.selected);
      row.querySelector("button").setAttribute("aria-pressed", key === data.selected);
    });
    if (body.contains(focused)) focused.focus();
    for (const [sort, button] of Object.entries(headings)) {
      const order = sort === "key" ? "ascending" : "descending";
      button.parentElement.setAttribute("aria-sort", sort === data.sort ? order : "none");
    }
    const rest = data.more ? `and ${number(data.more)} more` : "";
    const stale = data.state && data.state !== "running" ? `the view is ${data.state}` : "";
    note.textContent = [rest, stale].filter(Boolean).join("; ");
    detail(data.detail || "Press a user to see its partition and offset.");
    complain(data);
  };
}
