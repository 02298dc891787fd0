// npm's tus-js-client under node: sends one file, or goes on with it where the file of URLs knows it.
//
//     node with_tus_js.js '{"file": PATH, "endpoint": URL, ...}'
//
// file, endpoint  what, and where uploads are created
// protocol        tus-v1 (as it is without it), ietf-draft-03 or ietf-draft-05
// chunk           bytes of one request; all of them without it
// storage         a file that remembers URLs from one run to the next
// url             the upload's own URL, where it is known already
// metadata        an object; headers: another one, sent with each request
// hold            so many bytes are sent, and then nothing and no end: to be killed there
// deferred        the length is told at the end only, as of a stream; needs chunk
// with_creation   the first bytes go with the creation; override_patch: PATCH is called POST
// parallel        so many partial uploads that are joined at the end
// retry_delays    milliseconds; as many retries as there are
//
// Each thing that happens is one line of JSON on standard output: resuming, url, response (one for each request),
// interim (1xx), progress (sent), accepted (answered), held, and at the end done (exit 0), failed, or abandoned (exit 1).
// The last is tus-js-client's own: of a stream that ends where a chunk does it never notices the end, and just stops.

const fs = require("fs");
const { PassThrough, Transform } = require("stream");
const tus = require("tus-js-client");

const wanted = JSON.parse(process.argv[2]);

function tell(event, facts) {
    fs.writeSync(1, JSON.stringify({ event, ...facts }) + "\n");
}

// Lets the first bytes of all that is sent through, and stands still then.
let allowed = wanted.hold ?? Infinity;
function held(body) {
    const gate = new Transform({
        transform(data, _, done) {
            const passes = data.subarray(0, Math.min(data.length, allowed));
            allowed -= passes.length;
            this.push(passes);
            if (passes.length === data.length) return done();
            tell("held", {});
        },
    });
    gate.size = body.size ?? body.length;
    if (Buffer.isBuffer(body)) gate.end(body);
    else body.pipe(gate);
    return gate;
}

class Stack extends tus.DefaultHttpStack {
    createRequest(method, url) {
        const request = super.createRequest(method, url);
        const send = request.send.bind(request);
        request.send = (body) => {
            const answered = send(body && wanted.hold !== undefined ? held(body) : body);
            request.getUnderlyingObject().on("information", ({ statusCode, headers }) => {
                tell("interim", { status: statusCode, headers });
            });
            return answered;
        };
        return request;
    }
}

let ended = false;
process.once("beforeExit", () => {
    if (ended) return;
    tell("abandoned", {});
    process.exitCode = 1;
});

const file = fs.createReadStream(wanted.file);
const options = {
    endpoint: wanted.endpoint,
    uploadUrl: wanted.url ?? null,
    protocol: wanted.protocol ?? "tus-v1",
    chunkSize: wanted.chunk ?? Infinity,
    metadata: wanted.metadata ?? {},
    headers: wanted.headers ?? {},
    uploadLengthDeferred: wanted.deferred ?? false,
    uploadDataDuringCreation: wanted.with_creation ?? false,
    overridePatchMethod: wanted.override_patch ?? false,
    parallelUploads: wanted.parallel ?? 1,
    urlStorage: wanted.storage ? new tus.FileUrlStorage(wanted.storage) : undefined,
    storeFingerprintForResuming: Boolean(wanted.storage),
    httpStack: new Stack({}),
    onUploadUrlAvailable: () => tell("url", { url: upload.url }),
    onAfterResponse: (request, response) =>
        tell("response", {
            method: request.getMethod(),
            url: request.getURL(),
            status: response.getStatus(),
            offset: response.getHeader("Upload-Offset"),
        }),
    onProgress: (sent, size) => tell("progress", { sent, size }),
    onChunkComplete: (_, offset) => tell("accepted", { offset }),
    onSuccess: () => {
        ended = true;
        tell("done", { url: upload.url });
    },
    onError: (error) => {
        ended = true;
        const status = error.originalResponse?.getStatus();
        tell("failed", { status, message: error.message, body: error.originalResponse?.getBody() });
        process.exitCode = 1;
    },
};
if (wanted.retry_delays) options.retryDelays = wanted.retry_delays;

// What has no path is a stream to it, of unknown length.
const upload = new tus.Upload(wanted.deferred ? file.pipe(new PassThrough()) : file, options);

async function main() {
    const known = wanted.storage ? await upload.findPreviousUploads() : [];
    if (known.length > 0) {
        tell("resuming", { url: known[0].uploadUrl, parts: known[0].parallelUploadUrls });
        upload.resumeFromPreviousUpload(known[0]);
    }
    upload.start();
}

main();
