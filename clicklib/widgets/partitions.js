// A row for each partition: its owners over time, from left to right, and its lag.

function open(el) {
  const picture = drawing(el);
  const members = node(el, "ul", { class: "members" });
  const say = speaker(el);
  const complain = complainer(el);
  const row = 16;
  const kernel = clock();

  function draw(data, width) {
    const now = kernel(data.now);
    const strips = Object.entries(data.strips || {}).sort(([a], [b]) => a - b);
    const [left, right] = [18, width - 60];
    const first = Math.min(...strips.map(([, parts]) => (parts.length ? parts[0][1] : now)));
    const begin = Math.max(first, now - data.window);
    const scale = (right - left) / Math.max(30, now - begin); // 30 s fill the width; a longer time is compressed
    picture.replaceChildren();
    picture.setAttribute("height", strips.length * row + 16);
    strips.forEach(([partition, parts], index) => {
      const y = index * row;
      node(picture, "svg:text", { x: left - 5, y: y + 12, "text-anchor": "end" }, partition);
      for (const [owner, start, end] of parts) {
        const x = left + Math.max(0, start - begin) * scale;
        const length = left + ((end ?? now) - begin) * scale - x;
        if (length <= 0) continue;
        const [paper, ink] = data.colours[owner] || ["none", "none"];
        const box = { x, y: y + 1, width: length, height: row - 2, class: owner ? "" : "nobody" };
        node(picture, "svg:rect", owner ? { ...box, fill: paper } : box);
        const label = { x: x + 3, y: y + 12, style: `fill:${ink}` };
        if (length > 10) node(picture, "svg:text", label, owner);
      }
      const lag = data.lags[partition] || 0;
      const beside = { x: right + 6, y: y + 12, class: lag ? "lag" : "" };
      node(picture, "svg:text", beside, `lag ${number(lag)}`);
    });
    const y = strips.length * row + 12;
    if (strips.length) {
      node(picture, "svg:text", { x: left, y, class: "faint" }, `${Math.round(now - begin)} s ago`);
      const end = { x: left + (now - begin) * scale, y, class: "faint", "text-anchor": "end" };
      if (now - begin > 10) node(picture, "svg:text", end, "now");
    }
    list(data);
  }

  function list(data) {
    const all = data.members || [];
    members.replaceChildren();
    for (const member of all) {
      const item = node(members, "li", { title: `${member.id} on ${member.host}` });
      const [paper, ink] = data.colours[member.letter];
      node(item, "b", { style: `background:${paper};color:${ink}` }, member.letter);
      node(item, "span", {}, member.partitions ? ` ${member.partitions}` : " idle");
    }
    const owners = all.map((each) => `${each.letter} ${each.partitions || "idle"}`).join("; ");
    const lag = Object.values(data.lags || {}).reduce((sum, each) => sum + each, 0);
    picture.setAttribute("aria-label", `Owners of the partitions: ${owners || "nobody"}; lag ${lag}`);
    const count = all.length === 1 ? "1 member" : `${all.length} members`;
    const states = { Stable: "", Empty: "", Dead: "" };
    const rebalancing = states[data.state] ?? ", rebalancing";
    say(data.state ? `${data.group}: ${count}${rebalancing}` : `${data.group}: asking Kafka`);
    complain(data);
  }

  draw.everySecond = true;
  return draw;
}
