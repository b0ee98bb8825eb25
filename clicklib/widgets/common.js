// The code that all pictures share. The script of a picture defines `open(el, model)`. It returns a
// function that draws `data` at a given width. Text from Kafka becomes textContent, never HTML.

const SVG = "http://www.w3.org/2000/svg";

function node(parent, name, attributes = {}, text = undefined) {
  const made = name.startsWith("svg:")
    ? document.createElementNS(SVG, name.slice(4))
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

function drawing(parent) {
  return node(parent, "svg:svg", { role: "img", width: "100%" });
}

const number = (value) => value.toLocaleString("en");

const short = (text, letters) => (text.length > letters ? text.slice(0, letters - 1) + "…" : text);

// A line of text for screen readers too. It changes at once, but at most once a second.
function speaker(parent, role = "status") {
  const line = node(parent, "p", { role });
  let wanted = "";
  let waiting = false;
  function say() {
    waiting = false;
    if (wanted === line.textContent) return;
    line.textContent = wanted;
    waiting = true;
    setTimeout(say, 1000);
  }
  return (text) => {
    wanted = text;
    if (!waiting) say();
  };
}

function complainer(parent) {
  const say = speaker(parent, "alert");
  return (data) => say(data.error || "");
}

// Send a message to the kernel. The kernel may have closed the widget already.
async function tell(model, message) {
  try {
    await model.send(message);
  } catch (error) {
    console.debug(error.message);
  }
}

// The kernel's clock, which goes on between two data: `then` is its time when it sent the last ones.
function clock() {
  let told = 0;
  let heard = 0; // the browser's clock when they arrived
  return (then) => {
    if (then !== told) [told, heard] = [then, performance.now()];
    return told + (performance.now() - heard) / 1000;
  };
}

// A button that waits for its first drawing. It is aria-disabled, not disabled, so that it keeps the
// keyboard's focus.
function key(parent, text, pressed) {
  const button = node(parent, "button", { type: "button", "aria-disabled": "true" }, text);
  button.onclick = () => {
    if (button.getAttribute("aria-disabled") === "false") pressed();
  };
  return button;
}

export default {
  render({ model, el }) {
    const name = Math.random().toString(36).slice(2);
    el.classList.add("clicklib");
    const draw = open(el, model);
    let frame = 0;
    const soon = () => {
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        if (el.clientWidth) draw(model.get("data"), el.clientWidth);
      });
    };
    // The kernel learns that a browser shows this picture when it is on the page, and not before: a
    // picture whose output is cleared while this script is loaded never comes onto the page.
    let shown = false;
    const placed = () => {
      if (el.isConnected !== shown) {
        shown = el.isConnected;
        tell(model, shown ? { shown: name } : { hidden: name });
      }
      soon();
    };
    const resized = new ResizeObserver(placed);
    resized.observe(el);
    model.on("change:data", soon);
    const ticking = draw.everySecond && setInterval(soon, 1000);
    return () => {
      resized.disconnect();
      model.off("change:data", soon);
      clearInterval(ticking);
      cancelAnimationFrame(frame);
      if (shown) tell(model, { hidden: name });
    };
  },
};
