// A line of text, and a line for an error.

function open(el) {
  const say = speaker(el);
  const complain = complainer(el);
  return (data) => {
    say(data.text || "");
    complain(data);
  };
}
