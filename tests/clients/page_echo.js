// Runs in a page, as Selenium's asynchronous script: (url, done). Echoes of every length come back
// as they were, and a close with its code.

const [url, done] = arguments;
const socket = new WebSocket(url);
socket.binaryType = "arraybuffer";
const lengths = [0, 1, 125, 126, 65535, 65536, 1_000_000];
const messages = lengths.map((length) => "ä".repeat(length / 2) + "x".repeat(length % 2));
const blobs = lengths.map((length) => new Uint8Array(length).fill(0xa5));
const expected = [];
let extensions = "";

const same = (sent, came) =>
    typeof sent === "string"
        ? sent === came
        : came.byteLength === sent.length && new Uint8Array(came).every((byte) => byte === 0xa5);

socket.onopen = () => {
    extensions = socket.extensions;
    for (const message of [...messages, ...blobs]) {
        expected.push(message);
        socket.send(message);
    }
};
socket.onmessage = ({ data }) => {
    if (!same(expected.shift(), data)) {
        done({ error: "not what was sent" });
    } else if (expected.length === 0) {
        socket.close(4321, "done");
    }
};
socket.onclose = ({ code }) =>
    done(code === 4321 && expected.length === 0 ? { extensions } : { error: `closed with ${code}` });
