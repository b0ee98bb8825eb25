// The figures of all clicks, one verdict in words, and a strip over time with marks.

function open(el) {
  const titles = {
    sent: "by the emitters of this kernel",
    acknowledged: "of those sent here: Kafka has them",
    others: "in the stream, sent by other programs and in earlier runs",
    waiting: "in the stream, not counted yet",
    counted: "by the table",
    lost: "committed by the group, but not counted, or not in the stream any more",
    twice: "counted once more than they are in the stream",
  };
  const list = node(el, "dl", { class: "figures" });
  const cells = {};
  for (const [name, title] of Object.entries(titles)) {
    const cell = node(list, "div", { title });
    node(cell, "dt", {}, name);
    cells[name] = node(cell, "dd", {}, "?");
  }
  const picture = drawing(el);
  const say = speaker(el);
  const complain = complainer(el);
  const kernel = clock();

  function verdict({ figures, level, why }) {
    const { lost, twice } = figures;
    if (lost === null || twice === null) return `? is not known: ${why || "a row is on its way"}`;
    if (lost || twice) return `Lost ${number(lost)}, counted twice ${number(twice)}`;
    const waiting = level === "waiting" ? "; clicks wait to be counted" : "";
    return `No click is lost, none is counted twice${waiting}`;
  }

  function draw(data, width) {
    if (!data.figures) return complain(data);
    const now = kernel(data.now);
    for (const [name, value] of Object.entries(data.figures)) {
      const bad = (name === "lost" || name === "twice") && value;
      const kind = value === null ? "unknown" : bad ? "wrong" : "";
      cells[name].textContent = value === null ? "?" : number(value);
      cells[name].parentElement.className = kind;
    }
    const begin = Math.max(data.strip[0][1], now - data.window);
    const scale = (width - 2) / Math.max(30, now - begin);
    const place = (time) => 1 + Math.max(0, time - begin) * scale;
    picture.replaceChildren();
    data.strip.forEach(([level, start], index) => {
      const x = place(start);
      const length = place(data.strip[index + 1]?.[1] ?? now) - x;
      const box = { x, y: 1, width: Math.max(0, length), height: 12, class: `span ${level}` };
      node(picture, "svg:rect", box);
      const words = { wrong: "wrong", waiting: "waiting", unknown: "?", even: "" }[level];
      if (length > 8 + 6 * words.length) node(picture, "svg:text", { x: x + 4, y: 11 }, words);
    });
    const ends = []; // of the words in each line below the strip
    for (const [time, text] of data.marks) {
      if (time < begin) continue;
      const x = place(time);
      const long = 6.2 * text.length + 14;
      const from = x > width / 2 ? x - long : x;
      let line = ends.findIndex((end) => end < from);
      if (line < 0) line = ends.length;
      ends[line] = from + long;
      node(picture, "svg:path", { d: `M${x},0 v${16 + 13 * line}`, class: "mark" });
      const end = x > width / 2 ? "end" : "start";
      node(picture, "svg:text", { x, y: 26 + 13 * line, "text-anchor": end }, `↑ ${text}`);
    }
    picture.setAttribute("height", 14 + (ends.length ? 1 + 13 * ends.length : 0));
    const marks = data.marks.map(([time, text]) => `${text} ${Math.round(now - time)} s ago`);
    const words = [`now ${data.level}`, ...marks].join(", ");
    picture.setAttribute("aria-label", `The clicks over ${Math.round(now - begin)} s: ${words}`);
    say(verdict(data));
    complain(data);
  }

  draw.everySecond = true;
  return draw;
}
