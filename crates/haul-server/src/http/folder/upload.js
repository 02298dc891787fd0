// One file on its way into a folder, by tus 1.0.0: begun, gone on with after a cut or in another visit, given up.
// Nothing here knows the page; it hears of every change through `changed`.
//
//   waiting ──► looking ──► sending ──► done
//                │  ▲ │        │ ▲
//                ▼  │ └─► cut ◄┘ │         cut: tried again after a while, for ever
//              asking │    └─────┘         asking: the user must say what is meant
//   paused, failed: until the user goes on · gone: given up
"use strict";

const TUS = { "Tus-Resumable": "1.0.0" };
const ENDPOINT = "/-/tus";
// Seconds before a try, so many cuts after the last byte that arrived.
const WAITS = [1, 2, 4, 8, 15, 30, 60];
// Milliseconds after which a request in which nothing moves is given up, and one that waits for its answer.
const STALLED = 60_000;
const UNANSWERED = 300_000;
// How long it is remembered where an upload was.
const REMEMBERED = 30 * 24 * 3600 * 1000;

// No answer came: worth another try.
class Cut extends Error {
    constructor(message, after = 0) {
        super(message);
        this.after = after;
    }
}

// The server's no, in its own words.
class Refused extends Error {}

// Where uploads of this browser are, by what their files are called here.
const memory = {
    key: (folder, file) => "haul " + JSON.stringify([folder, file.name, file.size, file.lastModified]),
    get(key) {
        try {
            return JSON.parse(localStorage.getItem(key))?.url ?? null;
        } catch {
            return null;
        }
    },
    set(key, url) {
        try {
            localStorage.setItem(key, JSON.stringify({ url, at: Date.now() }));
        } catch {
            // It can still be gone on with as long as this page is open.
        }
    },
    forget(key) {
        try {
            localStorage.removeItem(key);
        } catch {
            // Nothing was remembered, then.
        }
    },
    // What is too old leads nowhere.
    sweep() {
        try {
            for (const key of Object.keys(localStorage)) {
                if (!key.startsWith("haul [")) continue;
                const at = JSON.parse(localStorage.getItem(key))?.at;
                if (!(Date.now() - at < REMEMBERED)) localStorage.removeItem(key);
            }
        } catch {
            // Whoever forbids to remember need not sweep.
        }
    },
};

// The bytes that a path of a URL stands for; names need not be UTF-8.
function bytesOf(path) {
    const bytes = [];
    for (let at = 0; at < path.length; at++) {
        if (path[at] === "%") {
            bytes.push(parseInt(path.slice(at + 1, at + 3), 16));
            at += 2;
        } else {
            bytes.push(path.charCodeAt(at));
        }
    }
    return bytes;
}

const base64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));

// What is not a letter, a digit or one of -._~ is encoded, as the server does it.
const segment = (name) =>
    encodeURIComponent(name).replace(/[!'()*]/g, (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase());

// Asks the server. `moved` hears how much of the body has left; whatever comes between is a Cut.
function ask(method, url, { fields = {}, body = null, moved, signal } = {}) {
    return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(new Cut("it is not wanted any more"));
        const asked = new XMLHttpRequest();
        // Of this server, whatever it was said to be called; without a name that stood in the page's URL.
        asked.open(method, location.origin + url);
        for (const [name, value] of Object.entries(fields)) asked.setRequestHeader(name, value);
        let watch;
        const alive = (patience = STALLED) => {
            clearTimeout(watch);
            watch = setTimeout(() => asked.abort(), patience);
        };
        const over = () => {
            clearTimeout(watch);
            signal?.removeEventListener("abort", stop);
        };
        const stop = () => asked.abort();
        asked.onload = () => {
            over();
            resolve(asked);
        };
        asked.onerror = asked.onabort = () => {
            over();
            reject(new Cut("the connection was cut"));
        };
        asked.upload.onprogress = (event) => {
            alive();
            moved?.(event.loaded);
        };
        // To make all of it safe may take its time.
        asked.upload.onload = () => alive(UNANSWERED);
        signal?.addEventListener("abort", stop);
        alive();
        asked.send(body);
    });
}

