// The switcher of versions: from a page to the same page of another version, if it has that.
// VERSIONS, {version: pages}, is in the file beside the folders of the versions.
"use strict";

{
    const select = document.getElementById("version");
    const { version, page, versions } = select.dataset;
    for (const each of Object.keys(VERSIONS))
        select.add(new Option(each, each, each === version, each === version));
    select.form.hidden = false;
    select.addEventListener("change", () => {
        const there = VERSIONS[select.value].includes(page) ? page : "index.html";
        location.assign(`${versions}${select.value}/${there}`);
    });
    // The browser may keep what was chosen before the way back.
    addEventListener("pageshow", () => { select.value = version; });
}
