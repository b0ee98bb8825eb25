// Bars of clicks by user, one below the other.

function open(el) {
  const picture = drawing(el);
  const say = speaker(el);
  const complain = complainer(el);
  const row = 17;

  return (data, width) => {
    const bars = data.bars || [];
    const most = Math.max(1, ...bars.map(([, clicks]) => clicks));
    const left = 84;
    const room = Math.max(20, width - left - 64);
    picture.replaceChildren();
    picture.setAttribute("height", Math.max(1, bars.length) * row);
    bars.forEach(([user, clicks], index) => {
      const y = index * row;
      const label = { x: left - 6, y: y + 12, "text-anchor": "end" };
      node(node(picture, "svg:text", label, short(user, 11)), "svg:title", {}, user);
      const length = Math.max(clicks > 0 ? 1 : 0, (clicks / most) * room);
      node(picture, "svg:rect", { x: left, y: y + 2, width: length, height: row - 4, class: "bar" });
      node(picture, "svg:text", { x: left + length + 5, y: y + 12 }, number(clicks));
    });
    const [users, clicks] = data.others || [0, 0];
    const rest = users ? `; ${number(users)} others have ${number(clicks)}` : "";
    const stale = data.state && data.state !== "running" ? `; the view is ${data.state}` : "";
    const total = `Clicks: ${number(data.total || 0)} by ${number(data.users || 0)} user${data.users === 1 ? "" : "s"}`;
    picture.setAttribute("aria-label", `${total}: ${bars.map((bar) => bar.join(" ")).join(", ")}`);
    say(total + rest + stale);
    complain(data);
  };
}
