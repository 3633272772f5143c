// What is seen of submissions follows what happens: each event that tells another state has the page asked for once,
// and what differs is put in place. Nothing is asked for while nothing changes.

const line = document.querySelector("[data-live-line]");
const again = document.querySelector("[data-load-again]");
const streams = new Map();
let asked = false;
let wanted = false;

function say(words, lost = false) {
  if (!line || line.textContent === words) return;
  line.textContent = words;
  line.toggleAttribute("data-lost", lost);
  if (again) again.hidden = !lost;
}

function take(found) {
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = found.getElementById(part.id);
    if (!other || other.innerHTML === part.innerHTML) continue;
    for (const box of part.querySelectorAll("details[id]")) {
      const now = other.querySelector(`#${CSS.escape(box.id)}`);
      if (now && box.dataset.state === now.dataset.state) now.open = box.open;
    }
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    part.replaceChildren(...other.childNodes);
    if (focused) document.getElementById(focused)?.focus();
  }
}

async function look() {
  wanted = true;
  if (asked) return;
  asked = true;
  try {
    while (wanted) {
      wanted = false;
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (answer.redirected) return location.reload(); // the session has ended
      if (answer.ok) take(new DOMParser().parseFromString(await answer.text(), "text/html"));
    }
  } catch {
    say("The connection is lost. It is tried again.", true);
  } finally {
    asked = false;
  }
}

function report() {
  const open = [...streams.values()];
  if (open.every((stream) => stream === null)) return say("It has ended.");
  const lost = open.some((stream) => stream && stream.readyState !== EventSource.OPEN);
  say(lost ? "The connection is lost. It is tried again." : "Live: what changes is shown at once.", lost);
}

function follow(part) {
  const address = part.dataset.events;
  const stream = new EventSource(address);
  let seen = part.dataset.state;
  streams.set(address, stream);
  stream.addEventListener("open", report);
  stream.addEventListener("state", (event) => {
    if (event.lastEventId !== seen) look();
    seen = event.lastEventId;
  });
  const end = () => {
    stream.close();
    streams.set(address, null);
    report();
  };
  stream.addEventListener("end", end);
  stream.addEventListener("error", () => {
    // Refused or ended for good: the page says what holds now. Else the browser tries again by itself.
    if (stream.readyState === EventSource.CLOSED) look().finally(end);
    else report();
  });
}

for (const part of document.querySelectorAll("[data-events]")) follow(part);
addEventListener("pagehide", () => streams.forEach((stream) => stream?.close()));
addEventListener("pageshow", (event) => event.persisted && location.reload());
