// The parts that a click passes, as boxes with arrows between them, and dots for clicks on their way.

function open(el) {
  const picture = drawing(el);
  const boxes = node(picture, "svg:g");
  const dots = node(picture, "svg:g", { "aria-hidden": "true" });
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const most = 3; // dots for what one drawing brings: more of them look alike, and cost
  const steps = 6; // of a dot on its way
  let counts = []; // of the last drawing
  let moving = []; // the dots, and the step at which each of them is
  let ticking; // while there are any
  const complain = complainer(el);
  const [gap, height] = [26, 74];

  return (data, width) => {
    const nodes = data.nodes || [];
    const size = (width - gap * (nodes.length - 1) - 2) / Math.max(1, nodes.length);
    const letters = Math.floor(size / 6.4);
    boxes.replaceChildren();
    picture.setAttribute("height", height + 2);
    nodes.forEach((part, index) => {
      const x = 1 + index * (size + gap);
      const box = { x, y: 1, width: size, height, rx: 5, class: `part ${part.level}` };
      node(node(boxes, "svg:rect", box), "svg:title", {}, `${part.part} ${part.name}`);
      const line = (y, text, kind) => {
        const place = { x: x + size / 2, y, "text-anchor": "middle", class: kind };
        node(boxes, "svg:text", place, short(text, letters));
      };
      line(17, part.part, "title");
      line(32, part.name || part.note || "", "faint");
      line(49, part.state, `state ${part.level}`);
      line(66, [part.rate, part.name && part.note].filter(Boolean).join(" · "), "");
      if (index) arrow(x - gap, nodes[index - 1], part);
      if (index) move(x - gap, index, part.count - counts[index]);
    });
    counts = nodes.map((part) => part.count);
    const words = nodes.map((part) => `${part.part} ${part.state} ${part.rate}`.trim());
    picture.setAttribute("aria-label", `The way of a click: ${words.join(", then ")}`);
    complain(data);
  };

  function arrow(x, from, to) {
    const moves = to.rate && to.rate !== "0/s" && from.level !== "failed";
    const y = height / 2;
    const path = `M${x + 3},${y} h${gap - 10} m-5,-5 l6,5 l-6,5`;
    node(boxes, "svg:path", { d: path, class: moves ? "arrow moves" : "arrow" });
  }

  // So many more records have come into a part. A click is drawn in one part after the other.
  function move(x, index, more) {
    if (!(more > 0) || calm.matches || moving.length > 40) return;
    for (let each = 0; each < Math.min(more, most); each++) {
      moving.push({ x, step: -2 * (index + each) });
    }
    ticking ||= setInterval(tick, 80); // an animation would cost the browser twice as much
  }

  function tick() {
    for (const each of moving) {
      each.step += 1;
      if (each.step < 0) continue;
      each.dot ||= node(dots, "svg:circle", { cy: height / 2, r: 3, class: "dot" });
      each.dot.setAttribute("cx", each.x + (gap * each.step) / steps);
      if (each.step === steps) each.dot.remove();
    }
    moving = moving.filter((each) => each.step < steps);
    if (!moving.length) ticking = clearInterval(ticking);
  }
}
