// What draws attention to an alert that fires: sound, a flash, a notification; and a screen that stays on. All of it is off until it is asked
// for, in the address, so that a wall keeps it. Browsers want a click before a page may sound, and permission before it may notify.

import { asked, wallOf } from "./address.js";
import { make } from "./dom.js";
import { word } from "./text.js";

const WAYS = ["sound", "flash", "notify", "awake"];
// Two tones a third apart, the second lower: neither a telephone nor a fire alarm.
const TONES = [[880, 0], [698, 0.22]];
const TONE_SECONDS = 0.2;
const LOUDNESS = 0.25;
const FLASH_MS = 4000;
const MOST_NOTIFIED = 3;

// A wall stays on unless it is told not to.
export const wanted = (way) => asked(way) === "on" || (way === "awake" && wallOf() !== null && asked(way) !== "off");
export const possible = (way) => ({ notify: "Notification" in window && isSecureContext, awake: "wakeLock" in navigator, sound: "AudioContext" in window, flash: true })[way];

export class Attention {
  // `ask` is a button that is shown while something that is wanted needs a click.
  constructor(ask) {
    this.ask = ask;
    this.audio = null;
    this.lock = null;
    this.flashing = null;
    ask.addEventListener("click", () => this.permit());
    document.addEventListener("visibilitychange", () => this.stayAwake());
    this.begin();
  }

  // What is wanted may have been chosen just now.
  begin() {
    if (wanted("sound") && possible("sound")) {
      this.audio ??= new AudioContext();
      this.audio.onstatechange = () => this.show();
    }
    if (!wanted("awake")) {
      this.lock?.release();
      this.lock = null;
    }
    this.stayAwake();
    this.show();
  }

  lacks() {
    const lacking = [];
    if (wanted("sound") && this.audio && this.audio.state !== "running") lacking.push("sound");
    if (wanted("notify") && possible("notify") && Notification.permission === "default") lacking.push("notify");
    return lacking;
  }

  show() {
    const lacking = this.lacks();
    this.ask.hidden = lacking.length === 0;
    this.ask.textContent = lacking.length ? word(`attention.permit.${lacking.join("_")}`) : "";
  }

  async permit() {
    if (wanted("sound")) await this.audio?.resume();
    if (wanted("notify") && possible("notify") && Notification.permission === "default") await Notification.requestPermission();
    this.show();
  }

  // A tab that is not seen may sleep: a screen's lock ends with it, and is taken again.
  async stayAwake() {
    if (!wanted("awake") || !possible("awake") || document.visibilityState !== "visible" || (this.lock && !this.lock.released)) return;
    try {
      this.lock = await navigator.wakeLock.request("screen");
    } catch {
      this.lock = null;
    }
  }

  // `texts`: what has just fired, the worst first.
  call(texts) {
    if (wanted("sound")) this.sound();
    if (wanted("flash")) this.flash();
    if (wanted("notify")) this.notify(texts);
  }

  sound() {
    if (this.audio?.state !== "running") return;
    for (const [hertz, after] of TONES) {
      const [tone, gain] = [this.audio.createOscillator(), this.audio.createGain()];
      const at = this.audio.currentTime + after;
      tone.frequency.value = hertz;
      gain.gain.setValueAtTime(LOUDNESS, at);
      gain.gain.exponentialRampToValueAtTime(0.001, at + TONE_SECONDS);
      tone.connect(gain).connect(this.audio.destination);
      tone.start(at);
      tone.stop(at + TONE_SECONDS);
    }
  }

  flash() {
    clearTimeout(this.flashing);
    document.body.classList.add("flash");
    this.flashing = setTimeout(() => document.body.classList.remove("flash"), FLASH_MS);
  }

  notify(texts) {
    if (!possible("notify") || Notification.permission !== "granted") return;
    const shown = texts.slice(0, MOST_NOTIFIED);
    if (texts.length > shown.length) shown.push(word("alert.more", { n: texts.length - shown.length }));
    try {
      // The same tag: what fires later takes the place of what fired before.
      const told = new Notification(word("alerts"), { body: shown.join("\n"), tag: "alerts", icon: "icon.svg" });
      told.onclick = () => focus();
    } catch {
      // Some browsers have notifications for installed pages alone.
    }
  }
}

// Where each of it is switched on and off; `choose` writes the address.
export function offerAttention(place, attention, choose) {
  const group = make(place, "fieldset", "attention");
  make(group, "legend", "", word("attention"));
  for (const way of WAYS) {
    const label = make(group, "label");
    const box = make(label, "input");
    Object.assign(box, { type: "checkbox", name: way, checked: wanted(way), disabled: !possible(way) });
    label.append(` ${word(`attention.${way}`)}`);
    if (!possible(way)) label.title = word("attention.impossible");
    box.addEventListener("change", () => {
      choose({ [way]: box.checked ? "on" : null });
      attention.begin();
      if (box.checked) attention.permit();
    });
  }
  make(group, "small", "", word("attention.meaning"));
}
