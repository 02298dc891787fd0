// Goes through pages as told, step by step.
//
//     node walk.js '{"browser": PROGRAM, ..., "steps": [["goto", URL], ["click", "#x"], ...]}'
//
// The other fields are those of `open` in browser.js. Each step is told when it is done, with what it found:
// {"event": "step", "step": NAME, "value": ...}. What a step waits for comes within `patience` seconds (30), or the
// walk has failed: exit code 1.

const fs = require("fs");
const { drop, open, pace, run, tell } = require("./browser.js");

let patience;

const steps = {
    goto: async (page, url) => (await page.goto(url))?.status(),
    reload: async (page) => (await page.reload())?.status(),
    back: async (page) => (await page.goBack())?.status(),
    click: (page, selector) => page.click(selector),
    tap: (page, selector) => page.tap(selector),
    press: (page, key) => page.keyboard.press(key),
    fill: (page, selector, text) => page.fill(selector, text),
    // Into an <input type=file>; and from outside the browser onto an element.
    choose: (page, selector, ...paths) => page.setInputFiles(selector, paths),
    drop: (page, selector, ...paths) => drop(page, selector, paths),
    // Until it is seen; until it is seen no more; until its text has this in it; until this is true in the page.
    see: (page, selector) => page.waitForSelector(selector).then(() => undefined),
    miss: (page, selector) => page.waitForSelector(selector, { state: "hidden" }).then(() => undefined),
    read: (page, selector, text) => page.locator(selector, { hasText: text }).first().waitFor(),
    until: async (page, expression) => {
        // Asked from outside: a page may forbid what waits in it (unsafe-eval).
        const deadline = Date.now() + patience;
        while (!(await page.evaluate(expression))) {
            if (Date.now() > deadline) throw new Error(`it did not become true: ${expression}`);
            await new Promise((again) => setTimeout(again, 5));
        }
    },
    // Until the test has made this file.
    await_file: async (page, path) => {
        while (!fs.existsSync(path)) await new Promise((again) => setTimeout(again, 5));
    },
    text: (page, selector) => page.innerText(selector),
    texts: (page, selector) => page.locator(selector).allInnerTexts(),
    count: (page, selector) => page.locator(selector).count(),
    value: (page, expression) => page.evaluate(expression),
    resize: (page, width, height) => page.setViewportSize({ width, height }),
    pace: (page, rate) => pace(page, rate),
    offline: (page, is) => page.context().setOffline(is),
    // What follows a click on a link is saved there.
    download: async (page, selector, to) => {
        const [download] = await Promise.all([page.waitForEvent("download"), page.click(selector)]);
        await download.saveAs(to);
        return download.suggestedFilename();
    },
    // All of the page, and not just what is in the window.
    shot: (page, to) => page.screenshot({ path: to, fullPage: true }).then(() => undefined),
};

run(async (wanted) => {
    const page = await open(wanted);
    patience = (wanted.patience ?? 30) * 1000;
    page.setDefaultTimeout(patience);
    for (const [step, ...words] of wanted.steps) {
        const value = await steps[step](page, ...words);
        tell("step", { step, value });
    }
});
