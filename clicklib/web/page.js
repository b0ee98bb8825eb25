const body = document.querySelector("tbody");
const prefix = document.querySelector("input");
const report = document.querySelector("[role=status]");
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
    const answer = await (await fetch("?prefix=" + encodeURIComponent(asked))).json();
    if (asked === prefix.value) draw(answer);
  } catch { say("No answer from the endpoint"); }
}
async function repeat() { await update(); setTimeout(repeat, 1000); }
prefix.addEventListener("input", update);
repeat();
