"use strict";
{
  const words = document.getElementById("words");
  const count = document.getElementById("count");
  const entries = [...document.querySelectorAll(".entry, main article > ul > li, details > ul > li")]
    .map((element) => ({ element, text: element.textContent.toLowerCase() }));
  const folds = [...document.querySelectorAll("details")];
  let before = null;
  document.getElementById("search").hidden = false;
  words.addEventListener("input", () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    before ??= folds.map((fold) => fold.open);
    let found = 0;
    for (const { element, text } of entries) {
      element.hidden = !wanted.every((word) => text.includes(word));
      found += element.hidden ? 0 : 1;
    }
    folds.forEach((fold, at) => {
      const hit = fold.querySelector(".entry:not([hidden]), li:not([hidden])");
      fold.hidden = wanted.length > 0 && !hit;
      fold.open = wanted.length > 0 ? Boolean(hit) : before[at];
    });
    if (wanted.length === 0) before = null;
    count.value = wanted.length === 0 ? "" : found === 1 ? "1 match" : `${found} matches`;
  });
}
