// The parts that a click passes, as boxes with arrows between them.

function open(el) {
  const picture = drawing(el);
  const complain = complainer(el);
  const [gap, height] = [26, 74];

  return (data, width) => {
    const nodes = data.nodes || [];
    const size = (width - gap * (nodes.length - 1) - 2) / Math.max(1, nodes.length);
    const letters = Math.floor(size / 6.4);
    picture.replaceChildren();
    picture.setAttribute("height", height + 2);
    nodes.forEach((part, index) => {
      const x = 1 + index * (size + gap);
      const box = { x, y: 1, width: size, height, rx: 5, class: `part ${part.level}` };
      node(node(picture, "svg:rect", box), "svg:title", {}, `${part.part} ${part.name}`);
      const line = (y, text, kind) => {
        const place = { x: x + size / 2, y, "text-anchor": "middle", class: kind };
        node(picture, "svg:text", place, short(text, letters));
      };
      line(17, part.part, "title");
      line(32, part.name || part.note || "", "faint");
      line(49, part.state, `state ${part.level}`);
      line(66, [part.rate, part.name && part.note].filter(Boolean).join(" · "), "");
      if (index) arrow(x - gap, nodes[index - 1], part);
    });
    const words = nodes.map((part) => `${part.part} ${part.state} ${part.rate}`.trim());
    picture.setAttribute("aria-label", `The way of a click: ${words.join(", then ")}`);
    complain(data);
  };

  function arrow(x, from, to) {
    const moves = to.rate && to.rate !== "0/s" && from.level !== "failed";
    const y = height / 2;
    const path = `M${x + 3},${y} h${gap - 10} m-5,-5 l6,5 l-6,5`;
    node(picture, "svg:path", { d: path, class: moves ? "arrow moves" : "arrow" });
  }
}
