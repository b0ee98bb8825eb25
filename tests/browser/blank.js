// What the open notebook should show and does not, each with the id of its cell.
() => {
    const blank = [];
    const cells = jupyterapp.shell.currentWidget.content.widgets;
    const seen = (node, each) =>
        [...node.querySelectorAll(each)].some(one => one.getBoundingClientRect().height > 10);
    for (const cell of cells) {
        const say = what => blank.push(`${cell.model.id}: ${what}`);
        if (cell.model.type === "markdown") {
            for (const image of cell.node.querySelectorAll("img")) {
                if (!image.complete || !image.naturalWidth) say(`no picture ${image.src}`);
            }
            continue;
        }
        if (cell.model.type !== "code") continue;
        const text = cell.outputArea.node.innerText;
        if (/Error displaying|model not found/.test(text)) say("an error");
        for (const { data } of cell.model.outputs.toJSON()) {
            const kinds = Object.keys(data ?? {});
            const plot = kinds.some(kind => kind.includes("plotly"));
            if (plot && !seen(cell.node, ".js-plotly-plot .main-svg")) say("no plot");
            const widget = kinds.some(kind => kind.includes("widget-view"));
            if (widget && !seen(cell.node, ".jupyter-widgets, .clicklib")) say("no widget");
        }
        for (const widget of cell.node.querySelectorAll(".clicklib")) {
            const drawn = widget.innerText.trim() || widget.querySelector("svg > *");
            const hidden = widget.closest(".lm-mod-hidden");
            if (!drawn && !hidden) say("an empty widget");
        }
    }
    return blank;
}
