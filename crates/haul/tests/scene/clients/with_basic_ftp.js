// npm's basic-ftp. Arguments: get|put HOST PORT USER PASSWORD LOCAL REMOTE FROM STOP, as those of with_ftplib.py.
// An upload goes on by APPE: it has no other way.

const fs = require("fs");
const { Readable, Writable } = require("stream");
const { Client } = require("basic-ftp");

const [verb, host, port, user, password, local, remote, from, stop] = process.argv.slice(2);

// What the file has, and then nothing and no end.
function slow(limit) {
    const bytes = fs.readFileSync(local);
    return new Readable({
        read() {
            if (this.given) return;
            this.given = true;
            this.push(bytes.subarray(0, limit));
        },
    });
}

async function main() {
    const client = new Client(60000);
    await client.access({ host, port: Number(port), user, password });
    if (verb === "put" && Number(stop)) {
        await client.uploadFrom(slow(Number(stop)), remote);
    } else if (verb === "put" && Number(from)) {
        await client.appendFrom(local, remote, { localStart: Number(from) });
    } else if (verb === "put") {
        await client.uploadFrom(local, remote);
    } else if (Number(stop)) {
        let gone = 0;
        const sink = new Writable({
            write(data, _, done) {
                fs.appendFileSync(local, data);
                gone += data.length;
                if (gone < Number(stop)) done();
            },
        });
        await client.downloadTo(sink, remote);
    } else {
        await client.downloadTo(local, remote, Number(from));
    }
    client.close();
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
