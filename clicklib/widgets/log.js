// A row for each partition: its begin and end, its newest records, the holes between them.

function open(el) {
  const title = node(el, "h4");
  const rows = node(el, "div", { class: "log", tabindex: "0", role: "group" });
  const complain = complainer(el);

  function entry(list, each) {
    if (each.hole) {
      const what = `${each.hole} from offset ${each.offset} on${each.open ? ", maybe more before" : ""}`;
      const item = node(list, "li", { class: "hole", title: `no record any more: ${what}` });
      const count = number(each.hole) + (each.open ? "+" : "");
      node(item, "small", {}, count === "1" ? "hole" : `${count} holes`);
      return;
    }
    const dead = each.value === null;
    const value = dead ? "tombstone" : each.value;
    const title = `${each.offset} ${each.key}: ${value}`;
    const item = node(list, "li", { class: dead ? "dead" : "", title });
    node(item, "small", {}, each.offset);
    node(item, "b", {}, each.key);
    node(item, "span", {}, value);
  }

  return (data, width) => {
    const room = Math.max(1, Math.floor((width - 110) / 94));
    title.textContent = data.topic;
    rows.setAttribute("aria-label", `Newest records of ${data.topic}`);
    const top = rows.scrollTop;
    rows.replaceChildren();
    for (const { partition, begin, end, entries } of data.partitions || []) {
      const row = node(rows, "div", { class: "partition" });
      const name = node(row, "span", { class: "name" });
      node(name, "b", {}, partition);
      node(name, "small", {}, end > begin ? ` ${number(begin)} … ${number(end)}` : " empty");
      const label = `partition ${partition}, offsets ${begin} to ${end}`;
      const list = node(row, "ol", { "aria-label": label });
      for (const each of entries.slice(-room)) entry(list, each);
    }
    rows.scrollTop = top;
    complain(data);
  };
}
