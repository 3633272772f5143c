// A case in 3D. NiiVue is loaded when somebody asks for it, and shows what the slices show, at their place and in their
// greys. Where it cannot, a sentence says why; the slices need neither it nor WebGL.
const section = document.querySelector("[data-turned]");
const button = section.querySelector("[data-turn]");
const box = section.querySelector("[data-turning]");
const stage = section.querySelector("[data-stage]");
const overlays = section.querySelector("[data-overlays]");
const layout = section.querySelector("[data-layout]");
const said = section.querySelector("[data-said]");
const there = section.querySelector("[data-there]");
const TURNS = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, 10], ArrowDown: [0, -10] };
const OVER = 0.55; // how much of the image a label covers

let script = null;
let open = null; // what stands for this showing: its viewer, its files by address, and what ends their loading
const hidden = new Set(); // names of labels that are not shown
let last = Promise.resolve();

const wanted = () => JSON.parse(document.querySelector("[data-volumes]")?.dataset.volumes ?? "null");

function library() {
  script ??= new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.src = section.dataset.script;
    element.integrity = section.dataset.integrity;
    element.addEventListener("load", () => resolve(window.niivue));
    element.addEventListener("error", () => {
      element.remove();
      script = null;
      reject("NiiVue did not come from this server. Try again; the slices above need nothing.");
    });
    document.head.append(element);
  });
  return script;
}

function hasWebGL() {
  const found = document.createElement("canvas").getContext("webgl2");
  found?.getExtension("WEBGL_lose_context")?.loseContext();
  return found !== null;
}

async function load(address, name, signal) {
  said.textContent = `Loading ${name}…`;
  const answer = await fetch(address, { signal });
  if (answer.ok) return answer.arrayBuffer();
  const problem = await answer.json().catch(() => null);
  throw `${name}: ${problem?.detail ?? `The server answered ${answer.status}.`}`;
}

const channels = (colour) => [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));

/** The colours of labels for NiiVue; those of an output are paler, for both may lie over each other. */
function colours({ labels, paler }) {
  const rows = labels.map(([, colour]) => channels(colour).map((value) => (paler ? Math.round(value * 0.45 + 140) : value)));
  const [R, G, B] = [0, 1, 2].map((channel) => [0, ...rows.map((row) => row[channel])]);
  return { R, G, B, I: [0, ...labels.map(([label]) => label)] };
}

/** Brings what is shown to what the page above says now: other volumes, other greys, another place. */
async function follow(showing) {
  const scene = wanted();
  if (showing !== open) return;
  if (!scene) return close("There is no picture of this case to turn.");
  const { NVImage } = await library();
  const { viewer, signal } = showing;
  const parts = [scene.image, ...scene.overlays];
  const addresses = parts.map(({ path }) => path);
  if (String(addresses) !== String([...showing.files.keys()])) {
    const files = new Map();
    for (const { path, name } of parts) files.set(path, showing.files.get(path) ?? (await load(path, name, signal)));
    said.textContent = "Drawing…";
    await new Promise((painted) => setTimeout(painted, 50)); // without a graphics card it takes long
    const volumes = [];
    for (const { path, name, labels, paler, window: greys } of parts) {
      const colour = labels ? "red" : "gray";
      const opacity = !labels ? 1 : hidden.has(name) ? 0 : OVER;
      const volume = await NVImage.new(files.get(path), "volume.nii.gz", colour, opacity, null, ...(greys ?? []));
      if (labels) volume.setColormapLabel(colours({ labels, paler }));
      volumes.push(volume);
    }
    if (showing !== open) return;
    for (const volume of [...viewer.volumes].reverse()) viewer.removeVolume(volume);
    for (const volume of volumes) viewer.addVolume(volume);
    showing.files = files;
    offer(scene);
  } else if (String(showing.greys) !== String(scene.image.window)) {
    [viewer.volumes[0].cal_min, viewer.volumes[0].cal_max] = scene.image.window;
    viewer.updateGLVolume();
  }
  showing.greys = scene.image.window;
  viewer.scene.crosshairPos = viewer.vox2frac(scene.place);
  viewer.drawScene();
  tell(scene.place);
}

