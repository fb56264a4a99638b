"use strict";
// Renews the page in place, and tells the values under the pointer.
const show = (value, unit) => {
  if (unit === "bytes") {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let n = 0;
    while (value >= 1024 && n < 4) { value /= 1024; n += 1; }
    return value.toPrecision(Math.max(3, String(Math.floor(value)).length)) + " " + units[n];
  }
  const text = value.toLocaleString("en", { maximumFractionDigits: value < 100 ? 2 : 0 }).replaceAll(",", "\u202f");
  return unit === "rate" ? text + " /s" : text;
};
const leave = (plot) => plot.querySelectorAll(".cursor, .tip").forEach((part) => part.remove());
document.addEventListener("pointermove", (event) => {
  const plot = event.target instanceof Element ? event.target.closest(".plot[data-values]") : null;
  document.querySelectorAll(".plot").forEach((other) => other !== plot && leave(other));
  if (!plot) return;
  leave(plot);
  const box = plot.getBoundingClientRect();
  const layers = JSON.parse(plot.dataset.values);
  const count = layers[0].values.length;
  const last = Number(plot.dataset.last);
  const at = Math.min(last, Math.max(last - count + 1, Math.round(((event.clientX - box.left) / box.width) * last)));
  const left = (at / last) * box.width;
  const cursor = document.createElement("div");
  cursor.className = "cursor";
  cursor.style.left = left + "px";
  const tip = document.createElement("div");
  tip.className = "tip";
  const ago = (last - at) * Number(plot.dataset.step);
  const heading = document.createElement("span");
  heading.textContent = new Date(Date.now() - ago * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  tip.append(heading);
  for (const layer of layers) {
    const row = document.createElement("div");
    row.style.setProperty("--color", layer.color);
    const label = document.createElement("span");
    label.textContent = layer.label;
    const value = document.createElement("b");
    value.textContent = show(layer.values[at - last + count - 1], plot.dataset.unit);
    row.append(label, value);
    tip.append(row);
  }
  if (left > box.width / 2) tip.style.right = box.width - left + 12 + "px";
  else tip.style.left = left + 12 + "px";
  plot.append(cursor, tip);
});
const renew = async () => {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (!answer.ok) throw new Error();
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (document.querySelector(".tip")) return;
    document.querySelector("main").replaceWith(page.querySelector("main"));
  } catch {
    const pill = document.querySelector(".pill");
    pill.className = "pill warn";
    pill.textContent = "the tracker does not answer";
  }
};
setInterval(renew, 10000);
