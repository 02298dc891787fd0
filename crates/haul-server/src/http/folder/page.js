// What the page of a folder can do with a script: dates in the reader's own way, a filter that answers while one types,
// and uploads, one after the other.

const UNITS = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

// As the server writes them.
function size(bytes) {
    if (bytes < 1024) return `${bytes} B`;
    let [value, unit] = [bytes / 1024, 0];
    while (value >= 1023.95 && unit + 1 < UNITS.length) {
        value /= 1024;
        unit++;
    }
    return `${value.toFixed(1)} ${UNITS[unit]}`;
}

function time(seconds) {
    if (seconds < 60) return `${Math.ceil(seconds)} s`;
    if (seconds < 3600) return `${Math.ceil(seconds / 60)} min`;
    return `${Math.floor(seconds / 3600)} h ${Math.ceil((seconds % 3600) / 60)} min`;
}

const uploads = [];
let running = false;

const byId = (id) => document.getElementById(id);

function element(name, properties = {}, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
}

function button(words, label, action) {
    const made = element("button", { type: "button", onclick: action }, words);
    made.setAttribute("aria-label", `${words}: ${label}`);
    return made;
}

// The list

const dates = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const exactDates = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

function dress(list) {
    for (const moment of list.querySelectorAll("time")) {
        const date = new Date(moment.dateTime);
        moment.textContent = dates.format(date);
        moment.title = exactDates.format(date);
    }
    if (!byId("upload")) return;
    for (const line of list.querySelectorAll("[data-unfinished]")) {
        const { unfinished } = line.dataset;
        if (uploads.some((one) => one.path === document.body.dataset.folder + unfinished)) {
            // What there is to say and to do is said above, and done there.
            line.replaceChildren(line.firstElementChild);
        } else {
            const name = line.parentElement.querySelector("bdi").textContent;
            line.append(button("Discard", name, () => discard(unfinished)));
        }
    }
}

// Gives up what is unfinished of a name, whichever client began it.
async function discard(name) {
    try {
        for (const { url } of await unfinished(document.body.dataset.folder + name)) {
            await ask("DELETE", url, { fields: TUS });
        }
    } catch (error) {
        byId("said").textContent = `Not discarded: ${error.message}`;
    }
    refresh();
}

let fetched = 0;

// Fetches the list anew, as the URL says.
async function refresh() {
    if (!byId("list")) return;
    const mine = ++fetched;
    const answer = await ask("GET", location.pathname + location.search, { fields: { Accept: "text/html" } }).catch(
        () => null,
    );
    if (answer?.status !== 200 || mine !== fetched) return;
    const list = new DOMParser().parseFromString(answer.responseText, "text/html").getElementById("list");
    if (!list) return;
    dress(list);
    byId("list").replaceWith(list);
    if (byId("filter") && list.hasAttribute("data-whole")) filterHere();
}

// Hides the names that have not in them what is typed.
function filterHere() {
    const wanted = byId("filter").value.toLowerCase();
    const rows = byId("list").querySelectorAll("tbody tr");
    let shown = 0;
    for (const row of rows) {
        row.hidden = !row.querySelector("bdi").textContent.toLowerCase().includes(wanted);
        shown += !row.hidden;
    }
    const count = byId("count");
    count.dataset.all ??= count.textContent;
    count.textContent = wanted ? `${shown} of ${rows.length} names` : count.dataset.all;
}

function filterThere() {
    const query = new URLSearchParams(location.search);
    query.delete("from");
    const wanted = byId("filter").value;
    if (wanted) query.set("filter", wanted);
    else query.delete("filter");
    const words = query.toString();
    history.replaceState(null, "", location.pathname + (words && "?" + words));
    refresh();
}

function listenToFilter() {
    const filter = byId("filter");
    if (!filter) return;
    let pending;
    filter.addEventListener("input", () => {
        clearTimeout(pending);
        if (byId("list").hasAttribute("data-whole")) filterHere();
        else pending = setTimeout(filterThere, 200);
    });
    // It is done already.
    filter.form.addEventListener("submit", (event) => event.preventDefault());
    // A browser may have kept it from an earlier visit.
    if (filter.value !== filter.defaultValue) filterHere();
}

// Uploads

async function next() {
    if (running) return;
    running = true;
    try {
        for (let upload; (upload = uploads.find((one) => one.state === "waiting")); ) await upload.run();
    } finally {
        running = false;
    }
}

function add(files) {
    const { folder, who } = document.body.dataset;
    for (const file of files) {
        const old = uploads.find((one) => one.key === memory.key(folder, file));
        if (old && !["done", "gone"].includes(old.state)) {
            // The same file once more: it may have been cut, or asked for.
            if (["paused", "failed", "asking"].includes(old.state)) {
                old.file = file;
                old.resume();
            }
            continue;
        }
        if (old) old.row.remove();
        const upload = new Upload(file, folder, who === "named", show);
        uploads.push(upload);
        show(upload);
    }
    next();
}

