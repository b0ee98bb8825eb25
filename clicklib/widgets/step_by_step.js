// Buttons of a debugger, the places that a click comes to, and the balance of all clicks.

function open(el, model) {
  const titles = {
    stream: ["in the stream", "asked from Kafka"],
    memory: ["row gathered", "the processor says"],
    table: ["row acknowledged", "asked from Kafka"],
    view: ["row in the view", "asked from the view"],
    offset: ["offset committed", "asked from Kafka"],
  };
  const buttons = {
    click: ["Click", () => true],
    step: ["Step", (state) => state === "standing" || state === "free"],
    run: ["Run", (state) => state === "standing" || state === "free"],
    kill: ["kill -9 here", (state) => state && state !== "dead"],
    start: ["Start again", (state) => state === "dead"],
  };
  const keys = node(el, "div", { class: "keys", role: "group", "aria-label": "The processor" });
  const choice = node(keys, "select", { "aria-label": "guarantee" });
  for (const each of ["at_least_once", "exactly_once", "at_most_once"]) {
    node(choice, "option", { value: each }, each.replaceAll("_", " "));
  }
  choice.onchange = () => tell(model, { choose: choice.value });
  const pressed = {};
  for (const [press, [text]] of Object.entries(buttons)) {
    pressed[press] = key(keys, text, () => tell(model, { press }));
  }
  const say = speaker(el);
  const hand = node(el, "p");
  const list = node(el, "ol", { class: "places" });
  const figures = node(el, "dl", { class: "figures" });
  const complain = complainer(el);

  return (data) => {
    if (document.activeElement !== choice) choice.value = data.guarantee;
    for (const [press, [, can]] of Object.entries(buttons)) {
      pressed[press].setAttribute("aria-disabled", !can(data.state));
    }
    say(data.says || "Kafka gets a stream, a table and a processor for this guarantee.");
    hand.textContent = `Message in hand: ${data.hand || (data.state === "dead" ? "none" : "?")}`;
    list.replaceChildren();
    for (const [name, value, come] of data.places || []) {
      const word = { true: "the click is here", false: "not here" }[come] || "";
      const item = node(list, "li", { class: { true: "come", false: "not" }[come] || "" });
      node(item, "b", {}, titles[name][0]);
      node(item, "span", {}, value ?? "?");
      node(item, "span", {}, word);
      node(item, "small", {}, titles[name][1]);
    }
    figures.replaceChildren();
    for (const [name, value] of Object.entries(data.figures || {})) {
      const bad = (name === "lost" || name === "twice") && value;
      const cell = node(figures, "div", { class: value === null ? "unknown" : bad ? "wrong" : "" });
      node(cell, "dt", {}, name);
      node(cell, "dd", {}, value === null ? "?" : number(value));
    }
    complain(data);
  };
}
