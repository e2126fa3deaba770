// Names come from senders: invisible characters are shown, and similar names are marked. No name is special to the page.

// Control, format and private characters, line separators, invisible fillers and selectors, and the bracket that marks them.
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cn}\p{Co}\p{Cs}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\u{e0100}-\u{e01ef}\u27e8]|(?![ \u3000])\p{Zs}/gu;
const EDGES = /^[ \u3000]+|[ \u3000]+$| {2,}/g;
// Written from right to left, at least in part: isolated from the surrounding text.
const LEFTWARD = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
const code = (character) => `⟨U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`;

export function shown(name) {
  const seen = name.replace(UNSEEN, code).replace(EDGES, (spaces) => spaces.replace(/ /g, "␣").replace(/\u3000/g, code));
  return LEFTWARD.test(seen) ? `\u2068${seen}\u2069` : seen;
}

// An own property of an object: a queue may be called constructor.
export const own = (object, name) => (Object.hasOwn(object ?? {}, name) ? object[name] : null);

// Letters that look like another one after NFKC in lower case: Cyrillic, Greek, digits, dashes, kana like kanji.
const ALIKE = new Map(
  [
    ["аα", "a"], ["еҽ", "e"], ["оοσо0ο", "o"], ["рρ", "p"], ["сϲ", "c"], ["уγүу", "y"], ["хχ×", "x"], ["іι1l|ıӏɩ", "i"], ["јϳ", "j"], ["ѕ", "s"],
    ["ԁ", "d"], ["һ", "h"], ["ԛ", "q"], ["ԝω", "w"], ["νѵ", "v"], ["кκ", "k"], ["мϻ", "m"], ["тτ", "t"], ["вβ", "b"], ["нη", "n"], ["ɡ", "g"],
    ["‐‑‒–—―−ー一﹣", "-"], ["’‘ʼ′`´", "'"], ["カ", "力"], ["ロ", "口"], ["ニ", "二"], ["エ", "工"], ["タ", "夕"], ["ハ", "八"], ["ト", "卜"],
    ["へ", "ヘ"], ["べ", "ベ"], ["ぺ", "ペ"], ["り", "リ"],
  ].flatMap(([letters, like]) => [...letters].map((letter) => [letter, like])),
);

// The same for two names that a reader could confuse.
export function skeleton(name) {
  const plain = name.replace(UNSEEN, "").normalize("NFKC").toLowerCase().normalize("NFKC").replace(/\s+/gu, "");
  return [...plain].map((letter) => ALIKE.get(letter) ?? letter).join("");
}

// Name → the other names that look like it, if any.
export function twins(names) {
  const alike = new Map();
  for (const name of new Set(names)) {
    const key = skeleton(name);
    alike.set(key, [...(alike.get(key) ?? []), name]);
  }
  const found = new Map();
  for (const group of alike.values()) {
    if (group.length > 1) for (const name of group) found.set(name, group.filter((other) => other !== name));
  }
  return found;
}

// Distinguishes a name from similar ones: its letters that they lack, by code point where not plain.
export function difference(name, others) {
  const different = [...new Set(name)].filter((letter) => others.some((other) => !other.includes(letter)));
  return different.filter((letter) => letter > "~").slice(0, 3).map(code).join(" ");
}
