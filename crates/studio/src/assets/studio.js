// Additions to links and forms: relative times, charts, copying, and a key for the search field.
"use strict";

const spans = [["year", 31557600], ["month", 2629800], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

function tellTimes(root) {
  for (const time of root.querySelectorAll("time:not([data-told])")) {
    const seconds = (Date.parse(time.dateTime) - Date.now()) / 1000;
    if (Number.isNaN(seconds)) continue;
    const [unit, length] = spans.find(([, length]) => Math.abs(seconds) >= length) ?? ["second", 1];
    const told = document.createElement("span");
    told.className = "quiet";
    told.textContent = ` (${relative.format(Math.round(seconds / length), unit)})`;
    time.dataset.told = "";
    time.append(told);
  }
}

// Returns the colour of a status in the style sheet, in the light or the dark scheme.
function colourOf(status) {
  const probe = document.createElement("span");
  probe.className = `status ${status}`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

const charts = new Map();

function drawCharts(root) {
  for (const [figure, chart] of charts) {
    if (figure.isConnected) continue;
    chart.destroy();
    charts.delete(figure);
  }
  for (const figure of root.querySelectorAll("[data-chart]:not([data-drawn])")) {
    figure.dataset.drawn = "";
    const ink = getComputedStyle(figure).color;
    const series = figure.dataset.names.split(",").map((label) => ({ label, stroke: colourOf(label), width: 2 }));
    const axis = { stroke: ink, grid: { stroke: "rgba(128,128,128,0.2)" } };
    const size = { width: Math.max(280, figure.clientWidth - 8), height: 180 };
    charts.set(figure, new uPlot({ ...size, series: [{}, ...series], axes: [axis, axis] }, JSON.parse(figure.dataset.chart), figure));
  }
}

function tell(root) {
  tellTimes(root);
  drawCharts(root);
}

document.addEventListener("DOMContentLoaded", () => {
  tell(document);
  new MutationObserver(() => tell(document)).observe(document.getElementById("main"), { childList: true, subtree: true });
});

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-copy]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const said = document.getElementById("copied");
  try {
    const answer = await fetch(link.href);
    const text = await answer.text();
    if (!answer.ok) throw new Error(answer.statusText);
    await navigator.clipboard.writeText(text);
    said.textContent = `Copied as ${link.textContent}.`;
  } catch (error) {
    said.textContent = `The copy failed: ${error.message}`;
  }
});

for (const happening of ["pointerover", "focusin"]) {
  document.addEventListener(happening, (event) => {
    const title = event.target.closest?.(".map a")?.querySelector("title");
    if (title) document.getElementById("passage").textContent = title.textContent;
  });
}

// A typed value clears the boxes for NULL and the default.
document.addEventListener("input", ({ target }) => {
  const name = target.name?.startsWith("v.") ? target.name.slice(2) : null;
  for (const prefix of name ? ["n.", "d."] : []) {
    const box = target.form.elements[prefix + name];
    if (box) box.checked = false;
  }
});

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea");
  const field = document.getElementById("q") ?? document.getElementById("to");
  if (event.key !== "/" || typing || !field) return;
  event.preventDefault();
  field.focus();
});
