// @uppy/core with @uppy/tus, in headless Chromium: a user picks one file, and it is sent, or gone on with where the
// browser's profile knows it.
//
//     node with_uppy.js '{"browser": PROGRAM, "uppy": PROGRAM, "page": URL, "file": PATH, "endpoint": URL, ...}'
//
// uppy       the program that prints Uppy's bundle
// page       where the page seems to come from: nobody is asked for it, but the origin counts; a foreign one has to be
//            https or localhost, since no other may ask this host for anything
// rate       bytes a second, so that it can be caught in the middle
// tus        more options for @uppy/tus: chunkSize, headers, retryDelays, parallelUploads …
// profile, login, insecure: see `open` in ../browser/browser.js
//
// What happens is told as with_tus_js.js does: answer (to Uppy, with its offset), progress, accepted, and at the end
// done (exit 0) or failed (exit 1); and what browser.js tells, with the browser's own process in `opened`. A kill -9 of
// this process closes the browser; one of that process is a browser that was killed, and Chromium writes what pages
// store some seconds late: an upload that began less than ten seconds before that may be forgotten.

const { open, pace, printed, run, tell } = require("../browser/browser.js");

// In the page.
function begin({ endpoint, tus }) {
    const uppy = new Uppy.Uppy({ autoProceed: true });
    const facts = (request, response) => ({
        method: request.getMethod(),
        url: request.getURL(),
        status: response.getStatus(),
        offset: response.getHeader("Upload-Offset"),
    });
    uppy.use(Uppy.Tus, {
        endpoint,
        onAfterResponse: (request, response) => told("answer", facts(request, response)),
        onChunkComplete: (_, offset) => told("accepted", { offset }),
        ...tus,
    });
    uppy.on("upload-progress", (_, { bytesUploaded, bytesTotal }) => {
        told("progress", { sent: bytesUploaded, size: bytesTotal });
    });
    uppy.on("upload-success", (_, { uploadURL }) => told("done", { url: uploadURL }));
    uppy.on("upload-error", (_, error) => told("failed", { message: String(error) }));
    document.querySelector("input").onchange = ({ target }) => {
        for (const file of target.files) uppy.addFile({ name: file.name, type: file.type, data: file });
    };
}

run(async (wanted) => {
    const page = await open(wanted);
    await page.route(wanted.page, (route) =>
        route.fulfill({ contentType: "text/html", body: "<!doctype html><title>Uppy</title><input type=file>" }),
    );
    await page.goto(wanted.page);
    await page.unrouteAll();
    await page.addScriptTag({ content: printed(wanted.uppy) });
    if (wanted.rate) await pace(page, wanted.rate);
    let over;
    const end = new Promise((resolve) => (over = resolve));
    await page.exposeFunction("told", (event, facts) => {
        tell(event, facts);
        if (event === "done" || event === "failed") over(event);
    });
    await page.evaluate(begin, wanted);
    await page.setInputFiles("input", wanted.file);
    if ((await end) === "failed") process.exitCode = 1;
});
