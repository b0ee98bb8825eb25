// A section for processors and one for brokers: a choice which, and a row for each fault.

function open(el, model) {
  const body = node(el, "div");
  const say = speaker(el);
  const complain = complainer(el);
  const sections = {};

  function make(kind, buttons, targets) {
    const place = node(body, "section", { class: "faults", "aria-label": `break a ${kind}` });
    const head = node(place, "p");
    const choice = node(head, "select", { "aria-label": `which ${kind}` });
    for (const [number, { name }] of targets) node(choice, "option", { value: number }, name);
    const state = node(head, "span");
    const rows = buttons.map((fault) => {
      const row = node(place, "div", { class: "fault" });
      const id = `clicklib-${Math.random().toString(36).slice(2)}`;
      const press = () => tell(model, { press: fault.name, target: Number(choice.value) });
      const button = key(row, fault.title, press);
      button.setAttribute("aria-describedby", id);
      const note = node(row, "span", { class: "note" });
      node(row, "span", { id, class: "expect" }, fault.expect);
      return { fault, button, note };
    });
    return { choice, state, rows };
  }

  function write(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  function show({ state, rows }, { state: word, on, left, off }) {
    write(state, word && ` ${word}`);
    for (const { fault, button, note } of rows) {
      const going = on === fault.name;
      const bound = fault.seconds ? ` for ${fault.seconds} s` : "";
      write(button, going && fault.undo ? fault.undo : `${fault.title}${bound}`);
      button.setAttribute("aria-disabled", going ? !fault.undo : Boolean(off[fault.name]));
      button.classList.toggle("on", going);
      write(note, going ? (left === null ? "…" : `${left} s left`) : on ? "" : off[fault.name]);
    }
  }

  return (data) => {
    const all = (data.targets || []).map((target, number) => [number, target]);
    for (const [kind, buttons] of Object.entries(data.buttons || {})) {
      const targets = all.filter(([, target]) => target.kind === kind);
      const section = (sections[kind] ||= make(kind, buttons, targets));
      const draw = () => show(section, new Map(targets).get(Number(section.choice.value)));
      section.choice.onchange = draw;
      draw();
    }
    say(data.told || "Each fault ends by itself, and when this panel is closed.");
    complain(data);
  };
}
