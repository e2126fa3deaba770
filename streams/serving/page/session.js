// The logged-in user and the logout; hidden without a login.

import { word } from "./text.js";

const LOGIN = "/login";

function toLogin() {
  location.assign(`${LOGIN}?next=${encodeURIComponent(location.pathname + location.search)}`);
}

// Returns the session, and goes to the login where it has no right to figures; a server that does not answer changes nothing.
export async function whoIsHere() {
  const answer = await fetch("api/v1/session").catch(() => null);
  const here = answer?.ok ? await answer.json() : null;
  if (answer?.status === 401 || (here && !here.rights.includes("figures"))) toLogin();
  return here;
}

export function showSession(place, here) {
  if (!["user", "provider", "kiosk"].includes(here?.kind)) return;
  const name = place.appendChild(document.createElement("span"));
  name.textContent = here.name;
  name.title = word("logged_in_as", { name: here.name });
  const leave = place.appendChild(document.createElement("button"));
  Object.assign(leave, { type: "button", id: "leave", textContent: word("log_out") });
  leave.addEventListener("click", async () => {
    leave.disabled = true;
    const answer = await fetch("logout", { method: "POST", headers: { Accept: "application/json" } }).catch(() => null);
    leave.disabled = false;
    if (answer?.ok) location.assign((await answer.json()).next);
  });
  place.hidden = false;
}
