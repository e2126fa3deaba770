// Redeems the ticket of the address, which no browser sends by itself, and goes on to the wall.

import { paint } from "./options.js";

const RETRY_MS = 5000;
const { next, failed, later } = document.body.dataset;
const ticket = location.hash.slice(1);
const standing = document.getElementById("standing");

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
  standing.textContent = over ? failed : later;
  standing.classList.toggle("problem", over);
  if (!over) setTimeout(redeem, RETRY_MS);
}

paint();
// Out of the address bar and the history before anything else happens.
history.replaceState(null, "", location.pathname + location.search);
redeem();
