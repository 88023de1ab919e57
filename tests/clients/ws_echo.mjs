// The package `ws` against an echo server: ws_echo.mjs '{"url": …, "ca": …, "compression": …}'
//
// `ca` is the PEM of who has signed the server's certificate, or null; `compression` says whether
// permessage-deflate is offered. Prints the extensions that the server has agreed to.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createRequire } from "node:module";

// The package is where the tests were set up, and not beside this file.
const WebSocket = createRequire(`${process.env.NPM_FOLDER}/`)("ws");
const { url, ca, compression } = JSON.parse(process.argv[2]);
const options = { perMessageDeflate: compression, ...(ca && { ca }) };

async function open() {
    const socket = new WebSocket(url, options);
    const received = [];
    const waiting = [];
    socket.on("message", (data, isBinary) => {
        const message = isBinary ? data : data.toString();
        const resolve = waiting.shift();
        resolve ? resolve(message) : received.push(message);
    });
    await once(socket, "open");
    const next = () =>
        received.length > 0
            ? Promise.resolve(received.shift())
            : new Promise((resolve) => waiting.push(resolve));
    return { socket, next };
}

const { socket, next } = await open();
for (const length of [0, 1, 125, 126, 65535, 65536, 1_000_000]) {
    const text = "ä".repeat(length / 2) + "x".repeat(length % 2);
    socket.send(text);
    assert.equal(await next(), text, `text of ${length} bytes`);
    const bytes = Buffer.alloc(length, "0123456789");
    socket.send(bytes);
    assert.deepEqual(await next(), bytes, `binary of ${length} bytes`);
}
for (const part of ["in ", "three ", "fragments"]) {
    socket.send(part, { fin: part === "fragments" });
}
assert.equal(await next(), "in three fragments");
for (let number = 0; number < 500; number++) {
    socket.send(String(number));
}
for (let number = 0; number < 500; number++) {
    assert.equal(await next(), String(number));
}
socket.ping("are you there");
const [pong] = await once(socket, "pong");
assert.equal(pong.toString(), "are you there");
console.log(socket.extensions || "none");
socket.close(4321, "done");
const [code] = await once(socket, "close");
assert.equal(code, 4321, "the server answers with our code");