// Why an answer is no success: to be tried again, or not. A conflict passes where the server says when, or where it is
// about an offset.
function trouble(answer, offset = false) {
    const { status } = answer;
    const after = Number(answer.getResponseHeader("Retry-After")) || 0;
    let detail = `the server answered ${status}`;
    try {
        detail = JSON.parse(answer.responseText).detail ?? detail;
    } catch {
        // It was not the server that answered, then.
    }
    const passes = [408, 423, 425, 429].includes(status) || (status >= 500 && status !== 501 && status !== 507);
    const again = passes || (status === 409 && (offset || after > 0));
    return again ? new Cut(detail, after) : new Refused(detail);
}

const isGone = (answer) => [404, 410].includes(answer.status);

// A URL that the server told, on this server whatever it calls itself.
function here(url) {
    const { pathname, search } = new URL(url, location.origin);
    return pathname + search;
}

// The unfinished uploads of this path, whichever client began them.
async function unfinished(path, signal) {
    const answer = await ask("GET", "/-/uploads?path=" + path, { signal });
    if (answer.status !== 200) return [];
    return JSON.parse(answer.responseText).map((one) => ({ ...one, url: here(one.url) }));
}

class Upload {
    // `folder` as in a URL, with a slash at both ends.
    constructor(file, folder, mayReplace, changed) {
        Object.assign(this, { file, folder, mayReplace, changed });
        this.path = folder + segment(file.name);
        this.key = memory.key(folder, file);
        this.state = "waiting";
        // So much has left, and so much of it is known to be there.
        this.sent = this.sure = 0;
        this.url = null;
        this.why = "";
        this.choices = [];
        this.decided = false;
        this.cuts = 0;
    }

    become(state, why = "") {
        Object.assign(this, { state, why });
        this.changed(this);
    }

    // Goes on until it is done, or needs the user.
    async run() {
        const { signal } = (this.control = new AbortController());
        while (!signal.aborted) {
            try {
                this.become("looking");
                const ready = await this.look(signal);
                if (signal.aborted || !ready) return;
                await this.send(signal);
                if (signal.aborted) return;
                memory.forget(this.key);
                return this.become("done");
            } catch (error) {
                if (signal.aborted) return;
                if (!(error instanceof Cut)) return this.become("failed", error.message);
                await this.rest(error, signal);
            }
        }
    }

    // Finds its beginning on the server, or makes one. False where the user must say which is meant.
    async look(signal) {
        await this.readable();
        this.url ??= memory.get(this.key);
        if (this.url) {
            const answer = await ask("HEAD", this.url, { fields: TUS, signal });
            const length = answer.getResponseHeader("Upload-Length");
            if (answer.status < 300 && (length === null || Number(length) === this.file.size)) {
                this.told(answer);
                return true;
            }
            if (answer.status >= 300 && !isGone(answer)) throw trouble(answer);
            memory.forget(this.key);
            this.url = null;
        }
        if (!this.decided && !(await this.clear(signal))) return false;
        await this.create(signal);
        return true;
    }

    // Whether nothing stands in its way.
    async clear(signal) {
        const found = await unfinished(this.path, signal);
        const same = found.find((one) => one.size === this.file.size);
        if (same) {
            this.choices = [
                ["Continue it", () => this.choose(same.url)],
                ["Start over", () => this.choose(null)],
            ];
            const done = `${size(same.offset)} of ${size(same.size)}`;
            this.become("asking", `An upload of that name and size is unfinished (${done}). Is it the same file?`);
            return false;
        }
        const there = await ask("HEAD", this.path, { signal });
        if (there.status >= 300 && !found.length) return true;
        if (!this.mayReplace) throw new Refused("a file of that name is here already");
        this.choices = [["Replace it", () => this.choose(null)]];
        const what = there.status < 300 ? "A file" : "An unfinished upload of another size";
        this.become("asking", `${what} of that name is here already.`);
        return false;
    }

