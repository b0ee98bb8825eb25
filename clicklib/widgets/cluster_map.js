// A column for each broker, a line for each partition, a box for each copy.

function open(el) {
  const title = node(el, "h4");
  const picture = drawing(el);
  const say = speaker(el);
  const complain = complainer(el);
  const row = 17;
  const left = 18;

  return (data, width) => {
    const brokers = Object.entries(data.brokers || {});
    const lines = Object.entries(data.partitions || {}).sort(([a], [b]) => a - b);
    const tasks = Object.entries(data.tasks || {});
    const size = Math.min(240, (width - left) / Math.max(1, brokers.length));
    const letters = Math.floor((size - 6) / 6.6);
    title.textContent = `${data.topic}: copies on ${brokers.length} brokers`;
    picture.replaceChildren();
    picture.setAttribute("height", (lines.length + 1 + tasks.length) * row + 4);
    const write = (index, y, text, kind) => {
      const place = { x: left + (index + 0.5) * size, y, "text-anchor": "middle", class: kind };
      node(node(picture, "svg:text", place, short(text, letters)), "svg:title", {}, text);
    };
    brokers.forEach(([number, state], index) => {
      const word = state === "alive" ? "" : ` ${state}`;
      write(index, 12, `broker ${number}${word}`, `title${state === "dead" ? " dead" : ""}`);
      tasks.forEach(([task, broker], line) => {
        if (String(broker) === number) write(index, (line + 2) * row - 5, task, "faint");
      });
    });
    const top = (1 + tasks.length) * row;
    lines.forEach(([partition, copies], line) => {
      const y = top + line * row;
      const name = { x: left - 5, y: y + 12, "text-anchor": "end" };
      node(picture, "svg:text", name, partition);
      copies.forEach((copy, index) => {
        if (!copy) return;
        const kind = `copy ${copy.replace(" ", "-").replace("?", "unknown")}`;
        const box = { x: left + index * size + 2, y: y + 1, width: size - 4, height: row - 3, rx: 2 };
        node(picture, "svg:rect", { ...box, class: kind });
        write(index, y + 12, copy, kind);
      });
    });
    const count = (index, word) => lines.filter(([, copies]) => copies[index] === word).length;
    const words = brokers.map(([number, state], index) => {
      const has = ["leader", "in step", "behind", "dead"].map((word) => [word, count(index, word)]);
      const text = has.filter(([, many]) => many).map(([word, many]) => `${many} ${word}`);
      return `broker ${number} ${state}, ${text.join(", ") || "no copy"}`;
    });
    const who = tasks.map(([task, broker]) => `${task} ${broker ?? "?"}`).join(", ");
    picture.setAttribute("aria-label", `Copies of ${data.topic}: ${words.join("; ")}; ${who}`);
    say(verdict(brokers, lines, tasks));
    complain(data);
  };

  function verdict(brokers, lines, tasks) {
    if (!brokers.length) return "Asking the cluster";
    if (brokers.some(([, state]) => state === "?")) return "? is not known: the cluster does not answer";
    const dead = brokers.filter(([, state]) => state === "dead").map(([number]) => number);
    const copies = lines.flatMap(([, each]) => each).filter(Boolean);
    const behind = copies.filter((copy) => copy === "behind" || copy === "dead").length;
    const headless = lines.filter(([, each]) => !each.includes("leader")).length;
    const missing = tasks.filter(([, broker]) => broker === null).map(([task]) => task);
    return [
      dead.length ? `Broker ${dead.join(" and ")} is dead` : "All brokers are alive",
      behind ? `${behind} of ${copies.length} copies are not in step` : "all copies are in step",
      headless ? `${headless} partitions have no leader` : "",
      missing.length ? `not known: ${missing.join(", ")}` : "",
    ].filter(Boolean).join("; ");
  }
}
