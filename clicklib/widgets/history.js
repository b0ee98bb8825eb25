// Two plots with one time axis: lines for users above, bars for owners below. Each drawing gives
// plotly the whole plot, so a view that was hidden, or is new, needs nothing that came before.

// Plotly, made of its text once for a page.
function load(text) {
  if (!window.clicklibPlotly) {
    const parts = ["const exports = {}, module = { exports };\n", text, "\nexport default module.exports;"];
    const script = URL.createObjectURL(new Blob(parts, { type: "text/javascript" }));
    window.clicklibPlotly = import(script).then((loaded) => loaded.default);
  }
  return window.clicklibPlotly;
}

function open(el, model) {
  const say = speaker(el);
  const place = node(el, "div");
  const complain = complainer(el);
  let busy = false;

  return async (data, width) => {
    complain(data);
    const text = model.get("_plotly");
    if (!text) say("The plot is being made.");
    if (!text || !data.lines || busy) return;
    busy = true;
    try {
      const plotly = await load(text);
      say("");
      const traces = [...users(data), bars(data)];
      if (place.isConnected) await plotly.react(place, traces, layout(width, data.height));
    } catch (error) {
      console.debug(error.message); // the output was cleared while plotly drew
    } finally {
      busy = false;
    }
  };

  function users({ times: x, lines }) {
    return lines.map(({ name, y, ...line }) => ({ type: "scatter", mode: "lines", name, x, y, line }));
  }

  function bars({ owners, colours, height }) {
    const size = height > 320 ? 10 : 8; // letters must fit into the bars
    return {
      type: "bar",
      orientation: "h",
      yaxis: "y2",
      y: owners.map(([partition]) => partition),
      text: owners.map(([, letter]) => letter),
      base: owners.map(([, , begin]) => begin),
      x: owners.map(([, , , seconds]) => seconds),
      marker: { color: owners.map(([, letter]) => colours[letter][0]) },
      textfont: { color: owners.map(([, letter]) => colours[letter][1]), size },
      textposition: "inside",
      insidetextanchor: "middle",
      constraintext: "none",
      textangle: 0,
      width: 0.9,
      showlegend: false,
      hovertemplate: "partition %{y}: %{text}<extra></extra>",
    };
  }

  // The background is transparent, so it fits both themes.
  function layout(width, height) {
    const clear = "rgba(0,0,0,0)";
    const axis = { gridcolor: "rgba(128,128,128,0.3)", zeroline: false };
    const dtick = height > 320 ? 1 : 3;
    return {
      width,
      height,
      margin: { l: 45, r: 10, t: 10, b: 35 },
      paper_bgcolor: clear,
      plot_bgcolor: clear,
      font: { color: "#787878", size: 11 },
      bargap: 0,
      showlegend: true,
      uirevision: "kept", // the reader's zoom stays when new samples come
      xaxis: { ...axis, title: { text: "seconds", standoff: 0 }, anchor: "y2" },
      yaxis: { ...axis, title: { text: "clicks" }, rangemode: "tozero", domain: [0.48, 1] },
      yaxis2: { ...axis, title: { text: "partition" }, autorange: "reversed", dtick, domain: [0, 0.42] },
    };
  }
}