/** A tick for each label map that lies over the image. */
function offer(scene) {
  overlays.hidden = scene.overlays.length === 0;
  overlays.querySelectorAll("label").forEach((label) => label.remove());
  for (const { name } of scene.overlays) {
    const [label, tick] = [document.createElement("label"), document.createElement("input")];
    tick.type = "checkbox";
    tick.checked = !hidden.has(name);
    tick.addEventListener("change", () => {
      hidden[tick.checked ? "delete" : "add"](name);
      cover(open);
      open.viewer.drawScene();
    });
    label.append(tick, ` ${name}`);
    overlays.append(label);
  }
}

function cover({ viewer }) {
  wanted()?.overlays.forEach(({ name }, at) => (viewer.volumes[at + 1].opacity = hidden.has(name) ? 0 : OVER));
  viewer.updateGLVolume();
}

/** Says which place it is, and leads the slices there. */
function tell(place) {
  const [x, y, z] = place.map(Math.round);
  said.textContent = `At x ${x}, y ${y}, z ${z}.`;
  const query = new URLSearchParams(location.search);
  for (const [axis, value] of Object.entries({ x, y, z })) query.set(axis, value);
  there.href = `${location.pathname}?${query}`;
}

async function begin() {
  if (open) return;
  if (!hasWebGL()) throw "This browser has no WebGL 2, which 3D takes. The slices above need none.";
  const ending = new AbortController();
  const showing = (open = { viewer: null, files: new Map(), signal: ending.signal, ending });
  button.textContent = "Close 3D";
  button.ariaExpanded = "true";
  said.textContent = "Loading NiiVue…";
  const { Niivue } = await library();
  if (showing !== open) return;
  const canvas = document.createElement("canvas");
  const names = { role: "application", "aria-label": "The case in 3D", "aria-describedby": "turning-keys" };
  for (const [name, value] of Object.entries(names)) canvas.setAttribute(name, value);
  canvas.addEventListener("webglcontextlost", () => showing === open && close("The graphics card gave up. Try again."));
  stage.replaceChildren(canvas);
  box.hidden = false;
  const viewer = new Niivue({
    logLevel: "error",
    dragAndDropEnabled: false,
    isNearestInterpolation: true,
    isRadiologicalConvention: true,
    sagittalNoseLeft: true,
    multiplanarShowRender: 1, // whatever room there is
    multiplanarLayout: 2, // two by two
    crosshairWidth: 0.5,
    crosshairWidthUnit: "percent",
    show3Dcrosshair: true,
    crosshairColor: [1, 0.84, 0.35, 0.8],
    fontColor: [1, 0.84, 0.35, 1],
    sliceType: Number(layout.value),
  });
  await viewer.attachToCanvas(canvas);
  if (showing !== open) return viewer.cleanup();
  viewer.onLocationChange = ({ vox }) => tell([...vox].slice(0, 3));
  showing.viewer = viewer;
  await follow(showing);
}

function close(sentence = "") {
  open?.ending.abort();
  open?.viewer?.cleanup();
  open?.viewer?.gl.getExtension("WEBGL_lose_context")?.loseContext();
  open = null;
  stage.replaceChildren();
  box.hidden = true;
  button.textContent = "In 3D (NiiVue)";
  button.ariaExpanded = "false";
  said.textContent = sentence;
}

/** One after the other: what comes while something loads is shown when that is there. */
const soon = (work) => {
  const showing = open;
  last = last.then(work).catch((problem) => {
    if (problem?.name === "AbortError" || (showing && showing !== open)) return;
    close(typeof problem === "string" ? problem : "It could not be drawn in 3D. The slices above need nothing.");
  });
};

button.hidden = false;
button.addEventListener("click", () => (open ? close() : soon(begin)));
document.addEventListener("viewer-shown", () => open?.viewer && soon(() => follow(open)));
layout.addEventListener("change", () => open?.viewer?.setSliceType(Number(layout.value)));
for (const kind of ["keydown", "keyup"]) {
  stage.addEventListener(
    kind,
    (event) => {
      event.stopPropagation(); // NiiVue's own keys are not told of anywhere, and some of them take a form's
      const turn = kind === "keydown" && !event.altKey && !event.ctrlKey && !event.metaKey && TURNS[event.key];
      if (!turn || !open?.viewer) return;
      event.preventDefault();
      const { renderAzimuth, renderElevation } = open.viewer.scene;
      open.viewer.setRenderAzimuthElevation(renderAzimuth + turn[0], renderElevation + turn[1]);
    },
    true,
  );
}
