// Continues by itself once the browser is logged in elsewhere, or a server recognizes the screen again.

import { paint } from "./options.js";

const CHECK_MS = 15000;

async function check() {
  const answer = await fetch("/api/v1/session").catch(() => null);
  if (answer?.ok) location.replace(document.body.dataset.next);
}

paint();
// Not for a user who opened this page while logged in.
if (!document.querySelector('form[action="/logout"]')) setInterval(check, CHECK_MS);
