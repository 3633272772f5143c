// Sends image archives: each is read once for its digest, then goes in pieces that a cut or a reload does not lose.
// Where the installation has tus-js-client that sends; else this file does, by the same protocol.
import { ask, formToken } from "./page.js";

const PIECE = 8 * 2 ** 20;
const PAUSES = [0, 1000, 3000, 5000, 10000, 20000, 30000, 30000];
const AGAIN = new Set([408, 409, 423, 429, 500, 502, 503, 504, 507]);
const LOST = "The connection is lost. It is tried again.";
const TUS = { "Tus-Resumable": "1.0.0" };

const place = document.querySelector("[data-upload]");
const list = place?.querySelector(".transfers");
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

export function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB"];
  let at = 0;
  while (bytes >= 1024 && at < 3) {
    bytes /= 1024;
    at++;
  }
  return `${at ? Number(bytes.toPrecision(3)) : bytes} ${units[at]}`;
}

function lasting(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** A refusal that no further try changes. */
class Refused extends Error {}

async function refusal(answer) {
  const content = await answer.json().catch(() => null);
  return new Refused(content?.detail ?? `The server answered ${answer.status}.`);
}

class Memory {
  constructor(file) {
    this.key = `proctor.upload ${place.dataset.team} ${file.name} ${file.size} ${file.lastModified}`;
  }
  read() {
    try {
      return JSON.parse(localStorage.getItem(this.key)) ?? {};
    } catch {
      return {};
    }
  }
  write(known) {
    try {
      localStorage.setItem(this.key, JSON.stringify({ ...this.read(), ...known }));
    } catch {
      // without it a reload reads the file again, and begins anew
    }
  }
  forget() {
    try {
      localStorage.removeItem(this.key);
    } catch {
      // it was never kept
    }
  }
}

function digest(file, progress, signal) {
  const worker = new Worker(new URL("./digest.js", import.meta.url), { type: "module" });
  return new Promise((done, fail) => {
    signal.addEventListener("abort", () => fail(signal.reason));
    worker.addEventListener("error", () => fail(new Refused("Your browser could not read the file.")));
    worker.addEventListener("message", ({ data }) => {
      if (data.sha256) done(data.sha256);
      else if (data.failed) fail(new Refused(data.failed));
      else progress(data.read);
    });
    worker.postMessage(file);
  }).finally(() => worker.terminate());
}

const headers = () => ({ "X-Form-Token": formToken() });

function metadata(file, sha256) {
  return { sha256, filename: file.name.slice(0, 200), team: place.dataset.team };
}

function encoded(values) {
  const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
  return Object.entries(values).map(([name, value]) => `${name} ${base64(value)}`).join(",");
}

/** Sends by tus-js-client; `known.url`: where an earlier try got to. Resolves to the upload's address. */
async function sendByLibrary(file, known, transfer, signal) {
  const url = known.url ?? (await create(file, known));
  transfer.memory.write({ url });
  signal.throwIfAborted();
  return new Promise((done, fail) => {
    const upload = new window.tus.Upload(file, {
      endpoint: place.dataset.endpoint,
      uploadUrl: url,
      metadata: metadata(file, known.sha256),
      headers: headers(),
      retryDelays: PAUSES,
      storeFingerprintForResuming: false,
      onUploadUrlAvailable: () => transfer.memory.write({ url: upload.url }),
      onProgress: (sent) => transfer.sent(sent),
      onShouldRetry: (error) => {
        const status = error.originalResponse?.getStatus() ?? 0;
        const again = !status || AGAIN.has(status);
        if (again) transfer.say(LOST);
        return again;
      },
      onSuccess: () => done(upload.url),
      onError: (error) => {
        let detail = "The connection was lost. What was sent is kept: go on when it is back.";
        try {
          detail = JSON.parse(error.originalResponse.getBody()).detail;
        } catch {
          // no answer, or none of this server's
        }
        fail(new Refused(detail));
      },
    });
    signal.addEventListener("abort", () => {
      upload.abort();
      fail(signal.reason);
    });
    upload.start();
  });
}

/** A new upload's address. It is not broken off: what was begun would be nobody's. */
async function create(file, known) {
  const answer = await fetch(place.dataset.endpoint, {
    method: "POST",
    headers: { ...TUS, ...headers(), "Upload-Length": file.size, "Upload-Metadata": encoded(metadata(file, known.sha256)) },
  });
  if (!answer.ok) throw await refusal(answer);
  await answer.body?.cancel();
  return new URL(answer.headers.get("Location"), location.href).href;
}

/** Where to go on, or null where the upload is no more. */
async function position(url, signal) {
  const answer = await fetch(url, { method: "HEAD", headers: TUS, signal });
  if (answer.status === 404 || answer.status === 410) return null;
  if (!answer.ok) throw AGAIN.has(answer.status) ? new Error("later") : new Refused(`The server answered ${answer.status}.`);
  return Number(answer.headers.get("Upload-Offset"));
}

async function piece(url, file, offset, signal) {
  const answer = await fetch(url, {
    method: "PATCH",
    headers: { ...TUS, ...headers(), "Upload-Offset": offset, "Content-Type": "application/offset+octet-stream" },
    body: file.slice(offset, offset + PIECE),
    signal,
  });
  if (answer.ok) return Number(answer.headers.get("Upload-Offset"));
  const problem = await refusal(answer);
  throw AGAIN.has(answer.status) ? new Error(problem.message) : problem;
}

/** The same by this file. */
async function sendByPieces(file, known, transfer, signal) {
  let { url } = known;
  let offset = null;
  let failures = 0;
  for (;;) {
    try {
      if (url && offset === null) offset = await position(url, signal);
      if (offset === null) {
        url = await create(file, known);
        transfer.memory.write({ url });
        signal.throwIfAborted();
        offset = 0;
      }
      transfer.sent(offset);
      if (offset >= file.size) return url;
      offset = await piece(url, file, offset, signal);
      failures = 0;
    } catch (error) {
      if (signal.aborted || error instanceof Refused) throw error;
      if (failures >= PAUSES.length) {
        throw new Refused("The connection was lost. What was sent is kept: go on when it is back.");
      }
      transfer.say(LOST);
      await wait(PAUSES[failures++]);
      offset = null;
    }
  }
}

class Transfer {
  constructor(file) {
    this.file = file;
    this.memory = new Memory(file);
    this.row = document.createElement("li");
    this.row.className = "card transfer";
    this.row.innerHTML =
      '<p><b></b> <small></small></p><progress max="100" value="0"></progress>' +
      '<p class="transfer-line"><span role="status"></span> <span class="num"></span></p><p class="actions"></p>';
    [this.name, this.bytes] = this.row.querySelectorAll("b, small");
    this.bar = this.row.querySelector("progress");
    [this.status, this.pace] = this.row.querySelectorAll("span");
    this.buttons = this.row.querySelector(".actions");
    this.name.textContent = file.name;
    this.bytes.textContent = size(file.size);
    this.bar.setAttribute("aria-label", `Progress of ${file.name}`);
    this.say("It waits for the file before it.");
    this.offer(["Take it off the list", () => this.row.remove() ?? this.stop()]);
    list.append(this.row);
  }

  say(words) {
    if (this.status.textContent !== words) this.status.textContent = words;
    this.pace.textContent = "";
  }

  offer(...buttons) {
    const focused = this.buttons.contains(document.activeElement);
    this.buttons.replaceChildren(
      ...buttons.map(([text, act]) => {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = text;
        button.addEventListener("click", act);
        return button;
      }),
    );
    if (focused) this.buttons.firstElementChild?.focus();
  }

  stop() {
    this.stopped = true;
    this.control?.abort(new Refused("Paused. What was sent is kept."));
  }

  sent(bytes) {
    const at = performance.now();
    this.seen = (this.seen ?? []).filter((one) => at - one.at < 15000);
    this.seen.push({ at, bytes });
    this.bar.value = (100 * bytes) / this.file.size;
    this.status.textContent = "It is sent.";
    const first = this.seen[0];
    const pace = at > first.at ? (1000 * (bytes - first.bytes)) / (at - first.at) : 0;
    const left = pace > 0 ? `, ${size(pace)}/s, ${lasting((this.file.size - bytes) / pace)} left` : "";
    this.pace.textContent = `${Math.floor(this.bar.value)} %${left}`;
  }

  async run() {
    if (!this.row.isConnected) return;
    this.control = new AbortController();
    this.stopped = false;
    this.seen = [];
    this.offer(["Pause", () => this.stop()]);
    active.add(this);
    try {
      await this.go(this.control.signal);
    } catch (error) {
      this.say(error?.message || "That did not work.");
      this.row.classList.toggle("failed", !this.stopped);
      this.offer(["Go on", () => enqueue(this)], ["Take it off the list", () => this.row.remove()]);
    } finally {
      active.delete(this);
    }
  }

  async go(signal) {
    const { file, memory } = this;
    this.row.classList.remove("failed");
    if (!file.size) throw new Refused("The file is empty.");
    const most = Number(place.dataset.limit);
    if (file.size > most) throw new Refused(`The file has ${size(file.size)}; at most ${size(most)} are taken.`);
    if (!memory.read().sha256) {
      this.say("It is read for its digest.");
      const progress = (read) => {
        this.bar.value = (100 * read) / file.size;
        this.pace.textContent = `${Math.floor(this.bar.value)} %`;
      };
      memory.write({ sha256: await digest(file, progress, signal) });
    }
    this.bar.value = 0;
    this.say("It is sent.");
    const send = window.tus?.isSupported ? sendByLibrary : sendByPieces;
    const url = await send(file, memory.read(), this, signal);
    this.bar.value = 100;
    memory.forget();
    this.offer();
    await this.checked(new URL(url, location.href).pathname, signal);
  }

  async checked(path, signal) {
    this.say("It has arrived, and is checked.");
    for (let pause = 1000; ; pause = Math.min(pause * 1.5, 10000)) {
      await wait(pause);
      if (signal.aborted) throw signal.reason;
      const upload = await ask(path).catch(() => null);
      if (upload?.status === "rejected") throw new Refused(upload.message ?? "It passed no check.");
      if (upload?.status !== "ready") continue;
      this.say(["It passed its check.", ...upload.warnings, "Choose its tasks below."].join(" "));
      this.offer(["Take it off the list", () => this.row.remove()]);
      await renew();
      return;
    }
  }
}

/** Puts new images into the choice, and leaves what is chosen as it is. */
async function renew() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const found = new DOMParser().parseFromString(await answer.text(), "text/html");
  const here = document.querySelectorAll("select[data-images]");
  if (!here.length) document.getElementById("choose").replaceWith(found.getElementById("choose"));
  for (const select of here) {
    const known = new Set(Array.from(select.options, (option) => option.value));
    const added = [...found.getElementById(select.id).options].filter((option) => !known.has(option.value));
    select.options[0].after(...added);
  }
}

const active = new Set();
let queue = Promise.resolve();

function enqueue(transfer) {
  transfer.say("It waits for the file before it.");
  queue = queue.then(() => transfer.run());
}

function take(files) {
  for (const file of files) enqueue(new Transfer(file));
}

if (place) {
  const drop = place.querySelector(".drop");
  const input = drop.querySelector("input");
  drop.hidden = false;
  input.addEventListener("change", () => {
    take(input.files);
    input.value = "";
  });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", kind === "dragover");
      if (kind === "drop") take(event.dataTransfer.files);
    });
  }
  addEventListener("beforeunload", (event) => active.size && event.preventDefault());
}