    choose(url) {
        Object.assign(this, { url, decided: true, choices: [] });
        if (url) memory.set(this.key, url);
        this.become("waiting");
    }

    async create(signal) {
        const name = [...bytesOf(this.folder.slice(1)), ...new TextEncoder().encode(this.file.name)];
        const answer = await ask("POST", ENDPOINT, {
            fields: { ...TUS, "Upload-Length": this.file.size, "Upload-Metadata": "filename " + base64(name) },
            signal,
        });
        if (answer.status === 501) return this.put(signal);
        if (answer.status !== 201) throw trouble(answer);
        this.url = here(answer.getResponseHeader("Location"));
        this.sent = this.sure = 0;
        memory.set(this.key, this.url);
    }

    // Where nothing is kept unfinished, all of it goes at once.
    async put(signal) {
        this.become("sending");
        const moved = (bytes) => this.at(Math.min(bytes, this.file.size));
        const answer = await ask("PUT", this.path, { body: this.file, moved, signal });
        if (answer.status >= 300) throw trouble(answer);
        this.sent = this.file.size;
    }

    // So much has left.
    at(bytes) {
        this.sent = bytes;
        this.changed(this);
    }

    // So much is there, as an answer says.
    told(answer) {
        const offset = Number(answer.getResponseHeader("Upload-Offset") ?? NaN);
        if (!(offset >= 0 && offset <= this.file.size)) throw new Refused("the server's answer makes no sense");
        if (offset > this.sure) this.cuts = 0;
        this.sure = this.sent = offset;
    }

    async send(signal) {
        this.become("sending");
        while (this.sent < this.file.size) {
            await this.readable();
            const from = this.sent;
            const answer = await ask("PATCH", this.url, {
                fields: { ...TUS, "Upload-Offset": from, "Content-Type": "application/offset+octet-stream" },
                body: this.file.slice(from),
                moved: (bytes) => this.at(Math.min(from + bytes, this.file.size)),
                signal,
            });
            if (isGone(answer)) {
                // Begun anew elsewhere, or expired.
                memory.forget(this.key);
                this.url = null;
                throw new Cut("the server no longer has its beginning");
            }
            if (answer.status >= 300) throw trouble(answer, true);
            this.told(answer);
            if (this.sent === from) throw new Cut("nothing arrived");
        }
    }

    // A browser notices only here that a file has changed since it was chosen.
    async readable() {
        try {
            await this.file.slice(this.sent, this.sent + 1).arrayBuffer();
        } catch {
            throw new Refused("the file cannot be read, or has changed: choose it again");
        }
    }

    // Waits before the next try: until it is time, the network is back or the user says so.
    async rest(cut, signal) {
        const wait = Math.max(cut.after, WAITS[Math.min(this.cuts, WAITS.length - 1)] * (0.9 + Math.random() / 5));
        this.cuts += 1;
        this.until = Date.now() + wait * 1000;
        await new Promise((resolve) => {
            const timer = setTimeout(resolve, wait * 1000);
            this.again = () => {
                clearTimeout(timer);
                resolve();
            };
            signal.addEventListener("abort", this.again);
            addEventListener("online", this.again, { once: true });
            this.become("cut", cut.message);
        });
        removeEventListener("online", this.again);
    }

    pause() {
        this.control?.abort();
        this.become("paused");
    }

    resume() {
        this.become("waiting");
    }

    // Gives it up, here and on the server.
    async cancel() {
        this.control?.abort();
        const url = this.url;
        this.become("gone");
        if (!url) return;
        memory.forget(this.key);
        await ask("DELETE", url, { fields: TUS }).catch(() => {});
    }
}
