// Redeems the ticket in the fragment, which browsers do not send, and continues to the wall.

import { paint } from "./options.js";

const RETRY_MS = 5000;
const { next, failed, later } = document.body.dataset;
const ticket = location.hash.slice(1);
const status = document.getElementById("standing");

async function redeem() {
  const answer = await fetch("/kiosk", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ticket }),
  }).catch(() => null);
  if (answer?.ok) {
    location.replace(next);
    return;
  }
  const over = answer !== null && answer.status < 500;
  status.textContent = over ? failed : later;
  status.classList.toggle("problem", over);
  if (!over) setTimeout(redeem, RETRY_MS);
}

paint();
// First removes the ticket from the address bar and the history.
history.replaceState(null, "", location.pathname + location.search);
redeem();
