// A board's page without reloads: sorting, filtering, opening a team and turning pages ask for the same address that
// they lead to, and put its table here. The server sorts; without this script the same links and forms do.

const ofBoard = (node) => node.closest?.("[data-board]");
let asked = null;

function kept() {
  const active = document.activeElement;
  if (!active || !ofBoard(active)) return () => {};
  const { id, name, value } = active;
  const at = active.type === "search" ? active.selectionStart : null;
  return () => {
    const again = id
      ? document.getElementById(id)
      : [...document.querySelectorAll("[data-board] input")].find((one) => one.name === name && one.value === value);
    again?.focus({ preventScroll: true });
    if (at !== null) again?.setSelectionRange(at, at);
  };
}

async function show(address, how) {
  const board = document.querySelector("[data-board]");
  asked?.abort();
  const mine = (asked = new AbortController());
  board.ariaBusy = "true";
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" }, signal: mine.signal });
    if (!answer.ok) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = page.querySelector("[data-board]");
    if (!next) throw new Error("no board");
    const focus = kept();
    const choosing = board.querySelector("details.columns")?.open;
    const at = board.querySelector(".scroll")?.scrollLeft ?? 0;
    board.replaceWith(next);
    if (choosing) next.querySelector("details.columns")?.setAttribute("open", "");
    next.querySelector(".scroll").scrollLeft = at;
    if (how === "push") history.pushState(null, "", address);
    if (how === "replace") history.replaceState(null, "", address);
    for (const link of page.querySelectorAll("a[data-csv]")) {
      document.querySelector("a[data-csv]")?.setAttribute("href", link.getAttribute("href"));
    }
    focus();
  } catch (error) {
    if (error.name !== "AbortError") location.assign(address);
  } finally {
    if (asked === mine) board.ariaBusy = null;
  }
}

function chosen(form, submitter) {
  const address = new URL(form.action);
  const boxes = [...form.querySelectorAll('input[name="columns"]')];
  const all = boxes.every((box) => box.checked);
  for (const [name, value] of new FormData(form, submitter)) {
    if (value === "" || (name === "columns" && all) || (name === "per" && value === "100")) continue;
    address.searchParams.append(name, value);
  }
  return address.href;
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  if (!link || !ofBoard(link) || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const to = new URL(link.href);
  if (to.origin !== location.origin || to.pathname !== location.pathname) return;
  event.preventDefault();
  to.hash = "";
  show(to.href, "push");
});

document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-board]")) return;
  event.preventDefault();
  show(chosen(event.target, event.submitter), "push");
});

let wait = 0;
document.addEventListener("input", (event) => {
  const form = ofBoard(event.target);
  if (!form) return;
  clearTimeout(wait);
  wait = setTimeout(() => show(chosen(form), "replace"), event.target.type === "search" ? 250 : 0);
});

window.addEventListener("popstate", () => show(location.href, "none"));

// How long it is until a phase closes, beside the time itself.
const unit = new Intl.RelativeTimeFormat("en", { numeric: "always" });
for (const time of document.querySelectorAll("time[data-until]")) {
  const hours = (new Date(time.dateTime) - Date.now()) / 3.6e6;
  if (hours > 0) time.after(` (${hours > 48 ? unit.format(Math.floor(hours / 24), "day") : unit.format(Math.floor(hours), "hour")})`);
}
