// A waterfall: for each stretch of a click's way a bar from its begin, and below it the median.

function open(el, model) {
  const keys = node(el, "div", { class: "keys", role: "group", "aria-label": "One click, timed" });
  const press = (text, press) => key(keys, text, () => tell(model, { press }));
  const choice = (label, options) => {
    const select = node(keys, "select", { "aria-label": label });
    for (const [value, text] of options) node(select, "option", { value }, text);
    select.onchange = () => tell(model, { choose: [chosen[0].value, Number(chosen[1].value)] });
    return select;
  };
  const buttons = [press("Click", 1), press("Click 100 times", 100)];
  const guarantees = ["at_least_once", "exactly_once"].map((each) => [each, each.replaceAll("_", " ")]);
  const lingers = [0, 5, 50].map((each) => [each, `linger ${each} ms`]);
  const chosen = [choice("guarantee of the processor", guarantees), choice("linger", lingers)];
  const say = speaker(el);
  const picture = drawing(el);
  const totals = node(el, "ul");
  const complain = complainer(el);
  const [left, right, row] = [92, 116, 19];
  const digits = (value) => (value < 0.01 ? "<0.01" : value.toFixed(value < 9.95 ? 2 : 0));
  const ms = (value) => (value === null ? "?" : digits(value));
  let told = "";

  return (data, width) => {
    const { choice: now, stretches: all = [] } = data;
    if (!now) return complain(data);
    chosen.forEach((select, index) => {
      if (document.activeElement !== select) select.value = now[index];
    });
    buttons.forEach((button) => button.setAttribute("aria-disabled", !data.ready));
    // The last stretch waits for the painter, so it may be ten times as long as all others.
    const ends = all.slice(0, -1).map((each) => each.begin + Math.max(each.ms, each.median));
    const room = width - right;
    const words = Math.min(240, (room - left) * 0.35); // room for the words of the longest bars
    const scale = (room - left - words) / Math.max(1, ...ends);
    picture.replaceChildren();
    picture.setAttribute("height", (all.length + 1) * row);
    const write = (x, y, text, options = {}) => node(picture, "svg:text", { x, y, ...options }, text);
    const numbers = { "text-anchor": "end" };
    write(width - 58, 13, "this", { ...numbers, class: "title" });
    write(width - 2, 13, "median", { ...numbers, class: "title" });
    all.forEach(({ name, begin, ms: length, median, what }, index) => {
      const y = (index + 1) * row;
      node(write(left - 6, y + 13, name, numbers), "svg:title", {}, what);
      const x = Math.min(room, left + begin * scale);
      const bar = (length, y, height, kind) => {
        if (begin === null || length === null) return x;
        const end = Math.min(room, left + (begin + length) * scale);
        const box = { x, y, width: Math.max(1, end - x), height, class: kind };
        node(picture, "svg:rect", box);
        return end;
      };
      const end = Math.max(bar(length, y + 3, 9, "bar"), bar(median, y + 13, 3, "median"));
      if (end === room) write(room + 1, y + 11, "→");
      const long = 10 + 6 * what.length; // pixels of the words, which stand where there is room
      if (end + long < room) write(end + 5, y + 13, what, { class: "faint" });
      else if (left + long < x) write(x - 5, y + 13, what, { ...numbers, class: "faint" });
      write(width - 58, y + 13, ms(length), numbers);
      write(width - 2, y + 13, ms(median), { ...numbers, class: "faint" });
    });
    const said = all.map((each) => `${each.name} ${ms(each.ms)}, median ${ms(each.median)}`);
    picture.setAttribute("aria-label", `Milliseconds of one click: ${said.join("; ")}`);
    const past = data.clicks === 1 ? "this click" : `the last ${data.clicks} clicks`;
    const many = `Milliseconds; the medians are of ${past}; + joins what is not told apart`;
    say(!data.ready ? "The parts start." : data.click ? many : "Press Click.");
    totals.replaceChildren();
    for (const [guarantee, linger, clicks, total] of data.totals) {
      const text = `${guarantee.replaceAll("_", " ")}, linger ${linger} ms: ${ms(total)} ms`;
      node(totals, "li", {}, `${text} from the press to the view (median of ${clicks})`);
    }
    complain(data);
    if (data.click && data.click !== told) {
      told = data.click;
      requestAnimationFrame(() => tell(model, { drawn: told }));
    }
  };
}
