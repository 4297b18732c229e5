// The only thing that takes a script: both files of a duel in 3D, when asked for.
"use strict";

const VIEWERS = { glb: "view-mesh.js", ply: "view-splats.js" };
const loaded = new Map();

function load(url) {
  if (!loaded.has(url)) {
    loaded.set(url, new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = url;
      script.onload = resolve;
      script.onerror = () => reject(new Error(`${url} could not be loaded`));
      document.head.append(script);
    }));
  }
  return loaded.get(url);
}

async function show(figure, folder, url) {
  const caption = figure.querySelector("figcaption");
  const kind = url.split(".").pop().toLowerCase();
  try {
    await load(folder + VIEWERS[kind]);
    return await window.gen404Viewers[kind](figure.querySelector("canvas"), url, folder);
  } catch (error) {
    caption.textContent += ` (can't be shown: ${error.message})`;
    return () => {};
  }
}

function canvasFor(label) {
  const canvas = document.createElement("canvas");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application"); // so that screen readers leave it the arrow keys
  canvas.setAttribute("aria-label", label);
  return canvas;
}

function open(button) {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-label", "Both files in 3D");
  const stages = document.createElement("div");
  stages.className = "stages";
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "Close";
  close.addEventListener("click", () => dialog.close());
  const hint = document.createElement("p");
  hint.className = "hint";
  hint.textContent = "Drag to turn, scroll to zoom; with the keyboard: Tab to a file, arrow keys, + and -.";
  dialog.append(close, hint, stages);
  const ends = [];
  for (const side of ["left", "right"]) {
    const url = button.dataset[side];
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    const name = side === "left" ? "Defender" : "Challenger";
    caption.textContent = url ? name : `${name}: no file`;
    if (url) figure.append(canvasFor(`${name}'s file in 3D. Arrow keys turn it, + and - zoom.`));
    figure.append(caption);
    stages.append(figure);
    if (url) ends.push(show(figure, button.dataset.static, url));
  }
  dialog.addEventListener("close", async () => {
    dialog.remove();
    button.focus();
    for (const end of await Promise.all(ends)) end();
  });
  document.body.append(dialog);
  dialog.showModal();
}

for (const button of document.querySelectorAll(".in-3d")) {
  button.hidden = false;
  button.addEventListener("click", () => open(button));
}
