// The viewer moves without loading its page anew, and files are sent with how far they are. Without this script
// links, buttons and presses on a slice do the former, and commands the latter.
import { formToken } from "./page.js";

const AXES = { axial: ["x", "y", "z"], coronal: ["x", "z", "y"], sagittal: ["y", "z", "x"] };
const KEYS = { ArrowLeft: [0, 1], ArrowRight: [0, -1], ArrowUp: [1, 1], ArrowDown: [1, -1], PageUp: [2, 1], PageDown: [2, -1] };
document.documentElement.classList.add("scripted");

let busy = false;
let next = null;

/** Shows what is at an address, in the place of the viewer; of several that come meanwhile the last one. */
async function show(address) {
  if (busy) {
    next = address;
    return;
  }
  busy = true;
  const focused = document.activeElement?.id;
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected && new URL(answer.url).pathname !== location.pathname) {
      location.assign(address);
      return;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const viewer = page.querySelector("[data-viewer]");
    await Promise.all([...viewer.querySelectorAll("input[type=image]")].map((image) => loaded(image.src)));
    document.querySelector("[data-viewer]").replaceWith(viewer);
    history.replaceState(null, "", answer.url);
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    document.dispatchEvent(new Event("viewer-shown"));
  } catch {
    location.assign(address);
  } finally {
    busy = false;
    if (next) {
      const later = next;
      next = null;
      show(later);
    }
  }
}

const loaded = (source) =>
  new Promise((resolve) => {
    const image = new Image();
    image.onload = image.onerror = resolve;
    image.src = source;
  });

function address(form, more = {}) {
  const fields = new URLSearchParams();
  for (const [name, value] of new FormData(form)) fields.set(name, value);
  for (const [name, value] of Object.entries(more)) fields.set(name, value);
  return `${form.getAttribute("action")}?${fields}`;
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-view]");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  show(link.href);
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.closest("[data-viewer]")) return;
  event.preventDefault();
  if (event.submitter?.type === "image") return; // a press on a slice, which `click` has seen to
  show(address(form));
});

document.addEventListener("click", (event) => {
  const slice = event.target;
  if (slice.type !== "image" || !slice.closest("[data-plane]")) return;
  if (event.detail === 0) return; // by the Enter key, which says no place
  const box = slice.getBoundingClientRect();
  const column = Math.floor(event.clientX - box.left);
  const row = Math.floor(event.clientY - box.top);
  show(address(slice.form, { [`${slice.name}.x`]: Math.max(0, column), [`${slice.name}.y`]: Math.max(0, row) }));
});

document.addEventListener("input", (event) => {
  if (event.target.type === "range" && event.target.closest("[data-plane]")) show(address(event.target.form));
});

document.addEventListener("change", (event) => {
  if (event.target.tagName === "SELECT" && event.target.closest("[data-controls]")) show(address(event.target.form));
});

document.addEventListener("keydown", (event) => {
  const move = KEYS[event.key];
  const plane = event.target.type === "image" && event.target.closest("[data-plane]");
  if (!move || !plane || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const axis = AXES[plane.dataset.plane][move[0]];
  const last = Number(document.getElementById(`at-${axis}`).max);
  const at = Number(new FormData(plane).get(axis)) + move[1] * (event.shiftKey ? 10 : 1);
  show(address(plane, { [axis]: Math.min(last, Math.max(0, at)) }));
});

function tell(form, text) {
  form.querySelector(":scope > .callout")?.remove();
  const box = document.createElement("div");
  box.className = "callout bad";
  box.setAttribute("role", "alert");
  box.tabIndex = -1;
  box.textContent = text;
  form.prepend(box);
  box.focus();
}

/** Sends a file as the body of a request; resolves with the answer, rejects with a sentence. */
function send(method, path, file, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch does not say how far a body is
    request.open(method, path);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-Form-Token", formToken());
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.addEventListener("progress", (event) => event.lengthComputable && progress(event.loaded / event.total));
    request.addEventListener("load", () => {
      let content = {};
      try {
        content = JSON.parse(request.responseText);
      } catch {
        // a proxy's page
      }
      if (request.status < 300) resolve(content);
      else reject(content.detail ?? `The server answered ${request.status}. Nothing was kept.`);
    });
    request.addEventListener("error", () => reject("The connection was lost. Nothing was kept; send it again."));
    request.send(file);
  });
}

for (const form of document.querySelectorAll("[data-import], [data-label]")) {
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.ariaBusy === "true") return;
    const fields = new FormData(form);
    const query = new URLSearchParams();
    for (const [name, value] of fields) if (name !== "file") query.set(name, value);
    const [method, path] = form.dataset.import ? ["POST", form.dataset.import] : ["PUT", form.dataset.label];
    const box = form.querySelector("[data-progress]");
    const [bar, said] = [box.querySelector("progress"), box.querySelector("p")];
    form.ariaBusy = "true";
    box.hidden = false;
    const leaving = (leave) => leave.preventDefault();
    addEventListener("beforeunload", leaving);
    try {
      const sent = await send(method, `${path}?${query}`, fields.get("file"), (part) => {
        bar.value = 100 * part;
        said.textContent = part < 1 ? `${Math.floor(100 * part)} % sent. Keep this page open.` : "All of it is sent.";
      });
      removeEventListener("beforeunload", leaving);
      location.assign(`${form.dataset.then}${sent.id}`);
    } catch (sentence) {
      tell(form, String(sentence));
      box.hidden = true;
    } finally {
      removeEventListener("beforeunload", leaving);
      form.ariaBusy = null;
    }
  });
}
