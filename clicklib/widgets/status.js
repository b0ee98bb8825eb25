// A line of text, and a line for an error.

function open(el) {
  const say = speaker(el);
  const complain = complainer(el);
  return (data) => {
    // ipywidgets gives the handle of a slider no name, which a screen reader would say.
    const slider = el.closest(".clicklib-pad")?.querySelector('[role="slider"]');
    slider?.setAttribute("aria-label", "clicks a second");
    say(data.text || "");
    complain(data);
  };
}
