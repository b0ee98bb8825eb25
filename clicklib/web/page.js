const body = document.querySelector("tbody");
const prefix = document.querySelector("input");
const report = document.querySelector("[role=status]");
// A number keeps its digits: a browser's own would round 9007199254740993 and cut 1.50.
function exact(_, value, context) {
  const kept = typeof value === "number" && context && JSON.rawJSON;
  return kept ? JSON.rawJSON(context.source) : value;
}
function say(text) { if (report.textContent !== text) report.textContent = text; }
function draw({users, more, state, error}) {
  if (!users) return say(error);
  while (body.rows.length > users.length) body.deleteRow(-1);
  users.forEach(({key, href, value}, i) => {
    let row = body.rows[i];
    if (!row) {
      row = body.insertRow();
      const head = document.createElement("th");
      head.scope = "row";
      head.append(document.createElement("a"));
      row.append(head, document.createElement("td"));
    }
    const link = row.querySelector("a");
    link.textContent = key === "" ? "(empty)" : key;
    link.setAttribute("href", href);
    row.cells[1].textContent = JSON.stringify(value);
  });
  const count = users.length + (users.length === 1 ? " user" : " users");
  say((more ? "The first " : "") + count + (state === "running" ? "" : ", " + state));
}
async function update() {
  const asked = prefix.value;
  try {
    const answer = await (await fetch("?prefix=" + encodeURIComponent(asked))).text();
    if (asked === prefix.value) draw(JSON.parse(answer, exact));
  } catch { say("No answer from the endpoint"); }
}
async function repeat() { await update(); setTimeout(repeat, 1000); }
prefix.addEventListener("input", update);
repeat();
