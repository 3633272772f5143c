// What every page has: forms that say at once what is wrong, times in the reader's zone, and things to copy.
// Each of it works without: a form is then answered by a page, a time stays in UTC.

const token = document.querySelector('meta[name="form-token"]')?.content ?? "";

/** Asks the API as this page's reader. Rejects with the problem document of a refusal. */
export async function ask(path, { method = "GET", body, headers = {} } = {}) {
  const given = body === undefined ? {} : { "Content-Type": "application/json" };
  const answer = await fetch(path, {
    method,
    headers: { Accept: "application/json", "X-Form-Token": token, ...given, ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const content = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) throw content ?? { title: "Not done", detail: `The server answered ${answer.status}.` };
  return content;
}

/** The page's token, for requests that a script of another's sends. */
export const formToken = () => token;

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
for (const time of document.querySelectorAll("time[datetime]")) {
  const at = new Date(time.dateTime);
  if (!Number.isNaN(at.valueOf())) {
    time.title = `${at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" })} (${zone})`;
  }
}

for (const box of document.querySelectorAll(".copyable")) {
  if (!navigator.clipboard) break;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.className = "quiet";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(box.querySelector("code").textContent);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  box.append(button);
}

function tell(form, problem) {
  form.querySelector(":scope > .callout")?.remove();
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  const box = document.createElement("div");
  box.className = "callout bad";
  box.setAttribute("role", "alert");
  box.tabIndex = -1;
  const title = document.createElement("b");
  title.textContent = "That was not done. ";
  box.append(title, problem.detail ?? "The server could not be reached. Nothing was changed; try again.");
  for (const { field } of problem.problems ?? []) {
    for (const input of form.elements) {
      if (input.name?.split(":")[0].replace("[]", "") === field) input.setAttribute("aria-invalid", "true");
    }
  }
  form.prepend(box);
  box.focus();
}

async function send(form, submitter) {
  const fields = new URLSearchParams();
  for (const [name, value] of new FormData(form, submitter)) fields.append(name, value);
  const answer = await fetch(form.action, { method: "POST", body: fields, headers: { Accept: "application/json" } });
  const content = await answer.json().catch(() => ({}));
  if (content.code === "needs_confirmation") return "by page"; // nothing was done, and the page asks
  if (!answer.ok) {
    if (answer.status === 401 && !form.action.endsWith("/sessions")) location.reload();
    tell(form, content);
    return "told";
  }
  location.assign(content.then);
  if (new URL(content.then, location.href).pathname === location.pathname && content.then.includes("#")) location.reload();
  return "done";
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.method !== "post" || !form.action.startsWith(`${location.origin}/api/`)) return;
  if (form.dataset.confirm && !window.confirm(form.dataset.confirm)) return event.preventDefault();
  if (form.dataset.page !== undefined) return; // answered by a page of its own
  event.preventDefault();
  if (form.ariaBusy === "true") return;
  form.ariaBusy = "true";
  let outcome = "told";
  try {
    outcome = await send(form, event.submitter);
  } catch {
    tell(form, {});
  } finally {
    form.ariaBusy = null;
  }
  if (outcome === "by page") form.submit();
});
