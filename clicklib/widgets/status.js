// A line of text, and one for what went wrong.

function open(el) {
  const say = speaker(el);
  const complain = complainer(el);
  return (data) => {
    say(data.text || "");
    complain(data);
  };
}