const WORDS = {
    waiting: () => "Waiting",
    looking: () => "Asking the server",
    sending: (upload) => rateOf(upload),
    paused: () => "Paused",
    cut: (upload) => `Cut off (${upload.why}). Next try in ${time(Math.max(0, upload.until - Date.now()) / 1000)}`,
    asking: (upload) => upload.why,
    failed: (upload) => `Failed: ${upload.why}`,
    done: () => "Uploaded",
};

const SAID = {
    sending: "is being uploaded",
    paused: "is paused",
    cut: "was cut off and is tried again",
    asking: "needs an answer",
    failed: "has failed",
    done: "is uploaded",
};

// How fast it goes, by the last seconds.
function rateOf(upload) {
    const now = Date.now();
    const marks = (upload.marks ??= []);
    if (!marks.length || now - marks.at(-1).at > 200) marks.push({ at: now, sent: upload.sent });
    while (marks.length > 2 && now - marks[0].at > 8000) marks.shift();
    const seconds = (now - marks[0].at) / 1000;
    const rate = (upload.sent - marks[0].sent) / seconds;
    if (seconds < 1 || !(rate > 0)) return "Uploading";
    return `${size(Math.round(rate))}/s, ${time((upload.file.size - upload.sent) / rate)} left`;
}

function rowOf(upload) {
    const name = upload.file.name;
    const parts = {
        figure: element("span", { className: "figure" }),
        bar: element("progress", { max: Math.max(upload.file.size, 1) }),
        words: element("p", { className: "words" }),
        buttons: element("div", { className: "buttons" }),
    };
    parts.bar.setAttribute("aria-label", name);
    const title = element("span", { className: "title" }, element("bdi", {}, name));
    upload.row = Object.assign(element("li", {}, title, ...Object.values(parts)), { parts });
    byId("uploads").append(upload.row);
    return upload.row;
}

function buttonsOf(upload) {
    const name = upload.file.name;
    const pause = ["Pause", () => upload.pause()];
    const cancel = ["Cancel", () => upload.cancel()];
    const go = ["Go on", () => upload.resume()];
    const clear = ["Clear", () => upload.become("gone")];
    const sets = {
        waiting: [cancel],
        looking: [pause, cancel],
        sending: [pause, cancel],
        paused: [go, cancel],
        cut: [["Try now", () => upload.again()], pause, cancel],
        asking: [...upload.choices, cancel],
        failed: [["Try again", () => upload.resume()], cancel],
        done: [clear],
    };
    return sets[upload.state].map(([words, action]) => button(words, name, action));
}

// Shows how it is.
function show(upload) {
    const row = upload.row ?? rowOf(upload);
    const { state, file, sent } = upload;
    if (state === "gone") {
        uploads.splice(uploads.indexOf(upload), 1);
        row.remove();
        refresh();
        return next();
    }
    const { figure, bar, words, buttons } = row.parts;
    const whole = state === "done" || sent === file.size;
    figure.textContent = whole ? size(file.size) : `${size(sent)} of ${size(file.size)}`;
    bar.value = state === "done" ? bar.max : sent;
    bar.hidden = state === "done";
    words.textContent = WORDS[state](upload);
    if (row.className === state) return;
    row.className = state;
    if (state !== "sending") upload.marks = [];
    const focused = buttons.contains(document.activeElement);
    buttons.replaceChildren(...buttonsOf(upload));
    if (focused) buttons.firstElementChild?.focus();
    if (SAID[state]) byId("said").textContent = `${file.name} ${SAID[state]}`;
    if (state === "done") refresh();
    if (state === "waiting") next();
}

// Folders that were dropped have no bytes, and their files no place yet.
function dropped(transfer) {
    const files = [];
    for (const item of transfer.items) {
        if (item.kind !== "file") continue;
        const file = item.getAsFile();
        if (item.webkitGetAsEntry?.()?.isDirectory) byId("said").textContent = `${file?.name} is a folder: upload its files`;
        else if (file) files.push(file);
    }
    return files;
}

function listenToFiles() {
    byId("drop").hidden = false;
    byId("files").addEventListener("change", ({ target }) => {
        add([...target.files]);
        // So that the same file can be chosen again.
        target.value = "";
    });
    let depth = 0;
    const drag = (change) => (event) => {
        if (!event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault();
        depth = change(depth);
        document.body.classList.toggle("dragging", depth > 0);
    };
    addEventListener("dragenter", drag((depth) => depth + 1));
    addEventListener("dragover", drag((depth) => depth));
    addEventListener("dragleave", drag((depth) => depth - 1));
    addEventListener("drop", (event) => {
        drag(() => 0)(event);
        if (event.dataTransfer) add(dropped(event.dataTransfer));
    });
    addEventListener("beforeunload", (event) => {
        if (uploads.some((one) => ["waiting", "looking", "sending", "cut"].includes(one.state))) event.preventDefault();
    });
    // Rates fall and waits pass while nothing else happens.
    setInterval(() => uploads.filter(({ state }) => ["sending", "cut"].includes(state)).forEach(show), 1000);
}

document.documentElement.classList.add("scripted");
memory.sweep();
if (byId("list")) dress(byId("list"));
listenToFilter();
if (byId("upload")) listenToFiles();
