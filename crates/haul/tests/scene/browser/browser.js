// A headless Chromium for tests, by npm's playwright-core: opened so that nothing but this host is asked, and all that
// its pages say is told, one line of JSON for each thing on standard output.

const { execFileSync } = require("child_process");
const fs = require("fs");
const path = require("path");
const { chromium } = require("playwright-core");

function tell(event, facts = {}) {
    fs.writeSync(1, JSON.stringify({ event, ...facts }) + "\n");
}

let opened;
let closing = false;

// Opens the browser with one page in it.
//
// browser    the program
// profile    a folder that keeps what pages store, from one run to the next; without it nothing is kept
// size       [width, height] in CSS pixels; phone: with a finger, and two pixels for each
// scripts    false: JavaScript is off
// dark       true: the user prefers dark colours
// login      {username, password} for Basic authentication
// insecure   true: any certificate will do
async function open({ browser, profile = "", size = [1280, 800], phone, scripts = true, dark, login, insecure }) {
    const context = await chromium.launchPersistentContext(profile, {
        executablePath: browser,
        // Root may not have it.
        chromiumSandbox: false,
        args: ["--disable-quic", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"],
        viewport: { width: size[0], height: size[1] },
        deviceScaleFactor: phone ? 2 : 1,
        hasTouch: Boolean(phone),
        isMobile: Boolean(phone),
        javaScriptEnabled: scripts,
        colorScheme: dark ? "dark" : "light",
        locale: "en-GB",
        timezoneId: "UTC",
        // What a user would be asked for when a page of another origin first asks this host for something.
        permissions: ["local-network-access"],
        httpCredentials: login,
        ignoreHTTPSErrors: Boolean(insecure),
    });
    context.on("close", () => {
        if (closing) return;
        // Killed: whatever still waits for it would wait for ever.
        tell("closed");
        process.exit(1);
    });
    opened = context;
    const page = context.pages()[0] ?? (await context.newPage());
    listen(page);
    const session = await context.browser().newBrowserCDPSession();
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    const { id } = processInfo.find((process) => process.type === "browser");
    tell("opened", { version: context.browser().version(), process: id });
    return page;
}

// What a page says, asks for and trips over.
function listen(page) {
    page.on("console", (said) => tell("console", { level: said.type(), text: said.text() }));
    page.on("pageerror", (error) => tell("error", { text: String(error) }));
    page.on("dialog", (dialog) => {
        tell("dialog", { kind: dialog.type(), text: dialog.message() });
        dialog.accept();
    });
    page.on("response", (response) => {
        const request = response.request();
        tell("response", { method: request.method(), url: response.url(), status: response.status() });
    });
    page.on("requestfailed", (request) => {
        tell("unanswered", { method: request.method(), url: request.url(), why: request.failure()?.errorText });
    });
}

// Bytes a second that pages may send and fetch, each; none: as fast as may be.
async function pace(page, rate) {
    const session = await page.context().newCDPSession(page);
    const [uploadThroughput, downloadThroughput] = [rate ?? -1, rate ?? -1];
    await session.send("Network.enable");
    await session.send("Network.emulateNetworkConditions", {
        offline: false,
        latency: 0,
        uploadThroughput,
        downloadThroughput,
    });
}

// Drags files from outside over an element and lets them go there.
async function drop(page, selector, paths) {
    const box = await page.locator(selector).first().boundingBox();
    const where = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
    const data = { items: [], files: paths.map((file) => path.resolve(file)), dragOperationsMask: 1 };
    const session = await page.context().newCDPSession(page);
    for (const type of ["dragEnter", "dragOver", "drop"]) {
        await session.send("Input.dispatchDragEvent", { type, ...where, data });
    }
}

// The text that a peer's program prints.
function printed(program) {
    return execFileSync(program, { encoding: "utf8", maxBuffer: 64 << 20 });
}

// Runs it and closes the browser. Whatever it throws is told, and is exit code 1; so is a browser that goes away.
async function run(main) {
    try {
        await main(JSON.parse(process.argv[2]));
        closing = true;
        await opened?.close();
    } catch (error) {
        // Without the colours of a terminal.
        tell("failed", { message: error.message.replace(/\u001b\[\d+m/g, "") });
        process.exit(1);
    }
}

module.exports = { drop, open, pace, printed, run, tell };
