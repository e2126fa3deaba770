// Draws attention to firing alerts by sound, flash and notification, and keeps the screen on. All are off unless the address enables them, so
// that a wall keeps them. Browsers require a click before sound, and permission before notifications.

import { asked, wallOf } from "./address.js";
import { make } from "./dom.js";
import { word } from "./text.js";

const WAYS = ["sound", "flash", "notify", "awake"];
// Two tones, the second a third lower: unlike a telephone or a fire alarm.
const TONES = [[880, 0], [698, 0.22]];
const TONE_SECONDS = 0.2;
const LOUDNESS = 0.25;
const FLASH_MS = 4000;
const MOST_NOTIFIED = 3;

// A wall stays on unless the address disables it.
export const wanted = (way) => asked(way) === "on" || (way === "awake" && wallOf() !== null && asked(way) !== "off");
export const possible = (way) => ({ notify: "Notification" in window && isSecureContext, awake: "wakeLock" in navigator, sound: "AudioContext" in window, flash: true })[way];

export class Attention {
  // `ask` is a button that is shown while an enabled way needs a click.
  constructor(ask) {
    this.ask = ask;
    this.audio = null;
    this.lock = null;
    this.flashing = null;
    ask.addEventListener("click", () => this.permit());
    document.addEventListener("visibilitychange", () => this.stayAwake());
    this.begin();
  }

  // Applies the current choice.
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

  // A hidden tab loses the screen lock, which is requested again when it is visible.
  async stayAwake() {
    if (!wanted("awake") || !possible("awake") || document.visibilityState !== "visible" || (this.lock && !this.lock.released)) return;
    try {
      this.lock = await navigator.wakeLock.request("screen");
    } catch {
      this.lock = null;
    }
  }

  // `texts`: alerts that have just fired, the worst first.
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
      // The same tag: a later notification replaces the earlier one.
      const notification = new Notification(word("alerts"), { body: shown.join("\n"), tag: "alerts", icon: "icon.svg" });
      notification.onclick = () => focus();
    } catch {
      // Some browsers permit notifications to installed pages alone.
    }
  }
}

// Switches for each way; `choose` writes the address.
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
