// Where somebody is logged in elsewhere in this browser, or a server comes back that knows a screen, the page goes on by itself.

import { paint } from "./options.js";

const LOOK_MS = 15000;

async function look() {
  const answer = await fetch("/api/v1/session").catch(() => null);
  if (answer?.ok) location.replace(document.body.dataset.next);
}

paint();
// Who opened this page while logged in wants to see who that is.
if (!document.querySelector('form[action="/logout"]')) setInterval(look, LOOK_MS);
