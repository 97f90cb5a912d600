// Scroll the navigation, which is longer than the window, to the entry of the page.
"use strict";

addEventListener("load", () => { // when the style sheets are there
    const box = document.querySelector(".sidebar-scroll");
    const entry = document.querySelector(".sidebar-tree .current-page > a");
    if (entry === null) return;
    const below = entry.getBoundingClientRect().bottom - box.getBoundingClientRect().bottom;
    if (below > 0) box.scrollTop += below + box.clientHeight / 2;
});
